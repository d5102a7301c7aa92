"""Answers read back from the finished pixels by other means than the ones that drew them."""

from __future__ import annotations

import math
import re
from collections import deque
from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import pytest

from vlrl.scenes.canvas import NAMED
from vlrl.scenes.cells import COLOURS
from vlrl.scenes.domain import domains
from vlrl.scenes.draws import scaled
from vlrl.scenes.polygon_angle import PolygonAngle
from vlrl.scenes.road_map import _places, _roads, _shortest
from vlrl.seeding import stream

COUNT = 25


def drawn(name: str, difficulty: float, **settings):
    made = domains.build({"name": name, **settings})
    for i in range(COUNT):
        draft = made.draw(stream(11, "scenes", name, i), difficulty)
        yield draft, np.asarray(draft.images[0]).astype(int)


def mask_of(pixels: np.ndarray, colour: tuple[int, int, int], within: int = 40) -> np.ndarray:
    return np.abs(pixels - np.array(colour)).sum(axis=2) <= within


def blobs(mask: np.ndarray, least: int = 12) -> list[tuple[int, float, float]]:
    """(area, x, y) of the connected parts of a mask that have at least `least` pixels."""
    count, _, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return [
        (int(stats[i, cv2.CC_STAT_AREA]), float(centres[i][0]), float(centres[i][1]))
        for i in range(1, count)
        if stats[i, cv2.CC_STAT_AREA] >= least
    ]


@pytest.mark.parametrize("size", [48, 240])
def test_the_shapes_of_the_asked_colour_can_be_counted(size):
    for draft, pixels in drawn("grid_count", 0.2, size=size):
        colour = re.search(r"red|blue|green|yellow", draft.question)[0]
        assert len(blobs(mask_of(pixels, COLOURS[colour], within=12))) == int(draft.answer)


@pytest.mark.parametrize("size", [48, 240])
def test_the_colour_with_more_shapes_is_the_answer(size):
    for draft, pixels in drawn("grid_compare", 0.9, size=size):
        first, second = draft.metadata["choices"]
        counts = [len(blobs(mask_of(pixels, COLOURS[c], within=12))) for c in (first, second)]
        assert draft.answer == (first if counts[0] > counts[1] else second)
        assert draft.thought == f"{counts[0]} {counts[1]}"


@pytest.mark.parametrize("size", [48, 240])
def test_one_shape_lies_where_the_answer_says_from_the_other(size):
    for draft, pixels in drawn("spatial_relation", 0.9, size=size):
        first, second = re.findall(r"red|blue|green|yellow", draft.question)
        (_, x, y), (_, to_x, to_y) = (blobs(mask_of(pixels, COLOURS[c], within=12))[0] for c in (first, second))
        across = abs(x - to_x) > abs(y - to_y)
        seen = ("left" if x < to_x else "right") if across else ("above" if y < to_y else "below")
        assert draft.answer == seen


def test_yes_or_no_questions_about_places_are_answered_truly():
    for draft, pixels in drawn("spatial_relation", 0.2):
        first, second = re.findall(r"red|blue|green|yellow", draft.question)
        (_, x, y), (_, to_x, to_y) = (blobs(mask_of(pixels, COLOURS[c], within=12))[0] for c in (first, second))
        relation = re.search(r"left|right|above|below", draft.question)[0]
        holds = {"left": x < to_x, "right": x > to_x, "above": y < to_y, "below": y > to_y}[relation]
        assert draft.answer == ("yes" if holds else "no")


@pytest.mark.parametrize("size", [48, 240])
def test_differences_of_bars_can_be_measured(size):
    for draft, pixels in drawn("bars", 0.5, size=size):
        first, second = re.findall(r"red|blue|green|yellow", draft.question)
        heights = [mask_of(pixels, COLOURS[c], within=6).any(axis=1).sum() / (size * 5 / 48) for c in (first, second)]
        assert round(heights[0] - heights[1]) == int(draft.answer)


