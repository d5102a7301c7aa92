"""The style `code`: monospaced, coloured by Pygments, long lines broken at the edge like in a terminal."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw
from pygments import lex
from pygments.lexers import get_lexer_by_name
from pygments.styles import get_style_by_name
from pygments.util import ClassNotFound

from vlrl.errors import ConfigError
from vlrl.rendered_text.page import Colour, Page, new_page
from vlrl.rendered_text.styles.style_registry import refuse_shaped, styles
from vlrl.rendered_text.typesetting.fonts import font_of_height
from vlrl.rendered_text.typesetting.typeface import Typeface, typeface
from vlrl.rendered_text.undrawable import OverfullError


@dataclass(frozen=True)
class CodeBlock:
    """Coloured code on a grid of characters."""

    runs: tuple[tuple[int, int, str, str], ...]  # (row, column, text of one colour, colour)
    rows: int
    font: Typeface
    paper: Colour

    @property
    def advance(self) -> float:
        """Pixels from a character to the next."""
        return self.font.getlength("M")

    @property
    def step(self) -> int:
        """Pixels from a line to the next."""
        return round(sum(self.font.getmetrics()) * 1.15)

    @property
    def height(self) -> int:
        """Pixels of all lines."""
        return self.rows * self.step

    def draw(self, page: Pillow.Image, x: int, y: int) -> None:
        """The code, without its background."""
        pen = ImageDraw.Draw(page)
        for row, column, text, colour in self.runs:
            self.font.draw(pen, (x + column * self.advance, y + row * self.step), text, colour)


@styles.register("code")
@dataclass(frozen=True)
class Code(Page):
    """Source code in the colours of a Pygments theme."""

    language: str = "python"  # any Pygments lexer, e.g. text, c, json
    theme: str = "default"  # any Pygments style, e.g. monokai
    width: int = 560  # pixels
    capital_pixels: int = 11
    line_numbers: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            get_lexer_by_name(self.language)
            get_style_by_name(self.theme)
        except ClassNotFound as error:
            raise ConfigError("style 'code'", str(error), "use a language and a theme that Pygments knows") from error
        if font_of_height("mono", self.capital_pixels).getlength("M") > self.room:
            raise ConfigError("style 'code', width", f"{self.width} has no room for a character", "raise it")

    def draw_at(self, text: str, rng: np.random.Generator, capital_pixels: int) -> Pillow.Image:
        """The code on a page."""
        block = lay_code(text, self.language, self.theme, self.room, capital_pixels, self.line_numbers, self.fallbacks)
        needed = 2 * self.margin + block.height
        page = new_page(self.width, needed, self.min_height, self.max_height, block.paper)
        block.draw(page, self.margin, self.margin)
        return page


def lay_code(
    text: str,
    language: str,
    theme: str,
    room: int,
    capital_pixels: int,
    line_numbers: bool = False,
    fallbacks: tuple[str, ...] = (),
) -> CodeBlock:
    """Code broken at `room` pixels; wide characters (Chinese, emoji) take two places.

    Raises OverfullError if a single character has no room, UndrawableError for scripts that can't be set on a grid.
    """
    text = text.expandtabs(4)
    refuse_shaped(text, "code")
    font = typeface(text, "mono", capital_pixels, fallbacks=fallbacks)
    advance = font.getlength("M")
    first = len(str(text.count("\n") + 1)) + 2 if line_numbers else 0  # the column of the code
    columns = int(room / advance)
    if columns < first + (1 if text.isascii() else 2):
        raise OverfullError("rendered text", f"{room} pixels have no room for a character of code", "raise width")
    colours, paper = _colours(theme)
    whole = advance.is_integer()  # then a run of characters can be drawn at once, at the same places
    runs: list[tuple[int, int, str, str]] = []
    row, column, line = 0, first, 1
    if line_numbers:
        runs.append((0, 0, "1".rjust(first - 2), _readable_grey(paper)))
    for kind, value in lex(text, get_lexer_by_name(language, stripnl=False, ensurenl=False)):
        colour = colours(kind)
        for character in value:
            if character == "\n":
                row, column, line = row + 1, first, line + 1
                if line_numbers:
                    runs.append((row, 0, str(line).rjust(first - 2), _readable_grey(paper)))
                continue
            places = 2 if unicodedata.east_asian_width(character) in "WF" else 1
            if column + places > columns:
                row, column = row + 1, first
            before = runs[-1] if runs else None
            if (
                places == 1
                and whole
                and before
                and before[0] == row
                and before[3] == colour
                and before[1] + len(before[2]) == column
            ):
                runs[-1] = (row, before[1], before[2] + character, colour)
            elif not character.isspace():
                runs.append((row, column, character, colour))
            column += places
    return CodeBlock(tuple(runs), row + 1, font, paper)


@lru_cache(maxsize=64)
def _theme_colour(theme: str, kind: Any) -> str:
    style = get_style_by_name(theme)
    return "#" + (style.style_for_token(kind)["color"] or _readable(style.background_color))


def _colours(theme: str) -> tuple[Any, Colour]:
    """(colour of a kind of token, colour of the paper)"""
    return lambda kind: _theme_colour(theme, kind), _rgb(get_style_by_name(theme).background_color)


def _rgb(colour: str) -> Colour:
    """`#rrggbb` or `#rgb` as numbers."""
    digits = colour.removeprefix("#")
    digits = "".join(c * 2 for c in digits) if len(digits) == 3 else digits
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)


def _readable(background: str) -> str:
    """Black on light paper, white on dark."""
    return "000000" if sum(_rgb(background)) > 3 * 127 else "ffffff"


def _readable_grey(paper: Colour) -> str:
    return "#606060" if sum(paper) > 3 * 127 else "#a8a8a8"
