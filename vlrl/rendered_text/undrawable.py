"""The error of a text that can't be drawn whole: the row is left out where the source says so, else the run ends."""

from __future__ import annotations

from vlrl.errors import DataError


class UndrawableError(DataError):
    """A style can't draw a text: a character without a glyph, an unknown command, too little room, no table in it."""


class OverfullError(UndrawableError):
    """A text doesn't fit a page at this size of letters; at a smaller one it may."""
