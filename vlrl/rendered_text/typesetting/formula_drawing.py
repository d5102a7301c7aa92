"""Formulas set by matplotlib's mathtext, and tables of such formulas: matrices, cases, aligned equations, frames.

What can't be set is an error that names the formula and the place in it.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser
from PIL import Image as Pillow

from vlrl.rendered_text.typesetting.tex import Frame, Piece, Table, TexError, read
from vlrl.rendered_text.undrawable import UndrawableError

FontSet = Literal["dejavusans", "dejavuserif", "stix", "stixsans", "cm"]
CAPITAL_OF_EM = 0.66  # height of a capital in ems: 0.66 in STIX, 0.68 in cm, 0.73 in DejaVu

LARGEST = 1.6  # times its size that a formula is enlarged for the sake of its smallest script
AXIS = 0.25  # ems from the baseline up to the middle of a fraction, and of a table
ROW_GAP, COLUMN_GAP = 0.45, 1.0  # ems between the rows and columns of a table
PLACE = re.compile(r"\(at char (\d+)\)")


@dataclass(frozen=True)
class Formula:
    """A formula as a mask of ink; it is a piece of a line like a word."""

    mask: np.ndarray  # (H, W) in 0–255, 255 = ink
    descent: int  # pixels below the baseline
    smallest_capital: float  # pixels a capital would have in its smallest script
    missing: tuple[str, ...]  # warnings about glyphs

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.mask.shape[1])

    @property
    def ascent(self) -> int:
        """Pixels above the baseline."""
        return int(self.mask.shape[0]) - self.descent


def set_formula(tex: str, capital_pixels: int, fontset: FontSet, smallest_script_pixels: int, number: int) -> Formula:
    """The formula `tex` (without dollars), its letters `capital_pixels` high, scripts 0.7 and 0.49 of that.

    Where its smallest scripts would have capitals lower than `smallest_script_pixels` the formula is set larger, up to
    1.6 times. `number` says which formula of the text it is. Raises UndrawableError for what can't be set, for a
    character without a glyph, and for scripts that are too small even so.
    """
    place = f"rendered text, formula {number}"
    try:
        pieces = read(tex.strip() + " " if tex.rstrip().endswith("\\") else tex.strip())
    except TexError as error:
        raise _unset(f"{place}, at {error.near!r}", tex, error.problem) from error
    if not pieces:
        raise UndrawableError(place, "it is empty", "take the dollar signs out, or leave the text typed")
    formula = _enlarged(pieces, tex, capital_pixels, capital_pixels, fontset, place)
    larger = capital_pixels
    while formula.smallest_capital < smallest_script_pixels and larger < round(capital_pixels * LARGEST):
        larger += 1
        formula = _enlarged(pieces, tex, larger, capital_pixels, fontset, place)
    if formula.missing:
        raise UndrawableError(place, f"${tex}$: {formula.missing[0]}", "leave the text typed")
    if formula.smallest_capital < smallest_script_pixels:
        raise UndrawableError(
            place,
            f"${tex}$ has scripts of {formula.smallest_capital:.1f} pixels at {larger / capital_pixels:.1f} times its "
            f"size, the least is {smallest_script_pixels}",
            "raise capital_pixels, or lower smallest_script_pixels",
        )
    return formula


def _enlarged(
    pieces: tuple[Piece, ...], tex: str, pixels: int, capital_pixels: int, fontset: FontSet, place: str
) -> Formula:
    """The formula with letters of `pixels`; a mistake of mathtext's is one of ours with its place."""
    try:
        return _row(pieces, pixels / CAPITAL_OF_EM, fontset)
    except ValueError as error:
        found = PLACE.search(str(error))
        lines = str(error).strip().splitlines()
        source = lines[0] if len(lines) > 1 else tex
        at = int(found.group(1)) if found else 0
        reason = lines[-1].split(": ", 1)[-1].split(", found")[0]
        raise _unset(f"{place}, at {source[at : at + 24]!r}", tex, reason) from error


def _unset(place: str, tex: str, reason: str) -> UndrawableError:
    return UndrawableError(place, f"can't set ${tex}$: {reason}", "write it another way, or leave the text typed")


def _row(pieces: tuple[Piece, ...], em: float, fontset: FontSet) -> Formula:
    """Pieces side by side on one baseline."""
    if len(pieces) == 1 and isinstance(pieces[0], str):
        return _parse(pieces[0], em, fontset)
    return _beside([_piece(piece, em, fontset) for piece in pieces], round(em * 0.2))


