"""Domain `small_glyph`: a large image whose answer can be read only from a part of it, shown by itself.

What is asked for is drawn in single pixels, light and dark in turn. Made four times smaller, as a prompt under an image
budget of 64 × 64 shows it, the image is the same whatever the answer, byte for byte (tests/scenes/test_small_glyph.py):
without a tool that cuts a part out of the original nothing beats a guess.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from vlrl.scenes.domain import domain
from vlrl.scenes.draws import pick, scaled, shuffled
from vlrl.types import Draft

PAPER = 128  # the mean of light and dark: what hatching becomes where it can't be seen
HATCH = 60  # how much lighter and darker than the paper
CELL, CELLS = 64, 4  # pixels of a cell's side, and cells a side
BAR = 12  # pixels: the bar over the fields of a cell
FIELDS = ((4, 12), (20, 28), (36, 44), (52, 60))  # columns of the four fields within a cell, in steps of four pixels
ROWS = (32, 60)  # their rows: two windows of the filter that makes the image smaller away from the bar
COLOURS = {"red": (208, 60, 60), "blue": (60, 90, 208), "green": (60, 170, 80), "yellow": (214, 190, 50)}
TOOL = "image_zoom_in_tool"


@dataclass(frozen=True)
class _Bar:
    """A coloured bar over four fields of which `hatched` are hatched; row and column of its cell."""

    colour: str
    row: int
    column: int
    hatched: tuple[bool, ...]

    @property
    def box(self) -> list[int]:
        """Of the cell, in thousandths of the image."""
        left, top = (1000 * at // CELLS for at in (self.column, self.row))
        return [left, top, left + 1000 // CELLS, top + 1000 // CELLS]


@domain("small_glyph", family="looking closer")
@dataclass(frozen=True)
class SmallGlyph:
    """How many of four fields under a bar are hatched, in an image of 256 × 256; one to four, all alike likely.

    bars  number of coloured bars at difficulty 0 and 1
    """

    bars: tuple[int, int] = (1, 4)

    verifier = "number"
    one_answer = "every bar has another colour, and four fields of its own"

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One image. Difficulty 0: one bar; 1: four bars. The worked episode looks at the cell, then answers."""
        count = min(len(COLOURS), scaled(self.bars, difficulty))
        colours = shuffled(rng, list(COLOURS))[:count]
        places: list[tuple[int, int]] = []
        for cell in rng.permutation(CELLS**2).tolist():
            row, column = divmod(cell, CELLS)
            if len(places) < count and all(abs(row - r) > 1 or column != c for r, c in places):
                places.append((row, column))
        drawn = []
        for colour, (row, column) in zip(colours, places, strict=False):
            chosen = rng.permutation(len(FIELDS))[: int(rng.integers(1, len(FIELDS) + 1))].tolist()
            drawn.append(_Bar(colour, row, column, tuple(i in chosen for i in range(len(FIELDS)))))
        asked = drawn[0]
        wording = pick(
            rng, ("How many fields under the {} bar are hatched?", "Count the hatched fields under the {} bar.")
        )
        call = {"name": TOOL, "arguments": {"bbox_2d": asked.box}}
        return Draft(
            wording.format(asked.colour),
            str(sum(asked.hatched)),
            (image_of(drawn),),
            "".join("x" if hatched else "-" for hatched in asked.hatched),
            guess_rate=1 / len(FIELDS),
            turns=(f"<tool_call>{json.dumps(call)}</tool_call>",),
        )


def image_of(bars: list[_Bar]) -> Pillow.Image:
    """The bars on grey paper."""
    pixels = np.full((CELL * CELLS, CELL * CELLS, 3), PAPER, np.int16)
    y, x = np.mgrid[: CELL * CELLS, : CELL * CELLS]
    hatch = np.where((x + y) % 2 == 0, HATCH, -HATCH)[..., None]
    for bar in bars:
        top, left = bar.row * CELL, bar.column * CELL
        pixels[top : top + BAR, left : left + CELL] = COLOURS[bar.colour]
        for hatched, (first, last) in zip(bar.hatched, FIELDS, strict=True):
            if hatched:
                at = (slice(top + ROWS[0], top + ROWS[1]), slice(left + first, left + last))
                pixels[at] += hatch[at]
    return Pillow.fromarray(pixels.astype(np.uint8))
