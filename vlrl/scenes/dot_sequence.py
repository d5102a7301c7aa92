"""Domain `dot_sequence`: how many dots has the next figure?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vlrl.scenes.canvas import GREY, INK, NAMED, PAPERS, WHITE, Canvas
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick
from vlrl.types import Draft

WORDINGS = (
    "How many dots does the next figure have?",
    "The figures follow a rule. How many dots belong in the last box?",
)


@domain("dot_sequence", family="patterns")
@dataclass(frozen=True)
class DotSequence:
    """Figures of dots that grow by a rule; the thought counts them and continues: `2 5 8 8+3=11`.

    size  pixels in width; the image is half as high
    """

    size: int = 336

    verifier = "number"

    def __post_init__(self) -> None:
        check_at_least("domain 'dot_sequence', size", self.size, 160)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One row. Difficulty 0: the same number is added; .5: also taken away; 1: steps that grow, doubling, sums."""
        if difficulty < 0.35:
            kind = "add"
        elif difficulty < 0.7:
            kind = pick(rng, ("add", "take", "growing"))
        else:
            kind = pick(rng, ("growing", "double", "previous"))
        while True:
            counts, last_step = self._sequence(rng, kind)
            *shown, answer = counts
            if self.answers(shown) == {str(answer)}:
                break
        canvas = Canvas(self.size, pick(rng, PAPERS), height=50)
        colour = pick(rng, tuple(NAMED.values()))
        scattered = bool(rng.integers(2))
        for i in range(5):
            left = 2.5 + i * 19.4
            canvas.box(left, 12, left + 17.4, 38, WHITE, GREY)
            if i == 4:
                canvas.text((left + 8.7, 25), "?", 12, INK, bold=True)
                continue
            columns = 4 if shown[i] <= 20 else 5
            rows = 5 if shown[i] <= 20 else 7
            places = rng.permutation(columns * rows)[: shown[i]].tolist() if scattered else range(shown[i])
            for place in places:
                row, column = divmod(place, columns)
                if not scattered:
                    row = rows - 1 - row
                x = left + 0.7 + 16 * (column + 0.5) / columns
                y = 12.7 + 24.6 * (row + 0.5) / rows
                canvas.disc((x, y), 1.75 if rows == 5 else 1.3, colour)
        thought = f"{' '.join(map(str, shown))} {last_step}"
        return Draft(pick(rng, WORDINGS), str(answer), (canvas.image(),), thought, scene=shown)

    def answers(self, scene: list[int]) -> set[str]:
        """How every rule that the shown numbers follow goes on: steps that are equal, grow evenly or by a factor;
        numbers with one ratio; sums of the two before."""
        steps = [b - a for a, b in pairwise(scene)]
        found = set()
        if steps[2] - steps[1] == steps[1] - steps[0]:
            found.add(scene[3] + 2 * steps[2] - steps[1])
        if all(b * scene[0] == a * scene[1] for a, b in pairwise(scene)):
            found.add(scene[3] * scene[1] // scene[0])
        if steps[0] and steps[1] % steps[0] == 0 and steps[1] ** 2 == steps[0] * steps[2]:
            found.add(scene[3] + steps[2] * steps[1] // steps[0])
        if scene[2] == scene[0] + scene[1] and scene[3] == scene[1] + scene[2]:
            found.add(scene[2] + scene[3])
        return {str(number) for number in found}

    @staticmethod
    def _sequence(rng: np.random.Generator, kind: str) -> tuple[list[int], str]:
        """Five numbers, the first four in 1..35, and the step to the last."""
        start, step = int(rng.integers(1, 8)), int(rng.integers(1, 6))
        if kind == "add":
            counts = [start + i * step for i in range(5)]
            return counts, f"{counts[3]}+{step}={counts[4]}"
        if kind == "take":
            step = int(rng.integers(1, 5))
            counts = [start + (4 - i) * step for i in range(5)]
            return counts, f"{counts[3]}-{step}={counts[4]}"
        if kind == "growing":
            step, more = int(rng.integers(1, 4)), int(rng.integers(1, 4))
            counts = [start]
            for i in range(4):
                counts.append(counts[-1] + step + i * more)
            return counts, f"{step + 2 * more}+{more}={step + 3 * more} {counts[3]}+{step + 3 * more}={counts[4]}"
        if kind == "double":
            start = int(rng.integers(1, 5))
            counts = [start * 2**i for i in range(5)]
            return counts, f"{counts[3]}*2={counts[4]}"
        counts = [int(rng.integers(1, 7)), int(rng.integers(1, 8))]
        while len(counts) < 5:
            counts.append(counts[-1] + counts[-2])
        return counts, f"{counts[2]}+{counts[3]}={counts[4]}"
