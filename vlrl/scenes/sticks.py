"""Domain `sticks`: sticks that lie across each other; which one is on top?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, PAPERS, WHITE, Canvas, Point, mixed, towards
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, either, pick, scaled, shuffled
from vlrl.types import Draft

RANKS = ("first", "second", "third", "fourth", "fifth")
Stick = tuple[Point, float, float]  # centre, direction in degrees, half its length


@domain("sticks", family="occlusion")
@dataclass(frozen=True)
class Sticks:
    """Every stick crosses every other, so their order is fixed; the thought names them from the top down.

    size  pixels, square
    """

    size: int = 288

    verifier = "choice"
    one_answer = "each stick crosses every other, so their order from the top is fixed"

    def __post_init__(self) -> None:
        check_at_least("domain 'sticks', size", self.size, 96)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One heap. Difficulty 0: three sticks, the top one; .5: four, top or bottom; 1: five, any place."""
        count = scaled((3, 5), difficulty)
        sticks = _crossing(rng, count)
        names = shuffled(rng, tuple(NAMED)[:6])[:count]  # from the top down
        if difficulty < 0.3:
            rank, asks = (
                0,
                ("Which stick lies on top of all others", "Which stick can be lifted without moving another one"),
            )
        elif difficulty < 0.75:
            rank = pick(rng, (0, count - 1))
            asks = (
                ("Which stick lies on top of all others", "Which stick has no other stick above it")
                if rank == 0
                else ("Which stick lies at the very bottom", "Which stick lies under all others")
            )
        else:
            rank = int(rng.integers(count))
            asks = (
                f"Which stick is {RANKS[rank]} from the top",
                f"If the sticks are picked up from the top, which one comes {RANKS[rank]}",
            )
        canvas = Canvas(self.size, pick(rng, PAPERS))
        for (centre, degrees, half), name in zip(reversed(sticks), reversed(names), strict=True):
            _stick(canvas, centre, degrees, half, name)
        choices = shuffled(rng, names)
        return Draft(
            f"{pick(rng, asks)}: {either(choices)}?",
            names[rank],
            (canvas.image(),),
            " ".join([*names, names[rank]] if rank else names[:1]),
            metadata={"choices": choices},
            guess_rate=1 / count,
        )


def _stick(canvas: Canvas, centre: Point, degrees: float, half: float, name: str) -> None:
    ends = towards(centre, degrees, half), towards(centre, degrees + 180, half)
    colour = NAMED[name]
    for width, shade in ((3.0, mixed(colour, INK, 0.55)), (2.2, colour), (0.7, mixed(colour, WHITE, 0.3))):
        sides = [towards(end, degrees + turn, width) for end in ends for turn in (-90, 90)]
        canvas.polygon([sides[0], sides[1], sides[3], sides[2]], shade)


def _crossing(rng: np.random.Generator, count: int) -> list[Stick]:
    """Sticks of which each pair crosses at a place of its own, well inside both."""
    while True:
        points, start = 3 if count == 3 else 5, float(rng.uniform(0, 360))  # along the sides of a star
        sticks = []
        for i in rng.permutation(points).tolist()[:count]:
            normal = start + 360 * i / points + float(rng.uniform(-8, 8))
            middle = towards((50, 50), normal, float(rng.uniform(5.5, 10)))
            sticks.append((middle, normal + 90, float(rng.uniform(35, 40))))
        places = [_meeting(a, b) for a, b in combinations(sticks, 2)]
        if any(p is None for p in places):
            continue
        if all(a and b and math.dist(a, b) > 7 for a, b in combinations(places, 2)):
            return sticks


def _meeting(a: Stick, b: Stick) -> Point | None:
    """Where two sticks cross; None where they do so near an end or not at all."""
    (ax, ay), (bx, by) = towards((0, 0), a[1], 1), towards((0, 0), b[1], 1)
    across = ax * by - ay * bx
    if abs(across) < 0.3:
        return None
    dx, dy = b[0][0] - a[0][0], b[0][1] - a[0][1]
    along, other = (dx * by - dy * bx) / across, (dx * ay - dy * ax) / across
    if abs(along) > a[2] - 5 or abs(other) > b[2] - 5:
        return None
    return a[0][0] + along * ax, a[0][1] + along * ay
