"""Breaking text into lines: between words where it can be, never losing a character."""

from __future__ import annotations

import re
from collections.abc import Callable

from vlrl.rendered_text.page import OverfullError


def wrap(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """The lines of `text`, each at most `width` by `measure`. Line breaks and indentation of the text are kept;
    a word that is wider than a line is broken between characters. Raises DataError if one character is wider."""
    lines: list[str] = []
    for paragraph in text.expandtabs(4).split("\n"):
        line, length = "", 0.0  # widths are added up: measuring the whole line for every word takes far longer
        for piece in re.findall(r"\s+|\S+", paragraph.rstrip()):
            needed = measure(piece)
            if length + needed <= width or piece.isspace():
                line, length = line + piece, length + needed
                continue
            if line.strip():
                lines.append(line.rstrip())
            line, length = "", 0.0  # an indentation that leaves the word no room is dropped
            if length + needed <= width:
                line, length = line + piece, length + needed
                continue
            for character in piece:
                if line and measure(line + character) > width:
                    lines.append(line)
                    line = ""
                if measure(character) > width:
                    raise OverfullError(
                        "rendered text", f"{character!r} is wider than a line of {width} pixels", "widen it"
                    )
                line += character
            length = measure(line)
        lines.append(line.rstrip())
    return lines
