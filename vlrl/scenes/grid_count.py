"""Domain `grid_count`: count the shapes of one colour, one form, or both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.cells import COLOURS, PLURALS, SHAPES, Item, check_grid, draw_items
from vlrl.scenes.chains import count_rows
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_span, pick, scaled
from vlrl.types import Draft

ASKED_COLOURS = tuple(COLOURS)[:4]
ASKED_SHAPES = SHAPES[:4]


@domain("grid_count", family="counting")
@dataclass(frozen=True)
class GridCount:
    """How many red discs? The thought counts row by row: `1+0+2=3`.

    size   pixels, square
    cells  cells a side
    items  number of shapes at difficulty 0 and 1
    """

    size: int = 240
    cells: int = 3
    items: tuple[int, int] = (3, 9)

    verifier = "number"
    one_answer = "every shape has one of four colours and one of four forms"

    def __post_init__(self) -> None:
        check_grid("domain 'grid_count'", self.size, self.cells)
        check_span("domain 'grid_count', items", self.items, 1, self.cells**2)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One grid. Difficulty 0: few shapes, a colour is asked; 1: a full grid, a colour and a form together."""
        items = scaled(self.items, difficulty)
        count = int(rng.integers(items + 1))
        colour, shape = pick(rng, ASKED_COLOURS), pick(rng, ASKED_SHAPES)
        other_colours = [c for c in ASKED_COLOURS if c != colour]
        other_shapes = [s for s in ASKED_SHAPES if s != shape]
        asks = "colour" if difficulty < 0.4 else ("colour", "shape")[int(rng.integers(2))]
        asks = "both" if difficulty >= 0.75 else asks
        cells = rng.permutation(self.cells**2)[:items].tolist()
        chances = rng.random((items, 3)).tolist()
        drawn = []
        for i, (number, (a, b, c)) in enumerate(zip(cells, chances, strict=True)):
            one_colour, one_shape = other_colours[int(a * 3)], other_shapes[int(b * 3)]
            if asks == "both":  # two thirds of the others share the colour or the form: neither alone decides
                one_colour = colour if i < count or c < 1 / 3 else one_colour
                one_shape = shape if i < count or c >= 2 / 3 else one_shape
            elif asks == "colour":
                one_colour, one_shape = (colour if i < count else one_colour), ASKED_SHAPES[int(b * 4)]
            else:
                one_colour, one_shape = ASKED_COLOURS[int(a * 4)], (shape if i < count else one_shape)
            drawn.append(Item(number, one_shape, one_colour))
        what = {"colour": f"{colour} shapes", "shape": PLURALS[shape], "both": f"{colour} {PLURALS[shape]}"}[asks]
        question = pick(rng, ("How many {}?", "Count the {}.")).format(what)
        chosen = set(cells[:count])
        thought = count_rows([i in chosen for i in range(self.cells**2)], self.cells)
        return Draft(question, str(count), (draw_items(rng, self.size, self.cells, drawn),), thought)
