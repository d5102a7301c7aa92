"""The style `handwriting`: a handwriting font on ruled paper, every word a little off its line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from vlrl.rendered_text.page import Colour, Page, new_page
from vlrl.rendered_text.styles.style_registry import styles
from vlrl.rendered_text.typesetting.fonts import Family, font_file
from vlrl.rendered_text.typesetting.inline import in_visual_order
from vlrl.rendered_text.typesetting.line_breaking import is_gap, pieces_of, wrap
from vlrl.rendered_text.typesetting.typeface import typeface

INKS: tuple[Colour, ...] = ((20, 38, 110), (25, 25, 30), (60, 40, 110))
RULED: Colour = (190, 208, 230)


@styles.register("handwriting")
@dataclass(frozen=True)
class Handwriting(Page):
    """Handwriting-like text. The fonts come from Debian packages; an error names the one that is missing."""

    width: int = 560  # pixels
    margin: int = 28  # pixels; strokes of some letters reach into it
    capital_pixels: int = 16
    family: Family = "hand-dkg"
    sheet: Literal["ruled", "squared", "blank"] = "ruled"
    unsteadiness: float = 1.5  # pixels a word may be off its line

    def __post_init__(self) -> None:
        super().__post_init__()
        font_file(self.family)

    def draw_at(self, text: str, rng: np.random.Generator, capital_pixels: int) -> Pillow.Image:
        """The text on a sheet."""
        font = typeface(text, self.family, capital_pixels, fallbacks=self.fallbacks)
        lines = wrap(text, self.room - 6, font.getlength)
        ascent, descent = font.getmetrics()
        step = round((ascent + descent) * 1.25)
        needed = 2 * self.margin + step * (len(lines) - 1) + ascent + descent
        page = new_page(self.width, needed, self.min_height, self.max_height, (252, 251, 246))
        pen = ImageDraw.Draw(page)
        if self.sheet != "blank":
            for row in range(self.margin + ascent + 3, page.height, step if self.sheet == "ruled" else step // 2):
                pen.line((0, row, self.width, row), fill=RULED)
        if self.sheet == "squared":
            for column in range(step // 2, self.width, step // 2):
                pen.line((column, 0, column, page.height), fill=RULED)
        ink = INKS[int(rng.integers(len(INKS)))]
        for number, line in enumerate(lines):
            along, top = (
                float(self.margin),
                self.margin + number * step + float(rng.uniform(-1, 1)) * self.unsteadiness / 2,
            )
            if line.rtl:
                along += self.room - 6 - font.getlength(line, rtl=True)
            for piece in in_visual_order(pieces_of(line), line.rtl, str):
                if not is_gap(piece):
                    off = float(rng.uniform(-1, 1)) * self.unsteadiness / 2
                    font.draw(pen, (along, top + off), piece, ink, rtl=line.rtl)
                along += font.getlength(piece, rtl=line.rtl)
        return page