def test_the_odd_cell_is_the_one_whose_colour_is_alone():
    for draft, pixels in drawn("odd_one", 0.1):
        middles = [
            pixels[40 + 80 * (i // 3) - 30 : 70 + 80 * (i // 3), 80 * (i % 3) + 5 : 80 * (i % 3) + 75] for i in range(9)
        ]
        shades = [max(COLOURS, key=lambda c, m=m: mask_of(m, COLOURS[c], 12).sum()) for m in middles]
        alone = [i for i, shade in enumerate(shades) if shades.count(shade) == 1]
        assert [int(draft.answer) - 1] == alone


def test_a_walk_over_the_pixels_of_the_maze_takes_as_many_steps():
    for difficulty in (0.0, 0.5, 1.0):
        side = scaled((3, 8), difficulty)
        for draft, pixels in drawn("maze", difficulty, size=400):
            step = 92 / side * 4
            at = {c: blobs(mask_of(pixels, NAMED[c]))[0] for c in ("green", "red")}
            start, goal = ((int((y - 16) // step), int((x - 16) // step)) for _, x, y in (at["green"], at["red"]))
            dark = pixels.max(axis=2) < 90

            def free(a, b, dark=dark, step=step):
                ends = [(16 + (r + 0.5) * step, 16 + (c + 0.5) * step) for r, c in (a, b)]
                line = [[e[i] for e in ends] for i in (0, 1)]
                along = np.linspace(0, 1, 60)
                rows, columns = (np.rint(v[0] + (v[1] - v[0]) * along).astype(int) for v in line)
                return not dark[rows, columns].any()

            steps, queue = {start: 0}, deque([start])
            while queue:
                row, column = queue.popleft()
                for there in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
                    inside = 0 <= there[0] < side and 0 <= there[1] < side
                    if inside and there not in steps and free((row, column), there):
                        steps[there] = steps[row, column] + 1
                        queue.append(there)
            assert steps[goal] == int(draft.answer)


def test_the_slices_of_a_pie_have_the_asked_rank_by_area():
    for draft, pixels in drawn("pie_chart", 1.0):
        areas = sorted((mask_of(pixels, NAMED[c], 12).sum(), c) for c in draft.metadata["choices"])
        place = -2 if "second largest" in draft.question else -1 if "largest" in draft.question else 0
        assert draft.answer == areas[place][1]


def test_the_coloured_share_of_a_figure_is_the_fraction():
    for draft, pixels in drawn("fraction", 0.5, size=400):
        colour = re.search("|".join(NAMED), draft.question)[0]
        coloured, paper = mask_of(pixels, NAMED[colour], 12), pixels[0, 0]
        figure = cv2.morphologyEx(
            (np.abs(pixels - paper).sum(axis=2) > 0).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5))
        )
        outside = figure.copy()
        cv2.floodFill(outside, None, (0, 0), 2)
        white = mask_of(pixels, (255, 255, 255), 3) & (outside != 2)
        share = coloured.sum() / (coloured.sum() + white.sum())
        assert abs(share - float(Fraction(draft.answer))) < 0.02, (draft.question, draft.answer, share)


def test_the_grid_is_symmetric_where_the_answer_says_so():
    for draft, pixels in drawn("mirror", 0.5, size=400):
        side = 2 * scaled((2, 5), 0.5)
        middles = [round(24 + (i + 0.5) * 352 / side) for i in range(side)]
        full = np.abs(pixels[np.ix_(middles, middles)] - 255).sum(axis=2) > 60
        upright = np.array_equal(full, full[:, ::-1])
        lying = np.array_equal(full, full[::-1])
        dashed_column = (pixels[:, 200].sum(axis=1) < 200).mean() > (pixels[200].sum(axis=1) < 200).mean()
        assert draft.answer == ("yes" if (upright if dashed_column else lying) else "no")


def test_the_dots_in_the_boxes_are_the_numbers_of_the_thought():
    for draft, pixels in drawn("dot_sequence", 0.2, size=600):
        numbers = [int(n) for n in draft.thought.split()[:4]]
        saturated = pixels.max(axis=2) - pixels.min(axis=2) > 60
        seen = [0, 0, 0, 0]
        for _, x, _ in blobs(saturated, least=60):
            seen[int((x / 6 - 2.5) // 19.4)] += 1
        assert seen == numbers


def test_the_pips_of_all_dice_add_up():
    for draft, pixels in drawn("dice", 0.4, size=400):
        coloured = (pixels.max(axis=2) - pixels.min(axis=2) > 60).astype(np.uint8)
        filled = cv2.morphologyEx(coloured, cv2.MORPH_CLOSE, np.ones((23, 23)))
        inside = cv2.erode(filled, np.ones((7, 7))) > 0
        pips = [b for b in blobs(mask_of(pixels, (255, 255, 255), 20) & inside, least=60) if b[0] < 400]
        assert len(pips) == int(draft.answer)


def test_a_line_of_the_tangle_ends_at_the_answer():
    for draft, pixels in drawn("tangle", 0.0, size=400):
        asked = int(re.search(r"line (\d)", draft.question)[1]) - 1
        tops, bottoms = ([round((50 + (p - 1) * 28) * 4) for p in range(3)] for _ in range(2))
        shade = pixels[round(12.6 * 4), tops[asked]]
        distances = [np.abs(pixels[round(85.2 * 4), x - 3 : x + 4] - shade).sum(axis=1).min() for x in bottoms]
        assert "ABC"[int(np.argmin(distances))] == draft.answer


def test_the_hands_of_a_clock_point_at_its_time():
    for draft, pixels in drawn("clock", 1.0, size=400):
        hour, minute = map(int, draft.answer.split(":"))
        face = np.argwhere(np.abs(pixels - pixels[0, 0]).sum(axis=2) > 0)
        middle = (face.min(axis=0) + face.max(axis=0)) / 2
        radius = float((face.max(axis=0) - face.min(axis=0)).mean()) / 2
        dark = np.argwhere(pixels.max(axis=2) < 120) - middle
        distance = np.hypot(dark[:, 0], dark[:, 1])
        length = (radius - 36) * 0.95
        down, right = dark[(distance > 0.86 * length) & (distance < 0.96 * length)].mean(axis=0)
        seen = math.degrees(math.atan2(right, -down)) % 360
        assert abs((seen - 6 * minute + 180) % 360 - 180) < 2.5, (draft.answer, seen)
        angle = math.radians(hour * 30 + minute / 2)
        row, column = (middle + 0.7 * length * np.array([-math.cos(angle), math.sin(angle)])).round().astype(int)
        assert pixels[row, column].max() < 120, f"no hour hand at {draft.answer}"


@pytest.mark.parametrize("difficulty", [0.0, 0.5, 1.0])
def test_the_last_gear_turns_as_the_arrow_and_the_number_of_gears_say(difficulty):
    for draft, pixels in drawn("gears", difficulty, size=500):
        green = np.argwhere(mask_of(pixels, NAMED["green"]))
        (top, left), (bottom, right) = green.min(axis=0), green.max(axis=0)
        middle, radius = ((top + bottom) / 2, (left + right) / 2), (right - left) / 2
        white = np.argwhere(mask_of(pixels, (255, 255, 255))) - middle
        white = white[(np.hypot(white[:, 0], white[:, 1]) < 0.85 * radius) & (white[:, 0] > 0)]
        # below the middle the arrow's head outweighs its tail: to the right if it runs clockwise
        clockwise = (white[:, 1] > 0).sum() > (white[:, 1] < 0).sum()
        turns = draft.thought.split()
        count = len(turns) if turns[0] in draft.metadata["choices"] else len(turns) - 1
        same = clockwise == (draft.answer == "clockwise")
        assert same == (count % 2 == 1)
        assert turns[-1] == draft.answer


def test_the_corners_of_a_polygon_have_the_written_angles():
    for corners in (3, 4, 5):
        for i in range(COUNT):
            points, angles = PolygonAngle._polygon(stream(3, corners, i), corners, 5)
            for j, angle in enumerate(angles):
                a, b, c = points[j - 1], points[j], points[(j + 1) % corners]
                u, v = (a[0] - b[0], a[1] - b[1]), (c[0] - b[0], c[1] - b[1])
                cosine = (u[0] * v[0] + u[1] * v[1]) / (math.hypot(*u) * math.hypot(*v))
                assert math.degrees(math.acos(cosine)) == pytest.approx(angle, abs=1e-6)
            assert sum(angles) == 180 * (corners - 2)


def test_no_way_on_the_map_is_shorter_than_the_one_found():
    for i in range(COUNT):
        rng = stream(3, "map", i)
        roads = _roads(rng, _places(rng, 7))
        length = np.full((7, 7), np.inf)
        np.fill_diagonal(length, 0)
        for (a, b), one in roads.items():
            length[a, b] = length[b, a] = one
        for middle in range(7):  # Floyd and Warshall
            length = np.minimum(length, length[:, middle, None] + length[None, middle, :])
        for goal, way in _shortest(roads, 0).items():
            assert sum(roads[min(s), max(s)] for s in pairwise(way)) == length[0, goal]
