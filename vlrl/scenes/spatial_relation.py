"""Domain `spatial_relation`: where is one shape, seen from another?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vlrl.scenes.cells import COLOURS, SHAPES, Item, check_grid, draw_items
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import pick, scaled, shuffled
from vlrl.types import Draft

PLACES = ("left", "right", "above", "below")


@domain("spatial_relation", family="space")
@dataclass(frozen=True)
class SpatialRelation:
    """Is red left of blue? The thought compares the two columns or rows, counted from 1: `1<3`.

    size   pixels, square
    cells  cells a side
    """

    size: int = 240
    cells: int = 3

    verifier = "choice"

    def __post_init__(self) -> None:
        check_grid("domain 'spatial_relation'", self.size, self.cells)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One grid. Difficulty 0: two shapes, yes or no; from .5 on one of four places; 1: four further shapes."""
        first, second, *others = shuffled(rng, tuple(COLOURS)[:4])
        place = pick(rng, PLACES)
        near, far = np.sort(rng.permutation(self.cells)[:2]).tolist()
        ahead, behind = (near, far) if place in ("left", "above") else (far, near)  # `first` stands at `ahead`
        across = rng.integers(self.cells, size=2).tolist()
        one_of_four = difficulty >= 0.5
        if one_of_four:
            across[1] = across[0]  # on one line, so that a single place is right
        by_column = place in ("left", "right")
        spots = [(c, p) if by_column else (p, c) for p, c in zip((ahead, behind), across, strict=True)]
        taken = [row * self.cells + column for row, column in spots]
        distractors = min(scaled((0, 4), difficulty), self.cells**2 - 2)
        free = [n for n in rng.permutation(self.cells**2).tolist() if n not in taken][:distractors]
        shapes = rng.integers(4, size=2 + distractors).tolist()
        colours = [first, second] + [others[i % 2] for i in range(distractors)]
        items = [Item(n, SHAPES[s], c) for n, s, c in zip(taken + free, shapes, colours, strict=True)]
        if one_of_four:
            question = f"Is the {first} shape to the left of, to the right of, above or below the {second} one?"
            choices, answer = list(PLACES), place
        else:
            truth = bool(rng.integers(2))
            claim = place if truth else {"left": "right", "right": "left", "above": "below", "below": "above"}[place]
            words = f"to the {claim} of" if by_column else claim
            question = pick(
                rng, ("Is the {} shape {} the {} one?", "Yes or no: the {} shape is {} the {} one.")
            ).format(first, words, second)
            choices, answer = ["yes", "no"], "yes" if truth else "no"
        sign = "<" if ahead < behind else ">"
        return Draft(
            question,
            answer,
            (draw_items(rng, self.size, self.cells, items),),
            f"{ahead + 1}{sign}{behind + 1}",
            metadata={"choices": choices},
            guess_rate=1 / len(choices),
            scene={"spots": spots, "claim": None if one_of_four else claim},
        )

    def answers(self, scene: Any) -> set[str]:
        """Every place that fits the two cells; for a claim, whether it is one of them."""
        (row, column), (to_row, to_column) = scene["spots"]
        fits = {"left": column < to_column, "right": column > to_column, "above": row < to_row, "below": row > to_row}
        if scene["claim"] is not None:
            return {"yes" if fits[scene["claim"]] else "no"}
        return {place for place, holds in fits.items() if holds}
