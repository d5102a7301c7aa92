"""MMMU's and MMMU-Pro's published parsers (MMMU-Benchmark/MMMU, eval_utils.py and mmmu-pro/evaluate.py): official mode.

Luck included: a response without any answer gets a letter at random, and a long open answer that contains the gold text
passes. A reward must not follow either. Own code after the published rules; letters are A, B, C … in option order.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

SEED = 42  # the published script seeds its draws once, so the order of the rows matters

_CUES = ("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ")
_GROUPED = re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b")
_SCIENTIFIC = re.compile(r"-?\d+(?:\.\d+)?[eE][+-]?\d+")
_PLAIN = re.compile(r"-?(?:\d+\.\d+|\.\d+|\d+\b)(?![eE][+-]?\d+)(?![,\d])")


def letters(options: Sequence[str]) -> dict[str, str]:
    """Letter → option text, A for the first."""
    return {chr(ord("A") + i): option for i, option in enumerate(options)}


def parse_choice(response: str, options: Mapping[str, str]) -> str | None:
    """MMMU's letter of a multiple-choice response; None where the published script draws one at random."""
    text = _padded(response)
    found = [letter for letter in options if f"({letter})" in text]
    if found:
        return _latest(found, text, "({})")
    found = [letter for letter in options if f" {letter} " in text]
    return _latest(found, text, " {} ") if found else _by_content(text, options)


def parse_pro_choice(response: str, options: Mapping[str, str]) -> str | None:
    """MMMU-Pro's letter of a response; None where the published script draws one at random.

    The tie break of the bare forms looks for " X ", which neither "X " at the start of a word nor "X." must contain:
    where no candidate has it the first one wins, as published.
    """
    _, cue, tail = response.rpartition("Answer:")
    if cue:
        named = [letter for letter in options if letter in tail]
        if len(named) == 1:
            return named[0]
    text = _padded(response)
    found = [letter for letter in options if f"({letter})" in text]
    if found:
        return _latest(found, text, "({})")
    found = [letter for letter in options if f"{letter} " in text]
    found = found or [letter for letter in options if f"{letter}." in text]
    return _latest(found, text, " {} ") if found else _by_content(text, options)


def draw_choice(options: Mapping[str, str], rng: random.Random) -> str:
    """The published fallback: any letter."""
    return rng.choice(list(options))


def _padded(response: str) -> str:
    for mark in ",.!?;:'":
        response = response.strip(mark)
    return f" {response} "


def _latest(found: list[str], text: str, form: str) -> str:
    """The candidate whose last occurrence is latest; the first of equals."""
    return max(found, key=lambda letter: text.rfind(form.format(letter)))


def _by_content(text: str, options: Mapping[str, str]) -> str | None:
    """Options whose text occurs in a response of more than five words."""
    if len(text.split()) <= 5:
        return None
    lower = text.lower()
    found = [letter for letter, option in options.items() if option.lower() in lower]
    return max(found, key=lambda letter: lower.rfind(options[letter].lower())) if found else None


def parse_open(response: str) -> list[str | float]:
    """What an open response may have meant: texts and numbers, in order, without repetition."""
    pieces = _key_pieces(response)
    numbers = [n for piece in pieces for form in (_GROUPED, _SCIENTIFIC, _PLAIN) for n in form.findall(piece)]
    return list(dict.fromkeys(value for piece in [*pieces, *numbers] for value in normalise(piece)))


def _key_pieces(response: str) -> list[str]:
    """The shortest text after a cue in each line.

    The published script also splits before a capital letter, but has lowered the text by then, so that never happens.
    """
    text = response.strip().strip(".").lower()
    lines = text.split("\n")
    pieces = []
    for number, line in enumerate(lines, 1):
        cues = (*_CUES, "=") if number == len(lines) else _CUES
        tails = [line.rpartition(cue)[2].strip() for cue in cues if cue in line]
        shortest = ""
        for tail in tails:  # an empty tail is replaced by whatever comes next, as published
            if not shortest or len(tail) < len(shortest):
                shortest = tail
        if shortest and shortest not in (":", ",", ".", "!", "?", ";", "'"):
            pieces.append(shortest)
    return pieces or [text]


def normalise(text: str) -> list[str | float]:
    """A number, rounded to two decimals, or the text in lower case; one character becomes " x" and "x "."""
    text = text.strip()
    try:
        return [round(float(text.replace(",", "")), 2)]
    except ValueError:
        text = text.lower()
        return [f" {text}", f"{text} "] if len(text) == 1 else [text]


def open_is_right(candidates: Sequence[str | float], answers: Sequence[str]) -> bool:
    """Whether a gold text is part of a candidate text, or a gold number equals a candidate number."""
    golds = [gold for answer in answers for gold in normalise(answer)]
    for candidate in candidates:
        if isinstance(candidate, str):
            if any(isinstance(gold, str) and gold in candidate for gold in golds):
                return True
        elif candidate in golds:
            return True
    return False
