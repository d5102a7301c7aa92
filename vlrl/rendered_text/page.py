"""Pages: their common settings, and text that is made smaller down to a floor, or refused, but never cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from vlrl.errors import ConfigError
from vlrl.rendered_text.typesetting.fonts import font_of_height
from vlrl.rendered_text.typesetting.line_breaking import Line, even_lines
from vlrl.rendered_text.typesetting.typeface import Typeface, refuse_control_characters
from vlrl.rendered_text.undrawable import OverfullError

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Page:
    """What every page style has. The page grows as tall as the text needs, from `min_height` up to `max_height`.

    A text that needs more is an error, unless `smallest_capital_pixels` names a floor: then the letters are made
    smaller, pixel by pixel, until the text fits, and only below the floor it is an error. Equal heights make pages of
    one size.
    """

    width: int = 448  # pixels
    min_height: int = 56  # pixels
    max_height: int = 1792  # pixels
    margin: int = 16  # pixels
    capital_pixels: int = 12  # least height of a capital letter
    smallest_capital_pixels: int | None = None  # the floor for a text that doesn't fit; None: never smaller
    fallbacks: tuple[str, ...] = ()  # families, or paths of font files, for characters that the family lacks, in order

    def __post_init__(self) -> None:
        place = f"style {type(self).__name__.lower()!r}"
        if self.min_height > self.max_height:
            raise ConfigError(f"{place}, min_height", f"{self.min_height} is above max_height {self.max_height}")
        if self.capital_pixels < 5:
            raise ConfigError(f"{place}, capital_pixels", f"{self.capital_pixels} is too small to read", "at least 5")
        for name in self.fallbacks:
            font_of_height(name, self.capital_pixels)
        floor = self.smallest_capital_pixels
        if floor is not None and not 5 <= floor <= self.capital_pixels:
            raise ConfigError(
                f"{place}, smallest_capital_pixels", f"{floor} is not within 5 to {self.capital_pixels}", "set it there"
            )

    def draw(self, text: str, rng: np.random.Generator) -> Pillow.Image:
        """The text on a page, RGB, its capitals as high as the settings say, or smaller down to the floor."""
        text = even_lines(text)
        refuse_control_characters(text)  # before markup is read: what strips white space would take them out
        floor = self.capital_pixels if self.smallest_capital_pixels is None else self.smallest_capital_pixels
        for pixels in range(self.capital_pixels, floor, -1):
            try:
                return self.draw_at(text, rng, pixels)
            except OverfullError:
                continue
        return self.draw_at(text, rng, floor)

    def draw_at(self, text: str, rng: np.random.Generator, capital_pixels: int) -> Pillow.Image:
        """The text with capitals of at least `capital_pixels`. Raises OverfullError if it doesn't fit."""
        raise NotImplementedError

    @property
    def room(self) -> int:
        """Pixels between the margins."""
        return self.width - 2 * self.margin


def new_page(width: int, needed: int, min_height: int, max_height: int, paper: Colour) -> Pillow.Image:
    """An empty page as tall as its contents need. Raises OverfullError beyond `max_height`."""
    if needed > max_height:
        raise OverfullError(
            "rendered text",
            f"the text needs {needed} pixels, the page is at most {max_height} high",
            "raise max_height or width, or lower capital_pixels",
        )
    return Pillow.new("RGB", (width, max(needed, min_height)), paper)


class Block(Protocol):
    """Contents that are laid out and only wait for their place."""

    @property
    def height(self) -> int:
        """Pixels."""
        ...

    def draw(self, page: Pillow.Image, x: int, y: int) -> None:
        """Drawn with the upper left corner at (x, y)."""
        ...


@dataclass(frozen=True)
class Lines:
    """Lines of one typeface, `step` pixels apart."""

    lines: Sequence[str]
    font: Typeface
    step: int
    ink: Colour
    room: int  # pixels; lines that run from right to left end there

    @property
    def height(self) -> int:
        """Pixels from the first line to the one after the last."""
        return len(self.lines) * self.step

    def draw(self, page: Pillow.Image, x: int, y: int) -> None:
        """All lines, from their left edge, or up to the right edge of the room."""
        pen = ImageDraw.Draw(page)
        for number, line in enumerate(self.lines):
            draw_line(pen, (x, y + number * self.step), line, self.font, self.ink, self.room)


def draw_line(
    pen: ImageDraw.ImageDraw, at: tuple[float, float], line: str, font: Typeface, ink: Colour, room: float
) -> None:
    """A line whose upper left corner is at `at`, or with its right end `room` pixels further where it runs that way."""
    rtl = isinstance(line, Line) and line.rtl
    x = at[0] + room - font.getlength(line, rtl=True) if rtl else at[0]
    font.draw(pen, (x, at[1]), line, ink, rtl=rtl)


def stack_height(blocks: Sequence[Block], gap: int) -> int:
    """Height of blocks one below another."""
    return sum(block.height for block in blocks) + gap * max(len(blocks) - 1, 0)


def draw_stack(page: Pillow.Image, blocks: Sequence[Block], x: int, y: int, gap: int) -> None:
    """Blocks one below another."""
    for block in blocks:
        block.draw(page, x, y)
        y += block.height + gap
