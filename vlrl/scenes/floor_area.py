"""Domain `floor_area`: area or perimeter of a floor plan made of rectangles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, PAPERS, WHITE, Canvas, Point, mixed
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick
from vlrl.types import Draft


@domain("floor_area", family="geometry")
@dataclass(frozen=True)
class FloorArea:
    """Area or perimeter of a labelled rectangle, L or U; the thought: `8*6=48 3*2=6 48-6=42`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "all corners are right angles, so the lengths that aren't written follow from the others"

    def __post_init__(self) -> None:
        check_at_least("domain 'floor_area', size", self.size, 160)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One plan. Difficulty 0: a rectangle; .5: an L; 1: a U with one inner length left to work out."""
        wide, high = int(rng.integers(4, 13)), int(rng.integers(4, 13))
        form = "rectangle" if difficulty < 0.3 else "L" if difficulty < 0.7 else "U"
        if form == "U":
            wide = max(wide, 5)
        cut_high = int(rng.integers(1, high - 1))
        cut_wide = int(rng.integers(1, wide - 1)) if form == "L" else int(rng.integers(1, wide - 2))
        arm = int(rng.integers(1, wide - cut_wide)) if form == "U" else 0
        # Corners clockwise from the top left, y upwards, and the lengths that are written along the sides.
        corners: list[tuple[float, float]]
        if form == "rectangle":
            corners, labels = [(0, high), (wide, high), (wide, 0), (0, 0)], [str(wide), str(high), "", ""]
        elif form == "L":
            corners = [(0, high), (wide - cut_wide, high), (wide - cut_wide, high - cut_high), (wide, high - cut_high)]
            corners += [(wide, 0), (0, 0)]
            labels = ["", str(cut_high), str(cut_wide), "", str(wide), str(high)]
        else:
            inner = arm + cut_wide
            corners = [(0, high), (arm, high), (arm, high - cut_high), (inner, high - cut_high), (inner, high)]
            corners += [(wide, high), (wide, 0), (0, 0)]
            labels = [str(arm), str(cut_high), "", "", str(wide - inner), str(high), str(wide), ""]
        asks_area = bool(rng.integers(2))
        area, around = wide * high, wide + high
        if asks_area:
            steps = [f"{wide}*{high}={area}"]
            if form == "U":
                steps.append(f"{wide}-{arm}-{wide - arm - cut_wide}={cut_wide}")
            if form != "rectangle":
                hole = cut_wide * cut_high
                steps += [f"{cut_wide}*{cut_high}={hole}", f"{area}-{hole}={area - hole}"]
                area -= hole
            question, answer = pick(rng, ("What is the area of the figure?", "Find the area of the figure.")), area
        else:
            steps, answer = [f"{wide}+{high}={around}", f"2*{around}={2 * around}"], 2 * around
            if form == "U":
                answer += 2 * cut_high
                steps += [f"2*{cut_high}={2 * cut_high}", f"{2 * around}+{2 * cut_high}={answer}"]
            question = pick(rng, ("What is the perimeter of the figure?", "Find the perimeter of the figure."))

        question += " All its corners are right angles."
        canvas = Canvas(self.size, pick(rng, PAPERS))
        scale = 68 / max(wide, high)
        left, floor = 50 - scale * wide / 2, 50 + scale * high / 2
        mirrored = bool(rng.integers(2))
        points: list[Point] = [
            (100 - left - x * scale if mirrored else left + x * scale, floor - y * scale) for x, y in corners
        ]
        colour = pick(rng, tuple(NAMED.values()))
        canvas.polygon(points, mixed(colour, WHITE, 0.7), INK, 0.9)
        for i, words in enumerate(labels):
            if words:
                self._label(canvas, points[i], points[(i + 1) % len(points)], words, mirrored)
        if canvas.illegible():  # a side too short for its length
            return self.draw(rng, difficulty)
        return Draft(question, str(answer), (canvas.image(),), " ".join(steps))

    @staticmethod
    def _label(canvas: Canvas, start: Point, end: Point, words: str, mirrored: bool) -> None:
        """The length stands outside the figure, beside the middle of its side."""
        middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        along = end[0] - start[0], end[1] - start[1]
        length = float(np.hypot(*along))
        side = -1 if mirrored else 1  # the corners run clockwise, or the other way round in the mirror
        out = along[1] / length * side, -along[0] / length * side
        beside = [(middle[0] + out[0] * far, middle[1] + out[1] * far) for far in (4, 5, 6)]
        canvas.place(beside, words, 5.6, INK, bold=True)
