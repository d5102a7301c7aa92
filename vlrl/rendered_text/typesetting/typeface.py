"""A typeface: a family with fallbacks that has a glyph for every character of one text, and sets its lines.

Letters that stand alone are set one by one, as Pillow's basic layout does it. Scripts whose letters join, stack or run
from right to left are shaped by HarfBuzz through Pillow's raqm. What has no glyph, or can't be shaped here, is refused
by name: a box instead of a letter, or letters in the wrong order, would change the question.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from PIL import ImageDraw, ImageFont, features

from vlrl.rendered_text.typesetting.fonts import COVERS, font_file, font_of_height, known_characters
from vlrl.rendered_text.typesetting.scripts import (
    INVISIBLE,
    clusters,
    control_character,
    has_right_to_left,
    needs_shaping,
)
from vlrl.rendered_text.undrawable import UndrawableError

Colour = tuple[int, int, int]
_UNSEEN = frozenset("\u00ad\u200b\u2060\ufeff")  # left out where letters are set one by one
Cut = tuple[str, bool]  # a family or a font file, and whether its bold cut
_HIDDEN = str.maketrans(dict.fromkeys(_UNSEEN))


@dataclass(frozen=True)
class Typeface:
    """Fonts of one height of capitals, the family first; every method takes text that `typeface` has accepted."""

    cuts: tuple[Cut, ...]  # of the fonts
    fonts: tuple[ImageFont.FreeTypeFont, ...]
    metrics: tuple[int, int]  # pixels above and below the baseline, of all fonts that the text needs

    def getmetrics(self) -> tuple[int, int]:
        """Pixels above and below the baseline."""
        return self.metrics

    def getlength(self, text: str, rtl: bool = False) -> float:
        """Pixels that a line takes."""
        if text.isascii():  # by far the most frequent
            return self.fonts[0].getlength(text)
        return sum(_length(font, shaped, piece, rtl) for font, shaped, piece in self.runs(text))

    def getbbox(self, text: str) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of a line's ink, of the family's own font, with the ascender at 0."""
        return self.fonts[0].getbbox(text)

    def draw(
        self,
        pen: ImageDraw.ImageDraw,
        at: tuple[float, float],
        text: str,
        fill: Colour | str,
        rtl: bool = False,
        on_baseline: bool = False,
    ) -> None:
        """A line from its left end. `at` is the upper left corner of the line, or its baseline's left end."""
        x, y = at
        for font, shaped, piece in self.runs(text):
            if on_baseline:
                place, anchor = (x, y), "ls"
            else:
                place, anchor = (x, y + self.metrics[0] - font.getmetrics()[0]), "la"
            if shaped:
                pen.text(place, piece, font=font, fill=fill, anchor=anchor, direction="rtl" if rtl else "ltr")
            else:
                pen.text(place, piece, font=font, fill=fill, anchor=anchor)
            x += _length(font, shaped, piece, rtl)

    def runs(self, text: str) -> list[tuple[ImageFont.FreeTypeFont, bool, str]]:
        """(font, whether it shapes, text) from left to right. A line with text from right to left is one run, since its
        order on the page is a matter of the whole line."""
        if text.isascii():
            return [(self.fonts[0], False, text)]
        if has_right_to_left(text):
            at = _covering(text, self.cuts)
            assert at is not None  # `typeface` has seen to it
            return [(_shaping(self.fonts[at]), True, _plain_spaces(text, self.cuts[at]))]
        runs = []
        for (at, shaped), group in groupby(
            clusters(text), key=lambda c: (_font_of(c, self.cuts), bool(needs_shaping(c)))
        ):
            piece = _plain_spaces("".join(group), self.cuts[at])
            runs.append(
                (_shaping(self.fonts[at]), True, piece) if shaped else (self.fonts[at], False, piece.translate(_HIDDEN))
            )
        return runs


def typeface(
    text: str, family: str, capital_pixels: int, bold: bool = False, fallbacks: Sequence[str] = ()
) -> Typeface:
    """The family and those fallbacks with which a text can be drawn; lines of the text have its metrics.

    Raises UndrawableError for control characters, characters without a glyph in any of the fonts, scripts that must be
    shaped where Pillow has no raqm, and a paragraph from right to left that no single font covers.
    """
    own = font_of_height(family, capital_pixels, bold)
    if text.isascii() and control_character(text) is None:
        return Typeface(((family, bold),), (own,), own.getmetrics())
    cuts = _cuts((family, *fallbacks), bold)
    check_characters(text, (family, *fallbacks), bold)
    fonts = tuple(font_of_height(name, capital_pixels, is_bold) for name, is_bold in cuts)
    needed = {0} | {_font_of(c, cuts) for c in set(clusters(text))}
    needed |= {_covering(line, cuts) or 0 for line in text.split("\n") if has_right_to_left(line)}
    metrics = [fonts[at].getmetrics() for at in sorted(needed)]
    face = Typeface(cuts, fonts, (max(up for up, _ in metrics), max(down for _, down in metrics)))
    for cluster in set(clusters(text)):
        if len(cluster) > 2:
            _check_height(cluster, face)
    return face


