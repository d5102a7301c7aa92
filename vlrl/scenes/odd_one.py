"""Domain `odd_one`: find the one item that differs from all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vlrl.scenes.cells import COLOURS, SHAPES, Item, check_grid, draw_items
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import pick, shuffled
from vlrl.types import Draft

BRIGHT_COLOURS = tuple(COLOURS)[:4]
CLOSE_COLOURS = (("blue", "purple"), ("red", "orange"), ("black", "grey"), ("yellow", "orange"))
CLOSE_SHAPES = (("disc", "ring"), ("square", "diamond"), ("triangle", "diamond"), ("cross", "square"))


@domain("odd_one", family="attention")
@dataclass(frozen=True)
class OddOne:
    """The cell number of the odd item, counted in reading order from 1; the thought: full rows × length + column.

    size   pixels, square
    cells  cells a side
    """

    size: int = 240
    cells: int = 3

    verifier = "number"

    def __post_init__(self) -> None:
        check_grid("domain 'odd_one'", self.size, self.cells)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One full grid. Difficulty 0: colour and form differ; .5: one of them; 1: the other property varies freely."""
        odd = int(rng.integers(self.cells**2))
        by_colour = bool(rng.integers(2))
        colours, shapes = shuffled(rng, BRIGHT_COLOURS)[:2], shuffled(rng, SHAPES[:4])[:2]
        if difficulty > 0.8:
            colours, shapes = shuffled(rng, pick(rng, CLOSE_COLOURS)), shuffled(rng, pick(rng, CLOSE_SHAPES))
        both, mixed = difficulty < 0.3, difficulty >= 0.6
        varied = rng.integers(4, size=self.cells**2).tolist()
        items = []
        for number in range(self.cells**2):
            is_odd = int(number == odd)
            colour = colours[is_odd if by_colour or both else 0]
            shape = shapes[is_odd if not by_colour or both else 0]
            if mixed and by_colour:
                shape = SHAPES[varied[number]]
            elif mixed:
                colour = BRIGHT_COLOURS[varied[number]]
            items.append(Item(number, shape, colour))
        row, column = divmod(odd, self.cells)
        kind = "odd one" if not mixed else "odd colour" if by_colour else "odd shape"
        question = pick(rng, ("Which cell has the {}?", "What is the number of the cell with the {}?")).format(kind)
        question += " Cells are numbered from 1, row by row from the top left."
        return Draft(
            question,
            str(odd + 1),
            (draw_items(rng, self.size, self.cells, items),),
            f"{row}*{self.cells}+{column + 1}={odd + 1}",
            guess_rate=1 / self.cells**2,
            scene={"items": items, "kind": kind},
        )

    def answers(self, scene: Any) -> set[str]:
        """The cells whose item has a colour, a form, or both (as asked) that occur nowhere else."""
        traits = {"odd colour": ("colour",), "odd shape": ("shape",), "odd one": ("colour", "shape")}[scene["kind"]]
        seen = [tuple(getattr(item, trait) for trait in traits) for item in scene["items"]]
        return {str(item.cell + 1) for item, look in zip(scene["items"], seen, strict=True) if seen.count(look) == 1}
