"""The styles `markdown` and `math`: headings, lists, code, tables and formulas, laid out one below another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from vlrl.rendered_text.page import Block, Colour, Page, draw_stack, new_page, stack_height
from vlrl.rendered_text.styles.code_style import lay_code
from vlrl.rendered_text.styles.style_registry import styles
from vlrl.rendered_text.styles.table_style import TableBlock, TableColours, lay_table
from vlrl.rendered_text.typesetting.fonts import Family, font_file
from vlrl.rendered_text.typesetting.formula_drawing import FontSet, set_formula
from vlrl.rendered_text.typesetting.inline import MathWord, Piece, RichLines, Word, break_pieces
from vlrl.rendered_text.typesetting.line_breaking import pieces_of
from vlrl.rendered_text.typesetting.markup import MarkupBlock, read_blocks, read_inline, read_lines
from vlrl.rendered_text.typesetting.scripts import is_right_to_left
from vlrl.rendered_text.typesetting.typeface import Typeface, typeface

GAP = 4  # pixels between blocks


@dataclass(frozen=True)
class Panel:
    """A block on a rounded panel of its own colour."""

    inner: Block
    width: int
    padding: int
    fill: Colour

    @property
    def height(self) -> int:
        """Pixels, with padding above and below."""
        return self.inner.height + 2 * self.padding

    def draw(self, page: Pillow.Image, x: int, y: int) -> None:
        """The panel and what is on it."""
        box = (x, y, x + self.width - 1, y + self.height - 1)
        ImageDraw.Draw(page).rounded_rectangle(box, radius=4, fill=self.fill)
        self.inner.draw(page, x + self.padding, y + self.padding)


@dataclass(frozen=True)
class Space:
    """An empty line."""

    height: int

    def draw(self, page: Pillow.Image, x: int, y: int) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Writer:
    """What it takes to lay out marked-up text: fonts, colours, and which markup is read."""

    family: Family
    capital_pixels: int
    ink: Colour
    paper: Colour
    fontset: FontSet = "stix"
    smallest_script_pixels: int = 6
    markup: bool = True  # otherwise only formulas are read
    formulas: bool = True
    fallbacks: tuple[str, ...] = ()

    def lay(self, text: str, room: int) -> list[Block]:
        """The blocks of `text`, each at most `room` pixels wide. Raises UndrawableError for what can't be shown."""
        number = count(1)
        blocks = read_blocks(text) if self.markup else read_lines(text)
        return [self._lay_block(block, room, number) for block in blocks]

    def _lay_block(self, block: MarkupBlock, room: int, number: Iterator[int]) -> Block:
        if block.kind == "gap":
            return Space(sum(self._font("").getmetrics()) // 2)
        if block.kind == "code":
            code = lay_code(
                block.text,
                _language(block.mark),
                self._theme,
                room - 16,
                self.capital_pixels,
                fallbacks=self.fallbacks,
            )
            return Panel(code, room, 8, code.paper if self._is_dark else (244, 245, 247))
        if block.kind == "table":
            return self._lay_table(block, room)
        if block.kind == "formula":
            lines = break_pieces([self._formula(block.text, number)], room - 24)
            return RichLines(lines, self._font(""), 1.5, indent=24)
        words = "".join(
            part for style, part in read_inline(block.text, self.formulas, self.markup) if style != "formula"
        )
        rtl = is_right_to_left(words)
        if block.kind == "heading":
            larger = self.capital_pixels + max(6 - 2 * len(block.mark), 0)
            pieces = self._pieces(block.text, number, larger, bold=True)
            return RichLines(break_pieces(pieces, room), self._font(words, larger, bold=True), 1.35, room=room, rtl=rtl)
        font = self._font(words)
        if block.kind == "item":
            step = round(font.getlength("0") * 3)
            indent = step * (block.level + 1)
            lines = break_pieces(self._pieces(block.text, number), room - indent)
            mark = Word(block.mark, self._font(block.mark), self.ink)
            return RichLines(lines, font, 1.25, indent, mark, indent - step, room, rtl)
        return RichLines(break_pieces(self._pieces(block.text, number), room), font, 1.25, room=room, rtl=rtl)

    @property
    def _is_dark(self) -> bool:
        return sum(self.paper) < 3 * 127

    @property
    def _theme(self) -> str:
        return "monokai" if self._is_dark else "default"

    def _font(self, text: str, pixels: int | None = None, bold: bool = False) -> Typeface:
        return typeface(text, self.family, pixels or self.capital_pixels, bold, self.fallbacks)

    def _formula(self, tex: str, number: Iterator[int]) -> MathWord:
        formula = set_formula(tex, self.capital_pixels, self.fontset, self.smallest_script_pixels, next(number))
        return MathWord(formula, self.ink)

    def _pieces(self, text: str, number: Iterator[int], pixels: int | None = None, bold: bool = False) -> list[Piece]:
        """Words and formulas of a line."""
        pieces: list[Piece] = []
        for style, part in read_inline(text, self.formulas, self.markup):
            if style == "formula":
                pieces.append(self._formula(part, number))
                continue
            family: Family = "mono" if style == "code" else self.family
            is_bold = bold or style == "bold"
            font = typeface(part, family, pixels or self.capital_pixels, is_bold, self.fallbacks)
            colour = self._code_colour if style == "code" else self.ink
            pieces += [Word(word, font, colour) for word in pieces_of(part)]
        return pieces

    @property
    def _code_colour(self) -> Colour:
        return (255, 170, 150) if self._is_dark else (150, 30, 60)

    def _lay_table(self, block: MarkupBlock, room: int) -> TableBlock:
        rows = [["".join(part for _, part in read_inline(cell, formulas=False)) for cell in row] for row in block.rows]
        font = self._font("\n".join(cell for row in rows for cell in row))
        shade: Colour = (48, 54, 66) if self._is_dark else (228, 233, 241)
        rule: Colour = (74, 80, 92) if self._is_dark else (200, 200, 200)
        return lay_table(rows, room - 1, font, 5, TableColours(self.paper, self.ink, shade, rule))


def _language(name: str) -> str:
    """The lexer of a fence; a language that Pygments doesn't know is shown without colours, like everywhere."""
    try:
        get_lexer_by_name(name or "text")
    except ClassNotFound:
        return "text"
    return name or "text"


@styles.register("markdown")
@dataclass(frozen=True)
class Markdown(Page):
    """Markdown: headings, lists, bold, fenced code, tables and, with `formulas`, `$…$` and `$$…$$` set by mathtext.
    Formulas inside tables stay as they are typed."""

    family: Family = "sans"
    dark: bool = False
    formulas: bool = True
    fontset: FontSet = "stix"
    smallest_script_pixels: int = 6  # least height of a capital in a script of a formula

    markup = True  # no setting: what the subclass reads

    def __post_init__(self) -> None:
        super().__post_init__()
        font_file(self.family)

    @property
    def paper(self) -> Colour:
        """The colour of the page."""
        return (24, 26, 30) if self.dark else (255, 255, 255)

    def writer(self, capital_pixels: int) -> Writer:
        """What lays out the text."""
        ink: Colour = (232, 232, 228) if self.dark else (0, 0, 0)
        return Writer(
            self.family,
            capital_pixels,
            ink,
            self.paper,
            self.fontset,
            self.smallest_script_pixels,
            self.markup,
            self.formulas,
            self.fallbacks,
        )

    def draw_at(self, text: str, rng: np.random.Generator, capital_pixels: int) -> Pillow.Image:
        """The text on a page."""
        blocks = self.writer(capital_pixels).lay(text, self.room)
        needed = 2 * self.margin + stack_height(blocks, GAP)
        page = new_page(self.width, needed, self.min_height, self.max_height, self.paper)
        draw_stack(page, blocks, self.margin, self.margin, GAP)
        return page


@styles.register("math")
@dataclass(frozen=True)
class Math(Markdown):
    """Prose with formulas: `$…$` and `\\(…\\)` in the line, `$$…$$` and `\\[…\\]` displayed; other markup stays."""

    capital_pixels: int = 14
    family: Family = "stix"

    markup = False
