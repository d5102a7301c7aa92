"""Domain `find_box`: draw a box around the figure that is described."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vlrl.scenes.canvas import PAPERS, Canvas
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.scenes.scattered import scatter
from vlrl.types import Draft

WORDINGS = (
    "Where is the {}? Answer with its box [left, top, right, bottom]. The image runs from [0, 0] to [1000, 1000].",
    "Give the bounding box of the {} as [left, top, right, bottom], in thousandths of the image from its top left.",
    "Find the {} and give its box [left, top, right, bottom] on a scale from 0 (top left) to 1000 (bottom right).",
)


@domain("find_box", family="grounding")
@dataclass(frozen=True)
class FindBox:
    """The box of one figure, right at an overlap (IoU) of a half or more.

    size  pixels, square; the answer does not depend on it
    """

    size: int = 288

    verifier = "box"

    def __post_init__(self) -> None:
        check_at_least("domain 'find_box', size", self.size, 96)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """Figures. Difficulty 0: two large ones; 1: fourteen of all sizes that share colour or form."""
        count = scaled((2, 14), difficulty)
        spots = scatter(rng, count, 10 - 6 * difficulty, 18 - 8 * difficulty)
        canvas = Canvas(self.size, pick(rng, PAPERS))
        for i in rng.permutation(count).tolist():
            spots[i].show(canvas)
        answer = list(spots[0].box)
        noun = f"{spots[0].colour} {spots[0].form}"
        metadata = {"threshold": 0.5, "coordinates": "0-1000"}
        return Draft(
            pick(rng, WORDINGS).format(noun),
            str(answer),
            (canvas.image(),),
            f"{noun} {answer}",
            metadata=metadata,
            scene={"spots": spots, "noun": noun},
        )

    def answers(self, scene: Any) -> set[str]:
        """The boxes of all figures of the asked colour and form."""
        return {str(list(s.box)) for s in scene["spots"] if f"{s.colour} {s.form}" == scene["noun"]}
