"""Domain `gears`: which way does the last gear turn?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, PAPERS, WHITE, Canvas, Colour, Point, mixed, towards
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.types import Draft

CHOICES = ("clockwise", "counterclockwise")
TOOTH = 2.0  # height of a tooth in hundredths of the image


@domain("gears", family="mechanics")
@dataclass(frozen=True)
class Gears:
    """A train of meshed gears. Neighbours turn in opposite directions; the thought names them in turn.

    size  pixels, square
    """

    size: int = 288

    verifier = "choice"
    one_answer = "the gears form a chain, and each turns against the one before"

    def __post_init__(self) -> None:
        check_at_least("domain 'gears', size", self.size, 96)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One train. Difficulty 0: two or three gears; 1: seven or eight, winding."""
        count = scaled((2, 7), difficulty) + int(rng.integers(2))
        gears = _train(rng, count)
        first, answer = (int(rng.integers(2)), int(rng.integers(2)))
        if (count - 1) % 2 != abs(first - answer):
            first = 1 - first
        colours = [pick(rng, tuple(NAMED.values())[4:]) for _ in gears]
        colours[0], colours[-1] = NAMED["green"], NAMED["red"]
        canvas = Canvas(self.size, pick(rng, PAPERS))
        turn = 0.0
        for i, ((centre, radius), colour) in enumerate(zip(gears, colours, strict=True)):
            teeth = round(radius * 2.2)
            if i:  # turned so that its teeth fall into the gaps of the gear before
                before, before_radius = gears[i - 1]
                along = math.degrees(math.atan2(centre[0] - before[0], before[1] - centre[1]))
                before_teeth = round(before_radius * 2.2)
                phase = ((along - turn) * before_teeth / 360) % 1
                turn = along + 180 - (0.5 - phase) * 360 / teeth
            self._gear(canvas, centre, radius, teeth, turn, colour)
        centre, radius = gears[0]
        self._arrow(canvas, centre, radius * 0.62, clockwise=first == 0)
        canvas.text(gears[-1][0], "?", max(6.0, gears[-1][1] * 0.9), WHITE, bold=True)
        question = pick(
            rng,
            (
                "The green gear turns as the arrow shows. Does the red gear turn clockwise or counterclockwise?",
                "Which way does the red gear turn: clockwise or counterclockwise?",
            ),
        )
        letters = " ".join("ca"[(first + i) % 2] for i in range(count))
        spoken = (
            " ".join(CHOICES[(first + i) % 2] for i in range(count)) if count < 4 else f"{letters} {CHOICES[answer]}"
        )
        return Draft(
            question, CHOICES[answer], (canvas.image(),), spoken, metadata={"choices": list(CHOICES)}, guess_rate=0.5
        )

    @staticmethod
    def _gear(canvas: Canvas, centre: Point, radius: float, teeth: int, turn: float, colour: Colour) -> None:
        outline = []
        for i in range(teeth):
            for share, reach in ((-0.30, -1), (-0.16, 1), (0.16, 1), (0.30, -1)):
                outline.append(towards(centre, turn + (i + share) * 360 / teeth, radius + reach * TOOTH / 2))
        canvas.polygon(outline, colour, mixed(colour, INK, 0.55), 0.5)
        canvas.disc(centre, radius * 0.14, mixed(colour, INK, 0.55))

    @staticmethod
    def _arrow(canvas: Canvas, centre: Point, radius: float, clockwise: bool) -> None:
        start, end = (-120.0, 110.0) if clockwise else (120.0, -110.0)
        canvas.arc(centre, radius, start, end, WHITE, 1.1)
        sign = 1 if clockwise else -1
        canvas.arrow_head(towards(centre, end + sign * 22, radius), end + sign * 100, radius * 0.6, WHITE)


def _train(rng: np.random.Generator, count: int) -> list[tuple[Point, float]]:
    """Centres and radii of gears in a row, each touching only the one before and the one after, inside the image."""
    largest = 15.0 if count < 4 else 11.5 if count < 6 else 9.5
    while True:
        radius = float(rng.uniform(largest * 0.7, largest))
        gears = [((float(rng.uniform(18, 40)), float(rng.uniform(18, 82))), radius)]
        for _ in range(200):
            if len(gears) == count:
                return _centred(gears)
            (x, y), last = gears[-1]
            radius = float(rng.uniform(largest * 0.6, largest))
            centre = towards((x, y), float(rng.uniform(0, 360)), last + radius)
            inside = all(radius + 3 < c < 97 - radius for c in centre)
            if inside and all(math.dist(centre, c) > r + radius + 4 for c, r in gears[:-1]):
                gears.append((centre, radius))


def _centred(gears: list[tuple[Point, float]]) -> list[tuple[Point, float]]:
    """The same train in the middle of the image, enlarged to fill it where it is small."""
    edges = [(min(c[i] - r for c, r in gears), max(c[i] + r for c, r in gears)) for i in (0, 1)]
    scale = min(1.6, 90 / max(high - low for low, high in edges))
    x, y = ((low + high) / 2 for low, high in edges)
    return [((50 + (c[0] - x) * scale, 50 + (c[1] - y) * scale), r * scale) for c, r in gears]
