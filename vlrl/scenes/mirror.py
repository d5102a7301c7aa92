"""Domain `mirror`: is the pattern the same on both sides of the line?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import GREY, INK, NAMED, PAPERS, WHITE, Canvas
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.types import Draft

CHOICES = ["yes", "no"]


@domain("mirror", family="patterns")
@dataclass(frozen=True)
class Mirror:
    """Coloured squares on both sides of a dashed line; the thought counts the squares that don't fit.

    size  pixels, square
    """

    size: int = 288

    verifier = "choice"

    def __post_init__(self) -> None:
        check_at_least("domain 'mirror', size", self.size, 96)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One pattern. Difficulty 0: 4 × 4, several squares differ; 1: 10 × 10, one square has moved."""
        side = 2 * scaled((2, 5), difficulty)
        half = side // 2
        colour = NAMED[pick(rng, ("red", "blue", "green", "purple"))]
        left = (rng.random((side, half)) < 0.45).astype(int)
        left[0, 0], left[1, 0] = 1, 0  # both kinds occur, so that squares can always change places
        right = left[:, ::-1].copy()
        symmetric = bool(rng.integers(2))
        if not symmetric:
            # Ink stays the same: one square is emptied and another one filled, or a few at the easy end.
            swaps = scaled((3, 1), difficulty)
            full, empty = np.argwhere(right == 1), np.argwhere(right == 0)
            swaps = min(swaps, len(full), len(empty))
            for chosen, value in ((full, 0), (empty, 1)):
                for place in rng.permutation(len(chosen))[:swaps].tolist():
                    right[tuple(chosen[place])] = value
        whole = np.concatenate([left, right], axis=1)
        wrong = int((left != right[:, ::-1]).sum())
        lying = bool(rng.integers(2)) if difficulty >= 0.4 else False
        if lying:
            whole = whole.T
        canvas = Canvas(self.size, pick(rng, PAPERS))
        cell = 88 / side
        canvas.box(6, 6, 94, 94, WHITE)
        for row, column in np.argwhere(whole).tolist():
            x, y = 6 + column * cell, 6 + row * cell
            canvas.box(x, y, x + cell, y + cell, colour)
        for i in range(side + 1):
            at = 6 + i * cell
            canvas.line((6, at), (94, at), GREY, 0.3)
            canvas.line((at, 6), (at, 94), GREY, 0.3)
        for i in range(12):
            a, b = 2 + i * 8.2, 2 + i * 8.2 + 5
            canvas.line((a, 50) if lying else (50, a), (b, 50) if lying else (50, b), INK, 1.2)
        question = pick(
            rng,
            ("Is the pattern symmetric about the dashed line?", "Are the two sides of the dashed line mirror images?"),
        )
        thought = "all squares match" if symmetric else f"{wrong} squares don't match"
        return Draft(
            f"{question} Yes or no.",
            "yes" if symmetric else "no",
            (canvas.image(),),
            thought,
            metadata={"choices": CHOICES},
            guess_rate=0.5,
            scene=whole if not lying else whole.T,
        )

    def answers(self, scene: np.ndarray) -> set[str]:
        """Whether the left half is the right one read backwards."""
        return {"yes" if (scene == scene[:, ::-1]).all() else "no"}