def _check_height(cluster: str, face: Typeface) -> None:
    """Raises UndrawableError for a letter whose marks are piled up into the line above or below."""
    up, down = face.metrics
    spare = (up + down) / 8
    for font, shaped, piece in face.runs(cluster):
        if shaped and piece.strip():
            _, top, _, bottom = font.getbbox(piece, anchor="ls")
            if top < -up - spare or bottom > down + spare:
                raise UndrawableError(
                    "rendered text",
                    f"{len(cluster) - 1} marks are piled up on {_named(cluster[0])}, higher than a line",
                    "leave the text typed",
                )


def _cuts(names: Sequence[str], bold: bool) -> tuple[Cut, ...]:
    """The cuts to ask in order; what no bold one has is set in the plain ones."""
    plain = tuple((name, False) for name in names)
    return (*((name, True) for name in names), *plain) if bold else plain


def refuse_control_characters(text: str) -> None:
    """Raises UndrawableError for what is no text: an instruction to a terminal, half of a surrogate pair."""
    control = control_character(text)
    if control is not None:
        kind = "a control character" if unicodedata.category(control) == "Cc" else "no character of Unicode"
        raise UndrawableError("rendered text", f"{_named(control)} is {kind}", "take it out of the text")


def check_characters(text: str, names: Sequence[str], bold: bool = False) -> None:
    """Raises UndrawableError, with the characters, unless each can be drawn with one of the fonts."""
    refuse_control_characters(text)
    cuts = _cuts(names, bold)
    known = [known_characters(*cut) for cut in cuts]
    missing = sorted(
        {c for c in text if not _is_blank(c) and c not in INVISIBLE and all(ord(c) not in each for each in known)}
    )
    if missing:
        listed = ", ".join(map(_named, missing[:5])) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise UndrawableError(
            "rendered text",
            f"{_fonts(names)} no glyph for {listed}",
            f"set fallbacks to fonts that have them{_advice(missing[0])}, or leave the text typed",
        )
    script = needs_shaping(text)
    if script and not features.check("raqm"):
        raise UndrawableError(
            "rendered text",
            f"{script} must be shaped, and this Pillow has no raqm",
            "install Pillow's own wheel, or leave the text typed",
        )
    for cluster in set(clusters(text)):
        if len(cluster) > 1 and _covering(cluster, cuts) is None:
            raise UndrawableError(
                "rendered text",
                f"none of the fonts has all of {', '.join(map(_named, cluster[:5]))}, which are set as one",
                "put a font that has them all into fallbacks, or leave the text typed",
            )
    for line in text.split("\n"):
        if has_right_to_left(line) and _covering(line, cuts) is None:
            raise UndrawableError(
                "rendered text",
                f"none of the fonts covers the whole line {line[:40]!r}, which runs from right to left in part",
                "put a font that covers all its characters into fallbacks, or leave the text typed",
            )


@lru_cache(maxsize=8192)
def _font_of(cluster: str, cuts: tuple[Cut, ...]) -> int:
    """The first font with a glyph for every character of a cluster."""
    return _covering(cluster, cuts) or 0


def _covering(text: str, cuts: Sequence[Cut]) -> int | None:
    """The first font with a glyph for every character that needs one."""
    needed = {ord(c) for c in text if not _is_blank(c) and c not in INVISIBLE}
    return next((at for at, cut in enumerate(cuts) if needed <= known_characters(*cut)), None)


def _is_blank(character: str) -> bool:
    return character in "\n\t" or unicodedata.category(character) in ("Zs", "Zl", "Zp")


def _plain_spaces(text: str, cut: Cut) -> str:
    """A text whose spaces all have a glyph: one that a font lacks is drawn as its plain space, the wide one as two."""
    known = known_characters(*cut)
    if all(ord(c) in known or not _is_blank(c) for c in text):
        return text
    return "".join(
        c if ord(c) in known or not _is_blank(c) else "  " if unicodedata.east_asian_width(c) == "F" else " "
        for c in text
    )


@lru_cache(maxsize=256)
def _shaping(font: ImageFont.FreeTypeFont) -> ImageFont.FreeTypeFont:
    """The same font with raqm's layout."""
    return font.font_variant(layout_engine=ImageFont.Layout.RAQM)


def _length(font: ImageFont.FreeTypeFont, shaped: bool, text: str, rtl: bool) -> float:
    return font.getlength(text, direction="rtl" if rtl else "ltr") if shaped else font.getlength(text)


def _named(character: str) -> str:
    name = unicodedata.name(character, "")
    return f"{character!r} (U+{ord(character):04X}{f' {name}' if name else ''})"


def _fonts(names: Sequence[str]) -> str:
    files = [Path(font_file(name)).name for name in names]
    return f"the font {files[0]} has" if len(files) == 1 else f"none of the fonts {', '.join(files)} has"


def _advice(character: str) -> str:
    """Which of the known families has a character's script, where one has."""
    found = next((name for name, blocks in COVERS.items() if any(a <= ord(character) <= b for a, b in blocks)), None)
    return f", e.g. [{found}]" if found else ""
