"""What a program printed against what is expected, as judges of programming contests compare."""

from __future__ import annotations

import math
from typing import Literal

Match = Literal["equal", "presentation", "different"]
Whitespace = Literal["lines", "tokens", "exact"]


def compare_output(
    printed: bytes, expected: str, whitespace: Whitespace = "lines", float_tolerance: float | None = None
) -> Match:
    """How two outputs compare.

    whitespace       lines: ends of lines and of the text don't matter; tokens: no amount of it does; exact: all does
    float_tolerance  absolute or relative, whichever is larger, for tokens that are both numbers and not both whole

    "presentation" is for texts that differ in whitespace alone, where it matters.
    """
    text = printed.decode("utf-8", errors="replace")
    if whitespace == "exact":
        same = text == expected
    elif whitespace == "tokens":
        same = text.split() == expected.split()
    else:
        same = _lines(text) == _lines(expected)
    if same:
        return "equal"
    if text.split() == expected.split():
        return "presentation"
    if float_tolerance is None:
        return "different"
    ours, theirs = text.split(), expected.split()
    if len(ours) != len(theirs) or not all(
        _near(mine, gold, float_tolerance) for mine, gold in zip(ours, theirs, strict=True)
    ):
        return "different"
    shape = [len(line.split()) for line in _lines(text)] == [len(line.split()) for line in _lines(expected)]
    return "equal" if whitespace == "tokens" or shape else "presentation"


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _near(mine: str, gold: str, tolerance: float) -> bool:
    if mine == gold:
        return True
    try:
        a, b = float(mine), float(gold)
    except ValueError:
        return False
    whole = not any(mark in text for text in (mine, gold) for mark in ".eE")
    if whole or not math.isfinite(a) or not math.isfinite(b):
        return False
    return abs(a - b) <= tolerance * max(1.0, abs(b))
