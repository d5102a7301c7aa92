"""The style `table`: lines with `|` or tabs become a ruled table, other lines stay prose."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from vlrl.rendered_text.page import Block, Colour, Lines, Page, new_page, stack_height
from vlrl.rendered_text.styles.style_registry import styles
from vlrl.rendered_text.typesetting.fonts import Family, font_file
from vlrl.rendered_text.typesetting.line_breaking import wrap
from vlrl.rendered_text.typesetting.typeface import Typeface, typeface
from vlrl.rendered_text.undrawable import OverfullError

SEPARATOR = re.compile(r"[|\t]")
RULE = re.compile(r"[\s|:-]*-[\s|:-]*")  # a markdown line like |---|:--:|


@dataclass(frozen=True)
class TableColours:
    """Colours of a table."""

    paper: Colour = (255, 255, 255)
    ink: Colour = (0, 0, 0)
    shade: Colour = (228, 233, 241)  # of the first row
    rule: Colour = (200, 200, 200)  # tesseract takes darker rules for letters


@dataclass(frozen=True)
class TableBlock:
    """A ruled table with a shaded first row."""

    widths: Sequence[int]  # of columns, pixels
    rows: Sequence[Sequence[Sequence[str]]]  # cells of lines
    font: Typeface
    padding: int  # pixels
    looks: TableColours

    @property
    def step(self) -> int:
        """Pixels from a line to the next."""
        return line_step(self.font)

    def row_height(self, row: Sequence[Sequence[str]]) -> int:
        """Pixels of one row."""
        return max(len(lines) for lines in row) * self.step + 2 * self.padding

    @property
    def height(self) -> int:
        """Pixels of all rows and a gap below."""
        return sum(self.row_height(row) for row in self.rows) + self.padding

    def draw(self, page: Pillow.Image, x: int, y: int) -> None:
        """Rules, shade and text."""
        pen = ImageDraw.Draw(page)
        for number, row in enumerate(self.rows):
            height, left = self.row_height(row), x
            shade = self.looks.shade if number == 0 else self.looks.paper
            for lines, width in zip(row, self.widths, strict=True):
                pen.rectangle((left, y, left + width, y + height), fill=shade, outline=self.looks.rule)
                cell = Lines(lines, self.font, self.step, self.looks.ink, width - 2 * self.padding - 2)
                cell.draw(page, left + self.padding, y + self.padding)
                left += width
            y += height


@styles.register("table")
@dataclass(frozen=True)
class Table(Page):
    """A ruled table with a shaded first row. Cells wrap; more columns than the width has room for is an error."""

    padding: int = 6  # pixels between text and rule
    family: Family = "sans"
    paper: Colour = (255, 255, 255)
    ink: Colour = (0, 0, 0)
    shade: Colour = (228, 233, 241)
    rule: Colour = (200, 200, 200)

    def __post_init__(self) -> None:
        super().__post_init__()
        font_file(self.family)

    def draw_at(self, text: str, rng: np.random.Generator, capital_pixels: int) -> Pillow.Image:
        """The text, its tables ruled."""
        font = typeface(text, self.family, capital_pixels, fallbacks=self.fallbacks)
        looks = TableColours(self.paper, self.ink, self.shade, self.rule)
        blocks: list[Block] = []
        for rows in _blocks(text):
            if len(rows[0]) == 1:
                lines = [line for row in rows for line in wrap(row[0], self.room - 1, font.getlength)]
                blocks.append(Lines(lines, font, line_step(font), self.ink, self.room))
            else:
                blocks.append(lay_table(rows, self.room - 1, font, self.padding, looks))
        needed = 2 * self.margin + stack_height(blocks, 0)
        page = new_page(self.width, needed, self.min_height, self.max_height, self.paper)
        y = self.margin
        for block in blocks:
            block.draw(page, self.margin, y)
            y += block.height
        return page


def line_step(font: Typeface) -> int:
    """Pixels from a line of a table to the next."""
    return round(sum(font.getmetrics()) * 1.2)


def lay_table(
    rows: Sequence[Sequence[str]], room: int, font: Typeface, padding: int, looks: TableColours
) -> TableBlock:
    """Rows of cells, all of one length, within `room` pixels. Raises OverfullError for more columns than fit."""
    columns = list(zip(*rows, strict=True))
    least = math.ceil(font.getlength("W")) + 2 * padding + 2
    wanted = [
        max(math.ceil(max(font.getlength(cell) for cell in column)) + 2 * padding + 2, least) for column in columns
    ]
    widths = [int(width) for width in _squeeze(wanted, room)]
    if min(widths) < least:
        raise OverfullError(
            "rendered text, style 'table'", f"{len(widths)} columns don't fit into {room} pixels", "raise width"
        )
    inside = [width - 2 * padding - 2 for width in widths]
    cells = [[wrap(cell, width, font.getlength) for cell, width in zip(row, inside, strict=True)] for row in rows]
    return TableBlock(widths, cells, font, padding, looks)


def _blocks(text: str) -> list[list[list[str]]]:
    """Runs of table rows (several cells, all of one length) and single lines of prose (one cell)."""
    lines = text.split("\n")
    blocks: list[list[list[str]]] = []
    for is_table, run in groupby(lines, key=lambda line: bool(SEPARATOR.search(line))):
        if not is_table:
            blocks += [[[line]] for line in run]
            continue
        rows = [[cell.strip() for cell in SEPARATOR.split(_bare(line))] for line in run if not RULE.fullmatch(line)]
        columns = list(zip_longest(*rows, fillvalue=""))
        padded = [list(row) for row in zip(*columns, strict=True)]
        blocks.append([row if len(row) > 1 else [*row, ""] for row in padded])
    return [block for block in blocks if block]


def _bare(line: str) -> str:
    """A markdown row without its outer bars."""
    line = line.strip(" ")
    return line[1:-1] if line.startswith("|") and line.endswith("|") and len(line) > 2 else line


def _squeeze(wanted: Sequence[float], room: float) -> Sequence[float]:
    """Column widths within the room: narrow columns keep what they want, the widest share what is left."""
    if sum(wanted) <= room:
        return wanted
    low, high = 0.0, max(wanted)
    for _ in range(40):
        cap = (low + high) / 2
        low, high = (cap, high) if sum(min(width, cap) for width in wanted) <= room else (low, cap)
    return [min(width, low) for width in wanted]
