"""Domain `bars`: read the heights of three bars and work with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from vlrl.scenes.cells import COLOURS, LINE, PAPER
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, shuffled
from vlrl.types import Draft

HIGHEST = 9


@domain("bars", family="charts")
@dataclass(frozen=True)
class Bars:
    """Three bars of whole heights 1..9, each in its own third of the image; the thought is one step: `7-4=3`.

    size   pixels, square; one unit of height is size × 5 / 48 px, so 5 px at 48
    """

    size: int = 240

    verifier = "number"
    one_answer = "heights are whole numbers of guide lines"

    def __post_init__(self) -> None:
        check_at_least("domain 'bars', size", self.size, 48)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One chart. Difficulty 0: read a height; .5: a difference; 1: a sum of all, or the widest difference."""
        colours = shuffled(rng, tuple(COLOURS)[:4])[:3]
        heights = (rng.integers(HIGHEST, size=3) + 1).tolist()
        a, b, c = shuffled(rng, (0, 1, 2))
        if difficulty < 0.3:
            question = pick(rng, ("Height of {}?", "How high is {}?")).format(colours[a])
            answer, thought = heights[a], f"{colours[a]} {heights[a]}"
        elif difficulty < 0.75:
            answer = int(rng.integers(HIGHEST))  # the answer first: small differences would be the likely ones
            heights[a] = int(rng.integers(answer + 1, HIGHEST + 1))
            heights[b] = heights[a] - answer
            question = pick(rng, ("{} minus {}?", "How much higher is {} than {}?")).format(colours[a], colours[b])
            thought = f"{heights[a]}-{heights[b]}={answer}"
        elif rng.random() < 0.5:
            first, second, third = heights
            answer = first + second + third
            question = pick(rng, ("Sum of all bars?", "Add all bars."))
            thought = f"{first}+{second}={first + second} {first + second}+{third}={answer}"
        else:
            answer = int(rng.integers(HIGHEST))
            heights[a] = int(rng.integers(answer + 1, HIGHEST + 1))
            heights[b] = heights[a] - answer
            heights[c] = int(rng.integers(heights[b], heights[a] + 1))
            question = pick(rng, ("Highest minus lowest bar?", "Highest bar minus lowest bar?"))
            thought = f"{heights[a]}-{heights[b]}={answer}"
        return Draft(question, str(answer), (self._chart(heights, colours),), thought)

    def _chart(self, heights: list[int], colours: list[str]) -> Pillow.Image:
        image = np.full((self.size, self.size, 3), PAPER, np.uint8)
        floor, column = self.size - self.size // 48, self.size // 3
        if self.size >= 96:  # guide lines help only where they don't fill the gaps
            for level in range(1, HIGHEST + 1):
                image[floor - level * self.size * 5 // 48] = LINE
        margin = column // 8
        for i, (height, colour) in enumerate(zip(heights, colours, strict=True)):
            top = floor - height * self.size * 5 // 48
            image[top:floor, i * column + margin : (i + 1) * column - margin] = COLOURS[colour]
        image[floor:] = COLOURS["black"]
        return Pillow.fromarray(image)
