"""Styles: how a text looks as an image. A style is its settings; new ones register themselves.

Promises of every style: all ink lies inside the image; capitals are at least `capital_pixels` high (or the floor that
a page names); a character without a glyph is an error, never a box; the same text and generator give the same pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from vlrl.registry import Registry
from vlrl.rendered_text.typesetting.scripts import INVISIBLE, needs_shaping
from vlrl.rendered_text.typesetting.typeface import refuse_control_characters, typeface
from vlrl.rendered_text.undrawable import UndrawableError


class Style(Protocol):
    """Draws text. Raises UndrawableError for text that it can't show whole."""

    def draw(self, text: str, rng: np.random.Generator) -> Pillow.Image:
        """The text as an RGB image."""
        ...


styles: Registry[type] = Registry("style")


@styles.register("cells")
@dataclass(frozen=True)
class Cells:
    """One monospaced character in the middle of each square cell, row by row: for tiny images and tiny models.

    The cells line up with visual tokens when `cell` is the pixel size of one token. The image is `size` × `size`
    pixels whatever the text; text that doesn't fit is an error. Spaces take no cell unless `keep_spaces`.
    """

    cell: int = 16  # pixels, square
    size: int = 48  # pixels, square
    keep_spaces: bool = False
    dark: bool = False

    def __post_init__(self) -> None:
        if self.cell < 7:
            raise ValueError(f"a cell of {self.cell} pixels is too small to read: give at least 7")
        if self.size % self.cell:
            raise ValueError(f"size {self.size} is not a multiple of cell {self.cell}")

    @property
    def capital_pixels(self) -> int:
        """Height of a capital letter in pixels."""
        return (self.cell * 5) // 8

    def draw(self, text: str, rng: np.random.Generator) -> Pillow.Image:
        """The characters of the text, one a cell."""
        refuse_control_characters(text)
        refuse_shaped(text, "cells")
        characters = text if self.keep_spaces else "".join(text.split())
        across = self.size // self.cell
        if len(characters) > across * across:
            raise UndrawableError(
                "rendered text, style 'cells'",
                f"{characters!r} has {len(characters)} characters, {across}×{across} cells hold {across * across}",
                "make size larger, cell smaller or the text shorter",
            )
        canvas = np.zeros((self.size, self.size), dtype=np.uint8)  # (height, width), 255 = ink
        for place, character in enumerate(characters):
            if not character.isspace():
                row, column = divmod(place, across)
                top, left = row * self.cell, column * self.cell
                canvas[top : top + self.cell, left : left + self.cell] = _glyph(character, self.cell)
        return Pillow.fromarray(canvas if self.dark else 255 - canvas, mode="L").convert("RGB")


def refuse_shaped(text: str, style: str) -> None:
    """Raises UndrawableError for a script, or an invisible character, that can't be set one character a cell."""
    script = needs_shaping(text) or next((f"{c!r}, which is invisible" for c in text if c in INVISIBLE), None)
    if script:
        raise UndrawableError(
            f"rendered text, style {style!r}",
            f"the text has {script}: that can't be set one character a cell",
            "use a style of running text, or leave the text typed",
        )


@lru_cache(maxsize=4096)
def _glyph(character: str, cell: int) -> np.ndarray:
    """Ink of one character in the middle of a cell, (cell, cell) in 0–255."""
    ((font, _, character),) = typeface(character, "mono", (cell * 5) // 8, bold=True).runs(character)
    left, top, right, bottom = font.getbbox(character)
    image = Pillow.new("L", (cell, cell), 0)
    _, line_top, _, line_bottom = font.getbbox("H")
    x = (cell - (right - left)) / 2 - left
    y = (cell - (line_bottom - line_top)) / 2 - line_top
    y = min(max(y, -top), cell - bottom)  # descenders and accents stay inside the cell
    if right - left > cell or bottom - top > cell:
        raise UndrawableError(
            "rendered text, style 'cells'", f"{character!r} is larger than a cell", "make cell larger"
        )
    ImageDraw.Draw(image).text((round(x), round(y)), character, font=font, fill=255)
    return np.asarray(image)
