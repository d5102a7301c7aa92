"""Domain `find_point`: point at the figure that is described by its place among others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import PAPERS, Canvas
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.scenes.figures import PLURALS
from vlrl.scenes.scattered import Spot, scatter
from vlrl.types import Draft

WORDINGS = (
    "Point at the {}. Answer as (x, y) in thousandths of the picture.",
    "Where is the {}? Give one point (x, y) on it, with 1000 for the whole width or height.",
    "Give a point (x, y) inside the {}, on a scale from 0 to 1000.",
)


@domain("find_point", family="grounding")
@dataclass(frozen=True)
class FindPoint:
    """A point inside the box of one figure.

    size  pixels, square; the answer does not depend on it
    """

    size: int = 288

    verifier = "point"

    def __post_init__(self) -> None:
        check_at_least("domain 'find_point', size", self.size, 96)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """Figures. Difficulty 0: two large ones, by colour and form; from .6 on: the leftmost … of one form."""
        count = scaled((3, 12), difficulty)
        while True:
            spots = scatter(rng, count, 10 - 5.5 * difficulty, 16 - 7 * difficulty)
            target, noun = spots[0], f"{spots[0].colour} {spots[0].form}"
            if difficulty < 0.6:
                break
            alike = [s for s in spots if s.form == spots[0].form]
            word, axis, last = pick(rng, (("leftmost", 0, 0), ("rightmost", 0, 1), ("highest", 1, 0), ("lowest", 1, 1)))
            ranked = sorted(alike, key=lambda s: s.place[axis], reverse=bool(last))
            target, noun = ranked[0], f"{word} of the {PLURALS[ranked[0].form]}"
            if len(ranked) > 2 and _apart(ranked, axis):
                break
        canvas = Canvas(self.size, pick(rng, PAPERS))
        for i in rng.permutation(count).tolist():
            spots[i].show(canvas)
        x, y = (round(c * 10) for c in target.place)
        facts = {"region": list(target.box)}
        thought = f"{target.colour} {target.form} ({x}, {y})"
        return Draft(pick(rng, WORDINGS).format(noun), f"({x}, {y})", (canvas.image(),), thought, facts=facts)


def _apart(ranked: list[Spot], axis: int) -> bool:
    """Whether the first of the figures lies clearly ahead of the second."""
    return abs(ranked[0].place[axis] - ranked[1].place[axis]) > 4
