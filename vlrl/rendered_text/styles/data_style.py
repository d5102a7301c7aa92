"""The styles `json` and `csv`: data in a text as indented, coloured JSON or as a ruled table; the rest stays prose."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image as Pillow

from vlrl.errors import ConfigError
from vlrl.rendered_text.page import Block, Colour, Lines, Page, draw_stack, new_page, stack_height
from vlrl.rendered_text.styles.code_style import lay_code
from vlrl.rendered_text.styles.style_registry import styles
from vlrl.rendered_text.styles.table_style import TableColours, lay_table, line_step
from vlrl.rendered_text.typesetting.fonts import Family, font_file
from vlrl.rendered_text.typesetting.line_breaking import wrap
from vlrl.rendered_text.typesetting.typeface import typeface
from vlrl.rendered_text.undrawable import UndrawableError

GAP = 8  # pixels between data and prose


@dataclass(frozen=True)
class _DataPage(Page):
    """A page of prose and data."""

    family: Family = "sans"
    dark: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        font_file(self.family)

    @property
    def _colours(self) -> tuple[Colour, Colour]:
        """(paper, ink)"""
        return ((24, 26, 30), (232, 232, 228)) if self.dark else ((255, 255, 255), (0, 0, 0))

    def draw_at(self, text: str, rng: np.random.Generator, capital_pixels: int) -> Pillow.Image:
        """The text on a page."""
        paper, ink = self._colours
        blocks: list[Block] = []
        for part in self.parts(text):
            if isinstance(part, str):
                font = typeface(part, self.family, capital_pixels, fallbacks=self.fallbacks)
                blocks.append(Lines(wrap(part, self.room, font.getlength), font, line_step(font), ink, self.room))
            else:
                blocks.append(self.lay_data(part, capital_pixels))
        page = new_page(
            self.width, 2 * self.margin + stack_height(blocks, GAP), self.min_height, self.max_height, paper
        )
        draw_stack(page, blocks, self.margin, self.margin, GAP)
        return page

    def parts(self, text: str) -> list[Any]:
        """Prose as strings, and data as anything else, in order. Raises DataError if there is no data."""
        raise NotImplementedError

    def lay_data(self, data: Any, capital_pixels: int) -> Block:
        """Data laid out within the margins."""
        raise NotImplementedError


@styles.register("json")
@dataclass(frozen=True)
class Json(_DataPage):
    """Every JSON object and list in the text, indented and coloured; numbers stay as they are written."""

    indent: int = 2  # characters

    def parts(self, text: str) -> list[Any]:
        """Prose and parsed values."""
        # what is shown is what was written: 1.50 must not become 1.5
        decoder = json.JSONDecoder(parse_float=_Written, parse_int=_Written, object_pairs_hook=_Object)
        found: list[Any] = []
        done = at = 0
        while start := re.compile(r"[\[{]").search(text, at):
            try:
                value, end = decoder.raw_decode(text, start.start())
            except json.JSONDecodeError:
                at = start.start() + 1
                continue
            found += [text[done : start.start()].strip(), (value,)]
            done = at = end
        if not found:
            raise UndrawableError(
                "rendered text, style 'json'", "the text holds no JSON object or list", "use another style"
            )
        return [part for part in [*found, text[done:].strip()] if part]

    def lay_data(self, data: Any, capital_pixels: int) -> Block:
        """Indented and coloured JSON."""
        text = indented(data[0], self.indent, 0)
        return lay_code(
            text,
            "json",
            "monokai" if self.dark else "default",
            self.room,
            capital_pixels,
            fallbacks=self.fallbacks,
        )


class _Written(str):
    """A number as it was written."""


class _Object(list[tuple[str, Any]]):
    """An object as the pairs that were written: a key given twice stays twice."""


def indented(value: Any, indent: int, level: int) -> str:
    """JSON with line breaks; a list or object of plain values that is short stays on one line."""
    if isinstance(value, _Written):
        return str(value)
    if isinstance(value, list) and not value:
        return "{}" if isinstance(value, _Object) else "[]"
    if not isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    inner, outer = " " * indent * (level + 1), " " * indent * level
    if isinstance(value, _Object):
        items = [f"{json.dumps(k, ensure_ascii=False)}: {indented(v, indent, level + 1)}" for k, v in value]
        left, right = "{", "}"
    else:
        items = [indented(v, indent, level + 1) for v in value]
        left, right = "[", "]"
    line = left + ", ".join(items) + right
    if "\n" not in line and len(line) + len(outer) <= 36:
        return line
    return left + "\n" + ",\n".join(inner + item for item in items) + "\n" + outer + right


@styles.register("csv")
@dataclass(frozen=True)
class Csv(_DataPage):
    """Two or more lines in a row with the same number of fields, two at least, become a ruled table."""

    delimiter: str = ","
    padding: int = 6  # pixels between text and rule

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.delimiter) != 1:
            raise ConfigError("style 'csv', delimiter", f"{self.delimiter!r} is not one character", "e.g. , or ;")

    def parts(self, text: str) -> list[Any]:
        """Prose and tables (tuples of rows)."""
        lines = text.split("\n")
        rows = [self._fields(line) for line in lines]
        found: list[Any] = []
        i, any_table = 0, False
        while i < len(lines):
            end = i
            while end < len(lines) and len(rows[end]) == len(rows[i]) >= 2:
                end += 1
            if end - i >= 2:
                found.append(tuple(tuple(row) for row in rows[i:end]))
                i, any_table = end, True
            else:
                found.append(lines[i])
                i += 1
        if not any_table:
            raise UndrawableError(
                "rendered text, style 'csv'",
                f"the text holds no two lines in a row with the same number of fields between {self.delimiter!r}",
                "set delimiter, or use another style",
            )
        return [part for part in found if part]

    def _fields(self, line: str) -> list[str]:
        read = next(csv.reader(io.StringIO(line), delimiter=self.delimiter, skipinitialspace=True), [])
        return [field.strip() for field in read]

    def lay_data(self, data: Any, capital_pixels: int) -> Block:
        """A ruled table."""
        paper, ink = self._colours
        text = "\n".join(cell for row in data for cell in row)
        shade: Colour = (48, 54, 66) if self.dark else (228, 233, 241)
        rule: Colour = (74, 80, 92) if self.dark else (200, 200, 200)
        font = typeface(text, self.family, capital_pixels, fallbacks=self.fallbacks)
        return lay_table(data, self.room - 1, font, self.padding, TableColours(paper, ink, shade, rule))
