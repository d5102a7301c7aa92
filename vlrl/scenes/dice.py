"""Domain `dice`: add up the pips of dice, all or only some."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, PAPERS, WHITE, Canvas, Colour, Point, mixed
from vlrl.scenes.chains import one_sum
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled, shuffled
from vlrl.types import Draft

PIPS: dict[int, tuple[Point, ...]] = {
    1: ((0, 0),),
    2: ((-1, -1), (1, 1)),
    3: ((-1, -1), (0, 0), (1, 1)),
    4: ((-1, -1), (1, -1), (-1, 1), (1, 1)),
    5: ((-1, -1), (1, -1), (0, 0), (-1, 1), (1, 1)),
    6: ((-1, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (1, 1)),
}


@domain("dice", family="counting")
@dataclass(frozen=True)
class Dice:
    """The sum of the pips, in reading order of the places the dice lie in: `3+5+1=9`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "only the upper side of a die is seen"

    def __post_init__(self) -> None:
        check_at_least("domain 'dice', size", self.size, 48)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One throw. Difficulty 0: two dice, straight; .5: five, turned; 1: eight, one colour counts."""
        count = scaled((2, 8), difficulty)
        partly = difficulty >= 0.6
        names = shuffled(rng, ("red", "blue", "green", "purple"))[:2]
        counted = [True] * count
        if partly:
            wanted = int(rng.integers(2, count - 1))
            counted = [i < wanted for i in rng.permutation(count).tolist()]
        values = (rng.integers(6, size=count) + 1).tolist()
        places = np.sort(rng.permutation(9)[:count]).tolist()
        canvas = Canvas(self.size, pick(rng, PAPERS))
        for value, place, counts in zip(values, places, counted, strict=True):
            x, y = (
                19 + place % 3 * 31 + float(rng.uniform(-1.5, 1.5)),
                19 + place // 3 * 31 + float(rng.uniform(-1.5, 1.5)),
            )
            turn = float(rng.uniform(-35, 35)) * min(1.0, 2 * difficulty)
            self._die(canvas, (x, y), turn, value, NAMED[names[0 if counts else 1]])
        if partly:
            question = pick(rng, ("What do the pips on the {} dice add up to?", "Add up the pips on the {} dice."))
            question = question.format(names[0])
        else:
            question = pick(rng, ("What do the pips on all dice add up to?", "How many pips are there in total?"))
        terms = [value for value, counts in zip(values, counted, strict=True) if counts]
        return Draft(question, str(sum(terms)), (canvas.image(),), one_sum(terms))

    @staticmethod
    def _die(canvas: Canvas, centre: Point, turn: float, value: int, colour: Colour) -> None:
        cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))

        def at(x: float, y: float) -> Point:
            return float(centre[0] + x * cosine - y * sine), float(centre[1] + x * sine + y * cosine)

        half, bevel = 10.4, 2.5
        corners = [
            at(sx * half - (bevel * sx if first else 0), sy * half - (0 if first else bevel * sy))
            for sx, sy, order in ((1, -1, (1, 0)), (1, 1, (0, 1)), (-1, 1, (1, 0)), (-1, -1, (0, 1)))
            for first in order
        ]
        canvas.polygon(corners, colour, mixed(colour, INK, 0.5), 0.7)
        for x, y in PIPS[value]:
            canvas.disc(at(x * 5.3, y * 5.3), 1.9, WHITE)
