"""Domain `billiard`: which letter does a ball hit that bounces off the cushions?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, WHITE, Canvas, Point, mixed
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, either, pick, scaled, shuffled
from vlrl.types import Draft

ACROSS, DOWN = 12, 9  # squares of the table
WAYS = ((1, 1), (2, 1), (1, 2), (3, 2), (2, 3))
APART = 1.4  # squares between two letters, and between a letter and a cushion that the ball touches before
CLOTHS = ((46, 125, 90), (36, 104, 140), (120, 60, 70), (92, 84, 130))
SIDES = {"l": "left", "r": "right", "t": "top", "b": "bottom"}
WORDINGS = (
    "The ball rolls along the arrow and every edge throws it back like a mirror. Which letter does it hit first: {}?",
    "Nothing slows the ball down, and every edge turns it like a mirror. Which of the letters does it meet first: {}?",
    "Follow the ball from edge to edge. At which letter does it arrive first: {}?",
)
Spot = tuple[Fraction, Fraction]  # a place in squares from the left and from the top


@domain("billiard", family="trajectories")
@dataclass(frozen=True)
class Billiard:
    """A straight path with bounces; wrong letters lie where it would go on. The thought names the edges: `top right B`.

    size  pixels, square
    """

    size: int = 288

    verifier = "choice"
    one_answer = "a ball that loses no speed has one path, and no wrong letter lies near an earlier bounce"

    def __post_init__(self) -> None:
        check_at_least("domain 'billiard', size", self.size, 160)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One table. Difficulty 0: straight to the letter or one bounce; .5: two; 1: four or five."""
        bounces = scaled((0, 4), difficulty) + int(rng.integers(2))
        while True:
            x, y = int(rng.integers(2, ACROSS - 1)), int(rng.integers(2, DOWN - 1))
            wide, high = pick(rng, WAYS)
            way = (wide * pick(rng, (1, -1)), high * pick(rng, (1, -1)))
            path = _contacts((Fraction(x), Fraction(y)), way, bounces + 6)
            if path is None:
                continue
            goal, before = path[bounces], path[:bounces]
            if any(_near(goal, spot) for spot in before):
                continue
            wrong: list[Spot] = []
            for spot in [*shuffled(rng, path[bounces + 1 :]), *(_rim(rng) for _ in range(30))]:
                if len(wrong) < 3 and not any(_near(spot, other) for other in (*before, goal, *wrong)):
                    wrong.append(spot)
            if len(wrong) == 3:
                break
        spots = shuffled(rng, [goal, *wrong])
        choices = list("ABCD")
        answer = choices[spots.index(goal)]
        canvas = Canvas(self.size, pick(rng, ((247, 244, 238), (238, 243, 247), (245, 245, 245))))
        cloth = pick(rng, CLOTHS)
        wood = (122, 84, 52)
        (left, top), (right, bottom) = _at((Fraction(0), Fraction(0))), _at((Fraction(ACROSS), Fraction(DOWN)))
        canvas.box(left - 3, top - 3, right + 3, bottom + 3, wood, mixed(wood, INK, 0.5))
        canvas.box(left, top, right, bottom, cloth)
        faint = mixed(cloth, WHITE, 0.16)
        for i in range(1, ACROSS):
            canvas.line(_at((Fraction(i), Fraction(0))), _at((Fraction(i), Fraction(DOWN))), faint, 0.3)
        for i in range(1, DOWN):
            canvas.line(_at((Fraction(0), Fraction(i))), _at((Fraction(ACROSS), Fraction(i))), faint, 0.3)
        for letter, spot in zip(choices, spots, strict=True):
            sx, sy = _at(spot)
            out = {"l": (-4.6, 0), "r": (4.6, 0), "t": (0, -4.6), "b": (0, 4.6)}[_side(spot)]
            canvas.disc((sx, sy), 1.2, NAMED["yellow"], INK, 0.3)
            canvas.disc((sx + out[0], sy + out[1]), 4.0, INK)
            canvas.text((sx + out[0], sy + out[1]), letter, 5.2, WHITE, bold=True)
        start = _at((Fraction(x), Fraction(y)))
        long = math.hypot(*way)
        unit = (way[0] / long, way[1] / long)
        tip = (start[0] + unit[0] * 10, start[1] + unit[1] * 10)
        canvas.line(start, tip, WHITE, 0.9)
        canvas.arrow_head(
            (tip[0] + unit[0] * 2, tip[1] + unit[1] * 2), math.degrees(math.atan2(unit[0], -unit[1])), 4, WHITE
        )
        canvas.disc(start, 2.2, WHITE, mixed(INK, WHITE, 0.3), 0.4)
        thought = " ".join([*(SIDES[_side(spot)] for spot in before), answer])
        return Draft(
            pick(rng, WORDINGS).format(either(choices)),
            answer,
            (canvas.image(),),
            thought,
            metadata={"choices": choices},
            guess_rate=0.25,
        )


def _contacts(start: Spot, way: tuple[int, int], count: int) -> list[Spot] | None:
    """The first `count` places where the ball touches an edge, or None if it runs into a corner or close to one."""
    here, (dx, dy), found = start, way, []
    for _ in range(count):
        across = ((ACROSS if dx > 0 else 0) - here[0]) / dx
        down = ((DOWN if dy > 0 else 0) - here[1]) / dy
        step = min(across, down)
        here = here[0] + dx * step, here[1] + dy * step
        in_corner = min(here[0], ACROSS - here[0]) < Fraction(1, 2) and min(here[1], DOWN - here[1]) < Fraction(1, 2)
        if in_corner:
            return None
        dx, dy = (-dx, dy) if across < down else (dx, -dy)
        found.append(here)
    return found


def _side(spot: Spot) -> str:
    return "l" if spot[0] == 0 else "r" if spot[0] == ACROSS else "t" if spot[1] == 0 else "b"


def _near(one: Spot, other: Spot) -> bool:
    return math.dist((float(one[0]), float(one[1])), (float(other[0]), float(other[1]))) < APART


def _rim(rng: np.random.Generator) -> Spot:
    if rng.random() < 0.57:
        return Fraction(int(rng.integers(2, 2 * ACROSS - 1)), 2), Fraction(pick(rng, (0, DOWN)))
    return Fraction(pick(rng, (0, ACROSS))), Fraction(int(rng.integers(2, 2 * DOWN - 1)), 2)


def _at(spot: Spot) -> Point:
    """Squares are 6.6 hundredths wide; the table stands in the middle."""
    return 50 + (float(spot[0]) - ACROSS / 2) * 6.6, 50 + (float(spot[1]) - DOWN / 2) * 6.6
