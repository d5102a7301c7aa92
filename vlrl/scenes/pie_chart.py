"""Domain `pie_chart`: which slice is the largest, the smallest, the second largest?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vlrl.scenes.canvas import NAMED, PAPERS, WHITE, Canvas, towards
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled, shuffled
from vlrl.types import Draft

RANKS = ("largest", "smallest", "second largest")


CLEAR = 2  # percent by which a slice is clearly larger than another


@domain("pie_chart", family="charts")
@dataclass(frozen=True)
class PieChart:
    """The colour of the slice with a given rank; the thought orders the slices by their share in percent.

    size  pixels, square
    """

    size: int = 288

    verifier = "choice"

    def __post_init__(self) -> None:
        check_at_least("domain 'pie_chart', size", self.size, 48)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One pie. Difficulty 0: three very unequal slices; 1: six, of which neighbours in rank differ by 3 percent."""
        slices = scaled((3, 6), difficulty)
        pairs = slices * (slices - 1) // 2
        gap = min(scaled((15, 3), difficulty), (100 - 5 * slices) // pairs)  # percent between neighbours in rank
        rest = 100 - gap * pairs
        shares = [rest // slices + gap * i for i in range(slices)]
        shares[-1] += rest % slices
        names = shuffled(rng, tuple(NAMED)[:7])[:slices]  # names[i] has shares[i], from small to large
        rank = pick(rng, RANKS[:2] if difficulty < 0.4 else RANKS)
        answer = names[{"largest": -1, "smallest": 0, "second largest": -2}[rank]]
        choices = shuffled(rng, names)
        question = pick(rng, ("Which slice is the {}: {}?", "What colour has the {} slice: {}?"))
        question = question.format(rank, f"{', '.join(choices[:-1])} or {choices[-1]}")

        canvas = Canvas(self.size, pick(rng, PAPERS))
        centre, radius = (50 + float(rng.uniform(-4, 4)), 50 + float(rng.uniform(-4, 4))), float(rng.uniform(36, 44))
        start = float(rng.uniform(0, 360))
        edges = []
        for i in rng.permutation(slices).tolist():
            end = start + 3.6 * shares[i]
            canvas.sector(centre, radius, start, end, NAMED[names[i]])
            edges.append(start)
            start = end
        for edge in edges:
            canvas.line(centre, towards(centre, edge, radius + 0.5), WHITE, 0.7)
        thought = ", ".join(f"{name} {share}" for name, share in zip(names[::-1], shares[::-1], strict=True))
        return Draft(
            question,
            answer,
            (canvas.image(),),
            thought,
            metadata={"choices": choices},
            guess_rate=1 / len(choices),
            scene=(rank, dict(zip(names, shares, strict=True))),
        )

    def answers(self, scene: Any) -> set[str]:
        """The slices that may have the rank when two shares are told apart only by `CLEAR` percent or more."""
        rank, shares = scene
        wanted = sorted(shares.values())[{"largest": -1, "smallest": 0, "second largest": -2}[rank]]
        return {name for name, share in shares.items() if abs(share - wanted) < CLEAR}
