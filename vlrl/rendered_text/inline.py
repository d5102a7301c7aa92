"""Lines of mixed pieces: words in several fonts, and formulas, on one baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from vlrl.rendered_text.formula import Formula
from vlrl.rendered_text.page import Colour, OverfullError


@dataclass(frozen=True)
class Word:
    """A word, or white space, in one font."""

    text: str
    font: ImageFont.FreeTypeFont
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
    font: ImageFont.FreeTypeFont  # its metrics are the least a line has
    spacing: float = 1.2
    indent: int = 0  # pixels
    bullet: Word | None = None  # stands left of the first line
    bullet_at: int = 0  # pixels

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
                at = (x + self.bullet_at, baseline)
                pen.text(at, self.bullet.text, font=self.bullet.font, fill=self.bullet.colour, anchor="ls")
            for piece in line:
                if isinstance(piece, MathWord):
                    mask = Pillow.fromarray(piece.formula.mask)
                    page.paste(piece.colour, (round(along), baseline - piece.formula.ascent), mask)
                else:
                    pen.text((along, baseline), piece.text, font=piece.font, fill=piece.colour, anchor="ls")
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
        space = isinstance(chunk[0], Word) and chunk[0].text.isspace()
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
            parts = [Word(c, piece.font, piece.colour) for c in piece.text] if isinstance(piece, Word) else [piece]
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
        space = isinstance(piece, Word) and piece.text.isspace()
        if open_run and not space:
            chunks[-1].append(piece)
        else:
            chunks.append([piece])
        open_run = not space
    return chunks
