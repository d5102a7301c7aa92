"""The same for puzzles, pairs of images, grounding and rays: answers read back from the finished pixels."""

from __future__ import annotations

import re

import cv2
import numpy as np

from vlrl.scenes.canvas import NAMED
from vlrl.scenes.domain import domains
from vlrl.scenes.draws import scaled
from vlrl.seeding import stream

COUNT = 12


def drawn(name: str, difficulty: float, **settings):
    made = domains.build({"name": name, **settings})
    for i in range(COUNT):
        draft = made.draw(stream(12, "scenes", name, i), difficulty)
        yield draft, [np.asarray(image).astype(int) for image in draft.images]


def panels(page: np.ndarray) -> list[np.ndarray]:
    """The four panels of a page without their badges' corner rows, (n, n, 3) each."""
    unit = len(page) / 100
    side, inset = round(45 * unit), round(1.2 * unit)
    corners = [(round((1.5 + 49.5 * r) * unit), round((1.5 + 49.5 * c) * unit)) for r in (0, 1) for c in (0, 1)]
    return [page[y + inset : y + inset + side, x + inset : x + inset + side] for y, x in corners]


def without_badge(panel: np.ndarray) -> np.ndarray:
    """The part of a panel that lies below its badge."""
    return panel[len(panel) // 4 :]


def test_image_1_turned_by_the_answer_is_image_2():
    for draft, (page,) in drawn("image_rotation", 0.0, size=400):
        second = page[:, 204:].astype(np.uint8)
        # it is drawn a little smaller, a square around the middle of its half; white sky at an edge is part of it
        rows, columns = np.nonzero((second < 254).any(axis=2))
        half = max(100 - rows.min(), rows.max() + 1 - 100, 96 - columns.min(), columns.max() + 1 - 96)
        second = second[100 - half : 100 + half, 96 - half : 96 + half]
        first, second = (cv2.resize(p.astype(np.uint8), (100, 100)).astype(int) for p in (page[6:194, 6:194], second))
        inner = slice(32, 68)
        gaps = [np.abs(np.rot90(first, -k)[inner, inner] - second[inner, inner]).mean() for k in range(4)]
        assert 90 * int(np.argmin(gaps)) == int(draft.answer)


def test_the_patch_of_the_answer_continues_the_image_around_the_hole():
    right = 0
    for draft, (page,) in drawn("patch_place", 0.0, size=600):
        grey = (np.abs(page - np.array((150, 156, 166))).sum(axis=2) < 6).astype(np.uint8)
        grey = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, np.ones((41, 41)))
        count, _, stats, _ = cv2.connectedComponentsWithStats(grey)
        x, y, wide, high, _ = max(stats[1:count], key=lambda s: s[cv2.CC_STAT_AREA]).tolist()
        rim = np.concatenate([page[y - 3, x : x + wide], page[y + high + 2, x : x + wide]])
        gaps = []
        for i in range(4):
            left, top = round((3 + 24.5 * i) * 6), 76 * 6
            patch = cv2.resize(page[top : top + 126, left : left + 126].astype(np.uint8), (wide, high)).astype(int)
            gap = np.abs(np.concatenate([patch[0], patch[-1]]) - rim).sum(axis=1)
            gaps.append(np.median(gap))
        right += "ABCD"[int(np.argmin(gaps))] == draft.answer
    assert right >= 0.75 * COUNT


def test_the_odd_panel_is_the_one_that_differs_from_the_rest():
    for difficulty in (0.0, 0.5):
        for draft, (page,) in drawn("odd_transform", difficulty, size=400):
            shown = [without_badge(p) for p in panels(page)]
            gaps = [sum(float(np.abs(a - b).mean()) for b in shown) for a in shown]
            assert "ABCD"[int(np.argmax(gaps))] == draft.answer


def test_as_many_cells_differ_between_two_images_as_the_answer_says():
    for difficulty in (0.0, 0.5, 1.0):
        side = scaled((3, 5), difficulty)
        for draft, (first, second) in drawn("spot_difference", difficulty, size=300):
            change = np.abs(first - second).sum(axis=2) > 60
            edges = [round((2 + 96 * i / side) * 3) for i in range(side + 1)]
            cells = [change[edges[r] : edges[r + 1], edges[c] : edges[c + 1]] for r in range(side) for c in range(side)]
            assert sum(bool(cell.sum() > 8) for cell in cells) == int(draft.answer)


def test_the_relation_holds_in_the_panel_of_the_answer_alone():
    for draft, shown in drawn("which_panel", 0.0, size=200):
        (first, _), (second, _) = re.findall(r"(\w+) (disc|square|triangle|diamond|star|cross|hexagon)", draft.question)
        word = re.search(r"left of|right of|above|below", draft.question)[0]
        if first == second:
            continue
        hold = []
        for pixels in shown:
            (x, y), (to_x, to_y) = (middle(pixels, NAMED[c]) for c in (first, second))
            gap = {"left of": to_x - x, "right of": x - to_x, "above": to_y - y, "below": y - to_y}[word]
            hold.append(gap > 25)
        assert ["ABCD"[i] for i, h in enumerate(hold) if h] == [draft.answer]


def middle(pixels: np.ndarray, colour: tuple[int, int, int]) -> tuple[float, float]:
    rows, columns = np.nonzero(np.abs(pixels - np.array(colour)).sum(axis=2) < 30)
    return float(columns.mean()), float(rows.mean())


def test_the_box_of_the_answer_is_filled_to_its_edges_by_the_asked_colour():
    for draft, (pixels,) in drawn("find_box", 0.0, size=500):
        colour = NAMED[re.search("|".join(NAMED), draft.question)[0]]
        mask = np.abs(pixels - np.array(colour)).sum(axis=2) < 40
        left, top, right, bottom = (round(int(n) / 2) for n in re.findall(r"\d+", draft.answer))
        rows, columns = np.nonzero(mask[max(0, top - 4) : bottom + 4, max(0, left - 4) : right + 4])
        found = (columns.min(), rows.min(), columns.max() - (right - left), rows.max() - (bottom - top))
        assert all(-5 <= edge <= 13 for edge in found), (found, draft.question)


def test_the_point_of_the_answer_lies_on_the_asked_colour():
    for draft, (pixels,) in drawn("find_point", 0.4, size=500):
        colour = NAMED[re.search("|".join(NAMED), draft.question)[0]]
        x, y = (round(int(n) / 2) for n in re.findall(r"\d+", draft.answer))
        assert np.abs(pixels[y, x] - np.array(colour)).sum() < 30


def test_the_asked_point_of_the_grid_is_drawn_where_the_answer_says():
    for draft, (pixels,) in drawn("coordinates", 0.0, size=500):
        x, y = (int(n) for n in re.findall(r"-?\d+", draft.answer))
        column, row = round((50 + 8.2 * x) * 5), round((50 - 8.2 * y) * 5)
        around = pixels[row - 2 : row + 3, column - 2 : column + 3].reshape(-1, 3)
        assert (around.max(axis=1) - around.min(axis=1) > 40).all()


def test_the_stick_on_top_is_nowhere_covered():
    for draft, (pixels,) in drawn("sticks", 0.0, size=400):
        areas = {}
        for name in draft.metadata["choices"]:
            mask = (np.abs(pixels - np.array(NAMED[name])).sum(axis=2) < 40).astype(np.uint8)
            mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((13, 13)))
            count, _, stats, _ = cv2.connectedComponentsWithStats(mask)
            areas[name] = sum(stats[i, cv2.CC_STAT_AREA] > 150 for i in range(1, count))
        assert [name for name, parts in areas.items() if parts == 1] == [draft.answer]
