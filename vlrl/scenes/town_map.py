"""Domain `town_map`: streets, landmarks and a compass: where does a walk end, what lies north of what?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, WHITE, Canvas, Colour, Point, mixed, towards
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, either, pick, scaled, shuffled
from vlrl.types import Draft

BUILDINGS = ("school", "bank", "museum", "bakery", "library", "station", "hotel", "theatre", "church", "cinema")
NORTH = 0
WAYS = ("north", "east", "south", "west")
STEPS = ((-1, 0), (0, 1), (1, 0), (0, -1))  # rows and columns on a map whose top is north
GROUND: Colour = (232, 238, 222)
Corner = tuple[int, int]


@domain("town_map", family="maps")
@dataclass(frozen=True)
class TownMap:
    """A walk by the compass over a grid of streets; the thought names the corner after each leg.

    size  pixels, square
    """

    size: int = 288

    verifier = "choice"
    one_answer = "a walk by compass and blocks ends at one corner, and a corner has one building"

    def __post_init__(self) -> None:
        check_at_least("domain 'town_map', size", self.size, 160)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One map. Difficulty 0: one leg, north is up; .5: two legs; 1: four legs, and the compass is turned."""
        side, legs = scaled((4, 5), difficulty), scaled((1, 4), difficulty)
        turn = int(rng.integers(4)) if difficulty >= 0.75 else NORTH  # quarter turns of the compass, clockwise
        corners = [(i // side, i % side) for i in rng.permutation(side * side).tolist()]
        places = dict(zip(corners[:6], shuffled(rng, BUILDINGS), strict=False))
        while True:
            start = pick(rng, corners[:6])
            walk = _walk(rng, start, legs, side, turn)
            if walk is not None and walk[1] in places and walk[1] != start:
                break
        said, goal, passed = walk
        answer = places[goal]
        others = shuffled(rng, [b for c, b in places.items() if c not in (start, goal)])[:3]
        choices = shuffled(rng, [answer, *others])
        canvas = Canvas(self.size, GROUND)
        self._streets(canvas, rng, side)
        for corner in places:
            canvas.disc(_at(corner, side), 2.6, NAMED["red"], mixed(NAMED["red"], INK, 0.4))
        self._compass(canvas, turn)
        for corner, name in places.items():
            x, y = _at(corner, side)
            if not canvas.place([(x, y - 5.5), (x, y + 5.5)], name, 3.9, INK):
                return self.draw(rng, difficulty)
        route = ", then ".join(f"{n} block{'s' * (n > 1)} {way}" for way, n in said)
        question = pick(
            rng,
            (
                "Start at the {0} and walk {1}. Where do you arrive: {2}?",
                "From the {0}, go {1}. Which building is there: {2}?",
            ),
        )
        thought = " ".join([*(f"({row + 1}, {column + 1})" for row, column in passed), answer])
        return Draft(
            question.format(places[start], route, either(choices)),
            answer,
            (canvas.image(),),
            thought,
            metadata={"choices": choices},
            guess_rate=0.25,
        )

    @staticmethod
    def _streets(canvas: Canvas, rng: np.random.Generator, side: int) -> None:
        for i in range(side):
            for a, b in (((i, 0), (i, side - 1)), ((0, i), (side - 1, i))):
                canvas.line(_at(a, side), _at(b, side), mixed(INK, WHITE, 0.72), 3.4)
        for i in range(side):
            for a, b in (((i, 0), (i, side - 1)), ((0, i), (side - 1, i))):
                canvas.line(_at(a, side), _at(b, side), WHITE, 2.6)
        for row in range(side - 1):
            for column in range(side - 1):
                x, y = _at((row + 0.5, column + 0.5), side)
                kind = pick(rng, ("park", "trees", "houses", "none"))
                if kind == "park":
                    canvas.disc((x, y), 4.5, (190, 222, 170))
                elif kind == "trees":
                    for dx, dy in ((-2.5, -1), (2, -2), (0, 2.5)):
                        canvas.disc((x + dx, y + dy), 1.7, (140, 190, 130))
                elif kind == "houses":
                    canvas.box(x - 4, y - 2.5, x - 0.5, y + 2.5, (214, 200, 186))
                    canvas.box(x + 0.8, y - 3.5, x + 4, y + 1, (205, 190, 178))

    @staticmethod
    def _compass(canvas: Canvas, turn: int) -> None:
        centre: Point = (92.0, 92.0)
        canvas.disc(centre, 6.5, WHITE, mixed(INK, WHITE, 0.5))
        tip = towards(centre, 90 * turn, 5.4)
        canvas.polygon([tip, towards(centre, 90 * turn + 90, 1.5), towards(centre, 90 * turn - 90, 1.5)], NAMED["red"])
        foot = towards(centre, 90 * turn + 180, 5.4)
        canvas.polygon([foot, towards(centre, 90 * turn + 90, 1.5), towards(centre, 90 * turn - 90, 1.5)], INK)
        x, y = towards(centre, 90 * turn, 9.2) if turn in (0, 3) else towards(centre, 90 * turn + 180, 9.2)
        letter = "N" if turn in (0, 3) else "S"  # the letter that has room on the page
        canvas.text((x, y), letter, 4.4, INK, bold=True)


def _at(corner: tuple[float, float], side: int) -> Point:
    step = 72 / (side - 1)  # the last corner, its label and the compass beside it do not touch
    return 12 + corner[1] * step, 10.5 + corner[0] * step


def _walk(
    rng: np.random.Generator, start: Corner, legs: int, side: int, turn: int
) -> tuple[list[tuple[str, int]], Corner, list[Corner]] | None:
    """Legs as (compass direction, blocks), where they end, and all corners passed; None where they leave the map."""
    here, said, passed = start, [], [start]
    way = int(rng.integers(4))
    for _ in range(legs):
        blocks = int(rng.integers(1, 4))
        down, right = STEPS[(way + turn) % 4]
        here = (here[0] + down * blocks, here[1] + right * blocks)
        if not all(0 <= c < side for c in here):
            return None
        said.append((WAYS[way], blocks))
        passed.append(here)
        way = (way + pick(rng, (1, 3))) % 4
    return said, here, passed
