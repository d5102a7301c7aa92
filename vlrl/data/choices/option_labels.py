"""What stands before an option's text as its label: "A. red", "(b) blue", "1) green"; lists of these in one text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vlrl.data.rows.placeholders import LETTERS

_LABELLED = re.compile(
    r"\s*[(\[]?(?P<label>[A-Za-z]|\d{1,2})(?:[)\].:、．)](?:\s+|(?=\D)|$))\s*(?P<text>.*)", re.DOTALL
)
_RATIO = re.compile(r"\d+(?:\.\d+)?(?:\s?:\s?\d+(?:\.\d+)?)+|[A-Za-z](?::[A-Za-z])+|[a-z](?:\s?:\s?[a-z])+")


def label_of(text: str) -> re.Match[str] | None:
    """A label before an option's text, such as "A. " or "(b)"; "1: 2" and "A:B" are ratios, not labels."""
    match = _LABELLED.fullmatch(text)
    return None if match is None or _RATIO.fullmatch(text.strip()) else match


def lists_letters(question: str) -> bool:
    """Whether a question has at least two options behind letters, A before B, wherever they stand."""
    first = re.search(r"(?<![\w.])[(\[]?A\s?[)\].:]", question)
    return first is not None and re.search(r"(?<![\w.])[(\[]?B\s?[)\].:]", question[first.end() :]) is not None


def in_sequence(labels: Sequence[str]) -> bool:
    """Whether labels are A, B, C …, a, b, c …, 1, 2, 3 … or 0, 1, 2 …"""
    kinds = (LETTERS, LETTERS.lower(), [str(n) for n in range(1, 27)], [str(n) for n in range(26)])
    return any(list(labels) == list(kind[: len(labels)]) for kind in kinds)


def split_labelled(text: str) -> list[str]:
    """ "A. x B. y" as ["A. x", "B. y"]; empty where the text doesn't begin with a label or no second one follows."""
    for labels in (LETTERS, LETTERS.lower(), "123456789"):
        starts, at = [], 0
        for number, label in enumerate(labels):
            mark = re.compile(rf"(?:^|(?<=[\s,;|]))[(\[]?{label}(?:[)\].:](?=\s|\D|$))")
            match = mark.search(text, at)
            if match is None or (number == 0 and match.start() != 0):
                break
            starts.append(match.start())
            at = match.end()
        if len(starts) > 1:
            ends = [*starts[1:], len(text)]
            return [text[start:end].strip(" \t\r\n,;|") for start, end in zip(starts, ends, strict=True)]
    return []
