"""Lines of mixed pieces: words in several fonts, and formulas, on one baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from PIL import Image as Pillow
from PIL import ImageDraw

from vlrl.rendered_text.page import Colour
from vlrl.rendered_text.typesetting.formula_drawing import Formula
from vlrl.rendered_text.typesetting.line_breaking import is_gap
from vlrl.rendered_text.typesetting.scripts import clusters, has_right_to_left, may_break
from vlrl.rendered_text.typesetting.typeface import Typeface
from vlrl.rendered_text.undrawable import OverfullError

T = TypeVar("T")


@dataclass(frozen=True)
class Word:
    """A word, or white space, in one font."""

    text: str
    font: Typeface
    colour: Colour

    @property
    def width(self) -> float:
        """Pixels."""
        return self.font.getlength(self.text)


@dataclass(frozen=True)
class MathWord:
    """A formula among words."""

    formula: Formula
    colour: Colour

    @property
    def width(self) -> float:
        """Pixels."""
        return self.formula.width + 1


Piece = Word | MathWord


@dataclass(frozen=True)
class RichLines:
    """Lines of pieces; every line is as high as its highest piece."""

    lines: Sequence[Sequence[Piece]]
    font: Typeface  # its metrics are the least a line has
    spacing: float = 1.2
    indent: int = 0  # pixels
    bullet: Word | None = None  # stands left of the first line
    bullet_at: int = 0  # pixels
    room: int = 0  # pixels; a line that runs from right to left ends there
    rtl: bool = False

    def _extent(self, line: Sequence[Piece]) -> tuple[int, int]:
        """Pixels above and below the baseline."""
        metrics = [self.font.getmetrics()]
        for piece in line:
            metrics.append(
                (piece.formula.ascent + 1, piece.formula.descent + 1)
                if isinstance(piece, MathWord)
                else piece.font.getmetrics()
            )
        return max(ascent for ascent, _ in metrics), max(descent for _, descent in metrics)

    def _heights(self) -> list[int]:
        lead = round(sum(self.font.getmetrics()) * (self.spacing - 1))
        return [sum(self._extent(line)) + lead for line in self.lines]

    @property
    def height(self) -> int:
        """Pixels of all lines."""
        return sum(self._heights())

    def draw(self, page: Pillow.Image, x: int, y: int) -> None:
        """All lines from the left."""
        pen = ImageDraw.Draw(page)
        for number, (line, height) in enumerate(zip(self.lines, self._heights(), strict=True)):
            baseline, along = y + self._extent(line)[0], float(x + self.indent)
            if number == 0 and self.bullet:
                at = (float(x + self.bullet_at), float(baseline))
                if self.rtl:
                    at = (x + self.room - self.bullet_at - self.bullet.width, at[1])
                self.bullet.font.draw(pen, at, self.bullet.text, self.bullet.colour, on_baseline=True)
            if self.rtl:
                along = x + self.room - self.indent - sum(piece.width for piece in line)
            for piece in in_visual_order(line, self.rtl, _text_of):
                if isinstance(piece, MathWord):
                    mask = Pillow.fromarray(piece.formula.mask)
                    page.paste(piece.colour, (round(along), baseline - piece.formula.ascent), mask)
                else:
                    place = (along, float(baseline))
                    piece.font.draw(pen, place, piece.text, piece.colour, rtl=self.rtl, on_baseline=True)
                along += piece.width
            y += height


def break_pieces(pieces: Sequence[Piece], width: float) -> list[list[Piece]]:
    """Lines of at most `width` pixels, broken at white space, or between the characters of a word that is wider.

    Pieces that follow each other without white space stay together where they fit. Raises OverfullError for a formula
    or a character that is wider than a line.
    """
    lines: list[list[Piece]] = [[]]
    length = 0.0
    for chunk in _chunks(pieces):
        needed = sum(piece.width for piece in chunk)
        space = isinstance(chunk[0], Word) and is_gap(chunk[0].text)
        if space and not lines[-1]:
            continue  # a line begins with a word
        if length + needed > width and not space and lines[-1]:
            lines.append([])
            length = 0.0
        if needed <= width - length or space:
            lines[-1].extend(chunk)
            length += needed
            continue
        for piece in chunk:
            parts = (
                [Word(c, piece.font, piece.colour) for c in clusters(piece.text)]
                if isinstance(piece, Word)
                else [piece]
            )
            for part in parts:
                if part.width > width:
                    shown = f"{part.text!r}" if isinstance(part, Word) else "a formula"
                    raise OverfullError(
                        "rendered text",
                        f"{shown} is {part.width:.0f} pixels wide, a line has {width:.0f}",
                        "raise width, lower capital_pixels, or leave the text typed",
                    )
                if length + part.width > width:
                    lines.append([])
                    length = 0.0
                lines[-1].append(part)
                length += part.width
    return lines


def _chunks(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """White space alone, and runs of pieces without white space between them."""
    chunks: list[list[Piece]] = []
    open_run = False
    for piece in pieces:
        space = isinstance(piece, Word) and is_gap(piece.text)
        if open_run and not space and not _parted(chunks[-1][-1], piece):
            chunks[-1].append(piece)
        else:
            chunks.append([piece])
        open_run = not space
    return chunks


def _parted(before: Piece, after: Piece) -> bool:
    """Whether a line may end between two pieces that no space parts."""
    return isinstance(before, Word) and isinstance(after, Word) and may_break(before.text[-1], after.text[0])


def _text_of(piece: Piece) -> str:
    return piece.text if isinstance(piece, Word) else "x"  # a formula runs from left to right


def in_visual_order(pieces: Sequence[T], rtl: bool, text_of: Callable[[T], str]) -> list[T]:
    """The pieces of a line from left to right, where their words are shaped one by one (after UAX #9, rule L2).

    In a paragraph that runs from right to left the words do so, but for stretches that run the other way; and the
    other way round. White space between two words of one direction goes with them.
    """
    against = [_runs_against(text_of(piece), rtl) for piece in pieces]
    if not rtl and not any(against):
        return list(pieces)
    for i, way in enumerate(against):
        if way is None:
            before = next((w for w in reversed(against[:i]) if w is not None), False)
            after = next((w for w in against[i + 1 :] if w is not None), False)
            against[i] = before and after
    ordered: list[T] = []
    for is_against, group in groupby(zip(against, pieces, strict=True), key=lambda pair: bool(pair[0])):
        stretch = [piece for _, piece in group]
        ordered += stretch[::-1] if is_against else stretch
    return ordered[::-1] if rtl else ordered


def _runs_against(text: str, rtl: bool) -> bool | None:
    """Whether a word runs against its paragraph; None for one without a direction of its own."""
    if has_right_to_left(text):
        return not rtl
    return rtl if any(c.isalnum() for c in text) else None