def _piece(piece: Piece, em: float, fontset: FontSet) -> Formula:
    if isinstance(piece, str):
        return _parse(piece, em, fontset)
    if isinstance(piece, Frame):
        inner, pad = _row(piece.inner, em, fontset), max(3, round(em * 0.25))
        mask = np.pad(np.pad(inner.mask, pad), 1, constant_values=255)
        return Formula(mask, inner.descent + pad + 1, inner.smallest_capital, inner.missing)
    grid = _grid(piece, em, fontset)
    fences = [_fence(d, len(grid.mask), grid.descent, em, fontset) for d in (piece.left, piece.right)]
    return _beside([part for part in (fences[0], grid, fences[1]) if part is not None], max(1, round(em * 0.12)))


def _beside(parts: list[Formula], gap: int) -> Formula:
    ascent, descent = max(p.ascent for p in parts), max(p.descent for p in parts)
    mask = np.zeros((ascent + descent, sum(p.width for p in parts) + gap * (len(parts) - 1)), np.uint8)
    x = 0
    for part in parts:
        top = ascent - part.ascent
        mask[top : top + len(part.mask), x : x + part.width] = part.mask
        x += part.width + gap
    missing = tuple(warning for part in parts for warning in part.missing)
    return Formula(mask, descent, min(p.smallest_capital for p in parts), missing)


def _grid(table: Table, em: float, fontset: FontSet) -> Formula:
    """The cells of a table without its delimiters, its middle on the axis of fractions."""
    strut = _parse("x", em, fontset)
    blank = Formula(np.zeros((len(strut.mask), 1), np.uint8), strut.descent, strut.smallest_capital, ())
    cells = [[_row(cell, em, fontset) if cell else blank for cell in row] for row in table.rows]
    widths = [max(cell.width for cell in column) for column in zip(*cells, strict=True)]
    rows = [(max(c.ascent for c in row), max(c.descent for c in row)) for row in cells]
    gap = round(em * ROW_GAP)
    gaps = [0 if table.columns[i : i + 2] == "rl" else round(em * COLUMN_GAP) for i in range(len(widths))]
    height = sum(up + down for up, down in rows) + gap * (len(rows) - 1)
    mask = np.zeros((height, sum(widths) + sum(gaps[:-1])), np.uint8)
    y = 0
    for row, (up, down) in zip(cells, rows, strict=True):
        x = 0
        for cell, width, side, space in zip(row, widths, table.columns, gaps, strict=True):
            left = x + {"l": 0, "c": (width - cell.width) // 2, "r": width - cell.width}[side]
            top = y + up - cell.ascent
            mask[top : top + len(cell.mask), left : left + cell.width] = cell.mask
            x += width + space
        y += up + down + gap
    every = [cell for row in cells for cell in row]
    missing = tuple(warning for cell in every for warning in cell.missing)
    return Formula(mask, round(height / 2 - AXIS * em), min(c.smallest_capital for c in every), missing)


def _fence(delimiter: str, height: int, descent: int, em: float, fontset: FontSet) -> Formula | None:
    """A delimiter as high as a table and a little more; None for none. It grows less in width than in height."""
    if not delimiter:
        return None
    plain, more = _parse(delimiter, em, fontset), max(1, round(em * 0.1))
    times = max(1.0, (height + 2 * more) / max(1, len(plain.mask)))
    glyph = _parse(delimiter, em * times, fontset)
    shape = (max(2, round(plain.width * times**0.3)), height + 2 * more)
    rows = np.flatnonzero(glyph.mask.any(axis=1))
    drawn = Pillow.fromarray(glyph.mask[rows[0] : rows[-1] + 1])
    mask = np.asarray(drawn.resize(shape, Pillow.Resampling.LANCZOS))
    return Formula(mask, descent + more, plain.smallest_capital, glyph.missing)


class _Kept(logging.Handler):
    """Keeps what mathtext warns of: it draws a stand-in for a missing glyph and only logs that."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@lru_cache(maxsize=1024)
def _parse(tex: str, em_pixels: float, fontset: FontSet) -> Formula:
    font = FontProperties(size=em_pixels, math_fontfamily=fontset)
    kept, logger = _Kept(), logging.getLogger("matplotlib.mathtext")
    propagate = logger.propagate
    logger.addHandler(kept)
    logger.propagate = False
    try:
        # one point is one pixel at 72 dots an inch; outlines first: they say the size of every glyph
        outlines = MathTextParser("path").parse(f"${tex}$", 72, font)
        raster = MathTextParser("agg").parse(f"${tex}$", 72, font)
    finally:
        logger.removeHandler(kept)
        logger.propagate = propagate
    sizes = [float(glyph[1]) for glyph in outlines.glyphs] or [em_pixels]
    mask = np.asarray(raster.image)
    return Formula(mask, round(raster.depth) + 1, min(sizes) * CAPITAL_OF_EM, tuple(kept.messages))
