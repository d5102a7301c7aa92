"""The styles `plain` and `dark`: a document of wrapped lines; and `document`, whose looks are drawn every time."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from vlrl.errors import ConfigError
from vlrl.rendered_text.page import Colour, Page, draw_line, new_page
from vlrl.rendered_text.styles.style_registry import styles
from vlrl.rendered_text.typesetting.fonts import Family, font_file
from vlrl.rendered_text.typesetting.line_breaking import wrap
from vlrl.rendered_text.typesetting.typeface import typeface
from vlrl.rendered_text.undrawable import OverfullError

DARK_PAPER: Colour = (24, 26, 30)
LIGHT_INK: Colour = (232, 232, 228)


@styles.register("plain")
@dataclass(frozen=True)
class Plain(Page):
    """A plain document: wrapped lines on a page of a set width, in one or more columns of about equal length."""

    family: Family = "sans"
    line_spacing: float = 1.25
    columns: int = 1
    gutter: int = 24  # pixels between columns
    paper: Colour = (255, 255, 255)
    ink: Colour = (0, 0, 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        font_file(self.family)
        if self.columns < 1 or self._column_width < 1:
            raise ConfigError("style 'plain', columns", f"{self.columns} have no room on {self.width} pixels", "fewer")

    @property
    def _column_width(self) -> int:
        return (self.room - (self.columns - 1) * self.gutter) // self.columns

    def draw_at(self, text: str, rng: np.random.Generator, capital_pixels: int) -> Pillow.Image:
        """The text on a page."""
        font = typeface(text, self.family, capital_pixels, fallbacks=self.fallbacks)
        lines = wrap(text, self._column_width, font.getlength)
        ascent, descent = font.getmetrics()
        step = round((ascent + descent) * self.line_spacing)
        rows = -(-len(lines) // self.columns)
        needed = 2 * self.margin + step * (rows - 1) + ascent + descent
        page = new_page(self.width, needed, self.min_height, self.max_height, self.paper)
        pen = ImageDraw.Draw(page)
        for number, line in enumerate(lines):
            column, row = divmod(number, rows)
            at = (self.margin + column * (self._column_width + self.gutter), self.margin + row * step)
            draw_line(pen, at, line, font, self.ink, self._column_width)
        return page


@styles.register("dark")
@dataclass(frozen=True)
class Dark(Plain):
    """A plain document, light on dark."""

    paper: Colour = DARK_PAPER
    ink: Colour = LIGHT_INK


@styles.register("document")
@dataclass(frozen=True)
class Document(Page):
    """A plain document whose font, size, colours and columns are drawn again for every image.

    Sizes lie within `capital_pixels` and `capital_pixels` + `larger_by`. A text that doesn't fit in several columns
    gets one, a text that doesn't fit in a large size gets the smallest.
    """

    families: tuple[Family, ...] = ("sans", "serif", "mono", "stix")
    larger_by: int = 6  # pixels
    dark_rate: float = 0.25
    two_columns_rate: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        for family in self.families:
            font_file(family)
        if not self.families or self.larger_by < 0:
            raise ConfigError("style 'document'", "has no family, or larger_by is below 0", "name one; raise it")
        for name in ("dark_rate", "two_columns_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"style 'document', {name}", f"{getattr(self, name)} is no share", "0 to 1")

    def draw_at(self, text: str, rng: np.random.Generator, capital_pixels: int) -> Pillow.Image:
        """The text on a page of drawn looks."""
        family = self.families[int(rng.integers(len(self.families)))]
        size = capital_pixels + int(rng.integers(self.larger_by + 1))
        dark, two = bool(rng.random() < self.dark_rate), bool(rng.random() < self.two_columns_rate)
        shade = int(rng.integers(0, 26))
        light: Colour = (255 - shade // 2, 255 - shade // 2, 255 - shade)  # white to cream
        plain = Plain(
            width=self.width,
            min_height=self.min_height,
            max_height=self.max_height,
            margin=self.margin,
            capital_pixels=size,
            fallbacks=self.fallbacks,
            family=family,
            line_spacing=float(rng.uniform(1.1, 1.5)),
            columns=2 if two else 1,
            paper=DARK_PAPER if dark else light,
            ink=LIGHT_INK if dark else (shade, shade, shade),
        )
        try:
            return plain.draw_at(text, rng, size)
        except OverfullError:
            one = dataclasses.replace(plain, columns=1, line_spacing=1.1)
            return one.draw_at(text, rng, capital_pixels)
