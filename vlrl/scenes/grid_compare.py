"""Domain `grid_compare`: which of two colours occurs more often?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vlrl.errors import ConfigError
from vlrl.scenes.cells import COLOURS, SHAPES, Item, check_grid, draw_items
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import pick, scaled, shuffled
from vlrl.types import Draft

ASKED_COLOURS = tuple(COLOURS)[:4]


@domain("grid_compare", family="counting")
@dataclass(frozen=True)
class GridCompare:
    """More red or blue? The thought is the two counts: `3 2`.

    size   pixels, square
    cells  cells a side
    ties   whether the counts may be equal; "same" is then a third choice
    """

    size: int = 240
    cells: int = 3
    ties: bool = False

    verifier = "choice"

    def __post_init__(self) -> None:
        check_grid("domain 'grid_compare'", self.size, self.cells)
        if self.cells < 3:
            raise ConfigError("domain 'grid_compare', cells", f"got {self.cells}", "give at least 3")

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One grid. Difficulty 0: the counts differ by 3 or more; 1: by one, among shapes of a third colour."""
        asked = shuffled(rng, ASKED_COLOURS)
        first, second, other = asked[:3]
        choices = [first, second, "same"] if self.ties else [first, second]
        answer = int(rng.integers(len(choices)))
        room = self.cells**2
        gap = 0 if answer == 2 else scaled((3, 1), difficulty)
        if gap > 1 and rng.random() < 0.3:
            gap += 1
        distractors = scaled((0, room // 4), difficulty)
        fewer = (
            int(rng.integers((room - distractors - gap) // 2 + 1))
            if gap
            else int(rng.integers(1, (room - distractors) // 2 + 1))
        )
        counts = [fewer + gap, fewer] if answer == 0 else [fewer, fewer + gap]
        colours = [first] * counts[0] + [second] * counts[1] + [other] * distractors
        cells = rng.permutation(room)[: len(colours)].tolist()
        shapes = rng.integers(4, size=len(colours)).tolist()
        items = [Item(n, SHAPES[s], c) for n, s, c in zip(cells, shapes, colours, strict=True)]
        question = pick(
            rng, ("Are there more {} or more {} shapes?", "Which shapes are there more of: {} or {}?")
        ).format(first, second)
        return Draft(
            question if not self.ties else f"{question[:-1]}, or is it the same?",
            choices[answer],
            (draw_items(rng, self.size, self.cells, items),),
            f"{counts[0]} {counts[1]}",
            metadata={"choices": choices},
            guess_rate=1 / len(choices),
            scene={"items": items, "asked": (first, second)},
        )

    def answers(self, scene: Any) -> set[str]:
        """The colour of more items than the other, or `same`."""
        first, second = (sum(item.colour == colour for item in scene["items"]) for colour in scene["asked"])
        return {scene["asked"][first < second] if first != second else "same"}
