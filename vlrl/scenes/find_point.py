"""Domain `find_point`: point at the figure that is described by its place among others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vlrl.scenes.canvas import PAPERS, Canvas
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.scenes.figures import PLURALS
from vlrl.scenes.scattered import Spot, scatter
from vlrl.types import Draft

CLEAR = 30  # thousandths of the image by which a figure is ahead of the others
SCALE = " x runs from 0 at the left edge to 1000 at the right one, y from 0 at the top to 1000 at the bottom."
WORDINGS = (
    "Point at the {}. Answer as (x, y)." + SCALE,
    "Where is the {}? Give one point (x, y) on it." + SCALE,
    "Give a point (x, y) inside the {}." + SCALE,
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
            word, axis, last = pick(
                rng, (("leftmost", 0, 0), ("rightmost", 0, 1), ("topmost", 1, 0), ("bottommost", 1, 1))
            )
            ranked = sorted(alike, key=lambda s: s.place[axis], reverse=bool(last))
            target, noun = ranked[0], f"{word} of the {PLURALS[ranked[0].form]}"
            if len(ranked) > 2 and self.answers({"spots": spots, "noun": noun}) == {_middle(target)}:
                break
        canvas = Canvas(self.size, pick(rng, PAPERS))
        for i in rng.permutation(count).tolist():
            spots[i].show(canvas)
        answer = _middle(target)
        return Draft(
            pick(rng, WORDINGS).format(noun),
            answer,
            (canvas.image(),),
            f"{target.colour} {target.form} {answer}",
            metadata={"region": list(target.box), "coordinates": "0-1000"},
            scene={"spots": spots, "noun": noun},
        )

    def answers(self, scene: Any) -> set[str]:
        """The middles of all figures that the noun may mean: by the middle, by the near or by the far edge."""
        spots, noun = scene["spots"], scene["noun"]
        word, _, plural = noun.partition(" of the ")
        if not plural:
            return {_middle(s) for s in spots if noun == f"{s.colour} {s.form}"}
        alike = [s for s in spots if PLURALS[s.form] == plural]
        sign = 1 if word in ("leftmost", "topmost") else -1
        axis = 0 if word in ("leftmost", "rightmost") else 1
        found = set()
        for measure in (lambda s: 10 * s.place[axis], lambda s: s.box[axis], lambda s: s.box[axis + 2]):
            first = min(sign * measure(s) for s in alike)
            found |= {_middle(s) for s in alike if sign * measure(s) < first + CLEAR}
        return found


def _middle(spot: Spot) -> str:
    x, y = (round(c * 10) for c in spot.place)
    return f"({x}, {y})"
