"""Breaking text into lines: between words where it can be, never losing a character, never parting a letter's marks."""

from __future__ import annotations

import re
from collections.abc import Callable

from vlrl.rendered_text.typesetting.scripts import ZERO_WIDTH_SPACE, clusters, is_right_to_left, may_break
from vlrl.rendered_text.undrawable import OverfullError

NEW_LINE = re.compile(r"\r\n|[\r\x85\u2028\u2029]")
# white space at which a line may end: all of it but what Unicode calls no-break
PIECE = re.compile(r"[^\S\u00a0\u2007\u202f]+|(?:\S|[\u00a0\u2007\u202f])+")


class Line(str):
    """A line of text, and whether its paragraph runs from right to left and so stands at the right margin."""

    rtl: bool = False


def even_lines(text: str) -> str:
    """The text with one kind of line break."""
    return NEW_LINE.sub("\n", text)


def pieces_of(text: str) -> list[str]:
    """White space, and what stands together: words, and single characters of scripts that break between any two."""
    found: list[str] = []
    for piece in PIECE.findall(text):
        if piece.isascii() or piece.isspace():
            found.append(piece)
            continue
        start = 0
        for i in range(1, len(piece)):
            if may_break(piece[i - 1], piece[i]):
                found.append(piece[start:i])
                start = i
        found.append(piece[start:])
    return found


def is_gap(piece: str) -> bool:
    """Whether a piece is white space at which a line may end."""
    return piece.isspace() and PIECE.fullmatch(piece) is not None and piece[0] not in "\u00a0\u2007\u202f"


def wrap(text: str, width: float, measure: Callable[[str], float]) -> list[Line]:
    """The lines of `text`, each at most `width` by `measure`. Line breaks and indentation of the text are kept;
    a word that is wider than a line is broken between characters. Raises OverfullError if one character is wider."""
    lines: list[Line] = []
    for paragraph in even_lines(text).expandtabs(4).split("\n"):
        rtl = is_right_to_left(paragraph)
        for line in _wrapped(paragraph.rstrip(), width, measure):
            lines.append(Line(line))
            lines[-1].rtl = rtl
    return lines


def _wrapped(paragraph: str, width: float, measure: Callable[[str], float]) -> list[str]:
    lines: list[str] = []
    line, length = "", 0.0  # widths are added up: measuring the whole line for every word takes far longer
    for piece in pieces_of(paragraph):
        needed = measure(piece)
        if length + needed <= width or is_gap(piece):
            line, length = line + piece, length + needed
            continue
        if line.strip():
            lines.append(line.rstrip())
        line, length = "", 0.0  # an indentation that leaves the word no room is dropped
        if length + needed <= width:
            line, length = line + piece, length + needed
            continue
        for character in clusters(piece):
            if line and measure(line + character) > width:
                lines.append(line)
                line = ""
            if measure(character) > width:
                raise OverfullError(
                    "rendered text", f"{character!r} is wider than a line of {width} pixels", "widen it"
                )
            line += character
        length = measure(line)
    return [*lines, line.rstrip().rstrip(ZERO_WIDTH_SPACE)]
