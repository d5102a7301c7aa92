"""Domain `rings`: how many figures lie inside one ring, both, or one but not the other?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vlrl.scenes.canvas import NAMED, PAPERS, Canvas, Point, mixed, towards
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled, shuffled
from vlrl.scenes.figures import FIGURES, PLURALS, figure
from vlrl.types import Draft

MOST = 5
HALF = 2.9  # a figure reaches so far from its middle


@domain("rings", family="space")
@dataclass(frozen=True)
class Rings:
    """Containment in overlapping rings; the thought gives the counts inside and what is left: `5-2=3`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"

    def __post_init__(self) -> None:
        check_at_least("domain 'rings', size", self.size, 128)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One image. Difficulty 0: one ring; .5: two that overlap; 1: three, and one kind of figure is asked."""
        rings = _rings(rng, scaled((1, 3), difficulty))
        names = shuffled(rng, ("red", "blue", "green", "purple"))[: len(rings)]
        kinds = shuffled(rng, FIGURES)[:3]
        one_kind = difficulty >= 0.75
        answer = int(rng.integers(MOST + 1))
        both = len(rings) > 1 and bool(rng.integers(2))
        without = len(rings) > 1 and not both

        def asked(inside: list[bool]) -> bool:
            return inside[0] and (inside[1] if both else not inside[1] if without else True)

        def figures() -> list[tuple[Point, str]] | None:
            placed: list[tuple[Point, str]] = []
            for is_asked in wanted:
                in_part = is_asked or (one_kind and rng.random() < 0.4)
                place = _free_place(rng, rings, [p for p, _ in placed], asked, in_part)
                if place is None:
                    return None
                kind = pick(rng, kinds)
                if one_kind:  # others lie in the asked part, and some of the asked kind outside it
                    kind = kinds[0] if is_asked or (not in_part and rng.random() < 0.5) else pick(rng, kinds[1:])
                placed.append((place, kind))
            return placed

        # fewer in the part that is asked, more elsewhere: the amount of ink doesn't tell how many are counted
        elsewhere = int(rng.integers(3, 6)) + int(rng.integers(MOST - answer + 1))
        wanted = [True] * answer + [False] * elsewhere
        while (placed := figures()) is None:
            rings = _rings(rng, len(rings))
        counted = [_inside(place, rings) for place, kind in placed if not one_kind or kind == kinds[0]]
        counts = sum(i[0] for i in counted), sum(all(i[:2]) for i in counted)
        canvas = Canvas(self.size, pick(rng, PAPERS))
        for (centre, radius), name in zip(rings, names, strict=True):
            canvas.ring(centre, radius, NAMED[name], 1.2)
        for place, kind in placed:
            shade = mixed(pick(rng, (NAMED["yellow"], NAMED["orange"], NAMED["brown"])), (90, 90, 90), 0.25)
            figure(canvas, kind, place, HALF, shade, float(rng.uniform(-12, 12)))
        what = PLURALS[kinds[0]] if one_kind else "figures"
        where = f"inside the {names[0]} ring"
        if both:
            where = f"inside both the {names[0]} and the {names[1]} ring"
        elif without:
            where += f" but outside the {names[1]} one"
        question = pick(rng, ("How many {0} lie {1}?", "Count the {0} {1}.", "How many {0} are {1}?"))
        thought = f"{counts[0]}-{counts[1]}={answer}" if without else f"inside {answer}"
        kind = kinds[0] if one_kind else ""
        scene = {"figures": placed, "rings": rings, "kind": kind, "both": both, "without": without}
        return Draft(question.format(what, where), str(answer), (canvas.image(),), thought, scene=scene)

    def answers(self, scene: Any) -> set[str]:
        """The counts when a figure is inside a ring by its middle, wholly, or by any part of it."""
        found = set()
        for more in (-HALF, 0.0, HALF):
            rings = [(centre, radius + more) for centre, radius in scene["rings"]]
            inside = [_inside(place, rings) for place, kind in scene["figures"] if scene["kind"] in ("", kind)]
            if scene["both"]:
                found.add(sum(i[0] and i[1] for i in inside))
            else:
                found.add(sum(i[0] and not (scene["without"] and i[1]) for i in inside))
        return {str(count) for count in found}


def _rings(rng: np.random.Generator, count: int) -> list[tuple[Point, float]]:
    """Centres and radii; each ring overlaps each other one, and no part is too small for a few figures."""
    if count == 1:
        return [((float(rng.uniform(40, 60)), float(rng.uniform(40, 60))), float(rng.uniform(26, 34)))]
    radius, apart = (29.0, 17.5) if count == 2 else (28.0, 18.0)
    start = float(rng.uniform(0, 360))
    return [
        (towards((50, 50), start + 360 * i / count, apart), radius * float(rng.uniform(0.95, 1.05)))
        for i in range(count)
    ]


def _inside(place: Point, rings: list[tuple[Point, float]]) -> list[bool]:
    return [math.dist(place, centre) < radius for centre, radius in rings]


def _free_place(
    rng: np.random.Generator,
    rings: list[tuple[Point, float]],
    taken: list[Point],
    asked: Callable[[list[bool]], bool],
    wanted: bool,
) -> Point | None:
    """A place clear of all lines and other figures, inside the asked part if `wanted`, else outside; None if full."""
    for x, y in rng.uniform(6, 94, size=(160, 2)).tolist():
        if asked(_inside((x, y), rings)) != wanted:
            continue
        if min(abs(math.dist((x, y), c) - r) for c, r in rings) < HALF * 1.7:
            continue
        if all(math.dist((x, y), other) > HALF * 2.6 for other in taken):
            return x, y
    return None
