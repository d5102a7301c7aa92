"""Formulas set by matplotlib's mathtext; what mathtext can't set is an error that names the formula and the place."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser

from vlrl.errors import DataError

FontSet = Literal["dejavusans", "dejavuserif", "stix", "stixsans", "cm"]
CAPITAL_OF_EM = 0.66  # height of a capital in ems: 0.66 in STIX, 0.68 in cm, 0.73 in DejaVu

# other names for what mathtext sets; (?![a-zA-Z]) keeps \le from matching in \left
SAME = [
    (re.compile(name + r"(?![a-zA-Z])"), same)
    for name, same in [
        (r"\\[td]frac", r"\\frac"),
        (r"\\le", r"\\leq"),
        (r"\\ge", r"\\geq"),
        (r"\\leqslant", r"\\leq"),
        (r"\\geqslant", r"\\geq"),
        (r"\\implies", r"\\Longrightarrow"),
        (r"\\iff", r"\\Longleftrightarrow"),
        (r"\\land", r"\\wedge"),
        (r"\\lor", r"\\vee"),
        (r"\\limits", r""),
        (r"\\(?:textbf|mathbf)", r"\\mathbf"),
        (r"\\textit", r"\\mathit"),
        (r"\\textrm", r"\\mathrm"),
        (r"\\lbrace", r"\\{"),
        (r"\\rbrace", r"\\}"),
    ]
]
DIGIT_FRACTION = re.compile(r"\\frac\s*(\d)\s*(\d)")
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

    `number` says which formula of the text it is. Raises DataError for what mathtext can't set, for a character without
    a glyph, and for scripts whose capitals would be lower than `smallest_script_pixels`.
    """
    same = _same(tex.strip())
    try:
        formula = _parse(same, capital_pixels / CAPITAL_OF_EM, fontset)
    except ValueError as error:
        found = PLACE.search(str(error))
        at = int(found.group(1)) if found else 0
        reason = str(error).strip().splitlines()[-1].split(": ", 1)[-1].split(", found")[0]
        raise DataError(
            f"rendered text, formula {number}, at {same[at : at + 24]!r}",
            f"mathtext can't set ${same}$: {reason}",
            "write it without that command, or leave the text typed",
        ) from error
    if formula.missing:
        raise DataError(f"rendered text, formula {number}", f"${same}$: {formula.missing[0]}", "leave the text typed")
    if formula.smallest_capital < smallest_script_pixels:
        raise DataError(
            f"rendered text, formula {number}",
            f"${same}$ has scripts of {formula.smallest_capital:.1f} pixels, the least is {smallest_script_pixels}",
            "raise capital_pixels, or lower smallest_script_pixels",
        )
    return formula


def _same(tex: str) -> str:
    """The formula in the names that mathtext knows."""
    for pattern, same in SAME:
        tex = pattern.sub(same, tex)
    return DIGIT_FRACTION.sub(r"\\frac{\1}{\2}", tex)


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
