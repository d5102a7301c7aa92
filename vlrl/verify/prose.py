"""Reading a sentence in which nothing was declared: only what it commits to counts."""

from __future__ import annotations

import re

from vlrl.verify.doubt import committed_before, denied_after, hedges, without_reason
from vlrl.verify.numerals import NUMBER_WORDS, UNITS, Numeral, parse_numeral, unit_name

_NUMBER = re.compile(
    r"(?<![A-Za-z0-9.,_^/])[-−]?(?:\\?\$|[€£¥])?(?>[0-9]+(?:,[0-9]+)*(?:\.[0-9]+)?(?:\s?/\s?[0-9]+)?)"
    r"(?:(?:[cmk]?m|km|k?g|m?l|°)[²³]?(?![A-Za-z])|\s?\\?%|\spercent\b)?(?![0-9A-Za-z])"
)
_CHANGED_BEFORE = re.compile(
    r"(?:\b(?:minus|negative|plus|times|twice|thrice|half(?: of)?|third of|quarter of|double|triple|over|under|above|"
    r"below|than|of all but|root of|one of)|[-+−–*×÷^_√])\s{0,2}$",
    re.IGNORECASE,
)
_CHANGED_AFTER = re.compile(
    r"\s{0,2}(?:[!^_²³+*×÷=%‰'’′″π√\u0300-\u036f\u20d0-\u20ff∈]|\\(?!text|mathrm|mbox|circ)[A-Za-z]|[)\]]?[-−–](?:[A-Za-z]|\s*$)|(?:\w{2,9}ths?|thirds?|quarters?)\b|[ap]\.?m\b|o['’]clock|[-−–]\s?[0-9]|\.[0-9]|\.\.|…|(?:squared|cubed|million|billion|trillion|thousand|hundred|dozen|half|"
    r"halves|times|plus|minus|below zero|and a|factorial|percent of|out of|/)\b)",
    re.IGNORECASE,
)
_FALSE_EQUATION = re.compile(r"(?:^|[A-Za-z:,;]\s{0,2})[-−]?[0-9][0-9.,]*\s?=")  # "5 = 6", but not "2 + 4 = 6"
_NEXT_WORD = re.compile(r"\s?([A-Za-z°µ]{1,12}[²³]?)(?![A-Za-z0-9])")
_LETTERS = re.compile(r"[A-Za-z]+")
_COPULA = re.compile(r"(?:\b(?:is|are|was|were|be|equals?|gives|get|by)\b|=|:)\s", re.IGNORECASE)


def number_text(sentence: str) -> tuple[str, str] | None:
    """(number as written, unit or "") of a sentence that hedges nowhere and has one number; else None.

    Of several numbers, the one that follows the last "is" or "=" counts; the same number with two units does not.
    """
    sentence = without_reason(sentence)
    if len(sentence) > 1000 or hedges(sentence) or _FALSE_EQUATION.search(sentence):
        return None
    found = list(_NUMBER.finditer(sentence))
    if len({_bare(match) for match in found}) > 1:
        copulas = list(_COPULA.finditer(sentence))
        found = list(_NUMBER.finditer(sentence, copulas[-1].end())) if copulas else []
    if len({_bare(match) for match in found}) != 1:
        return None
    chosen = found[-1]
    if _CHANGED_BEFORE.search(sentence[: chosen.start()]) or _CHANGED_AFTER.match(sentence, chosen.end()):
        return None  # "half of 6", "6 million", "6!": another number
    if not committed_before(sentence[: chosen.start()]) or denied_after(sentence[chosen.end() :]):
        return None  # "I drop 6", "6 is out"
    rest = _NEXT_WORD.sub("", sentence[chosen.end() :], count=1) if _NEXT_WORD.match(sentence, chosen.end()) else ""
    if denied_after(rest) or any(c.isdigit() for c in sentence[found[-1].end() :]):
        return None  # "6 cm is out", "6 cm_7"
    units = {unit for match in found if (unit := _unit_after(sentence, match.end()))}
    return (_bare(chosen), units.pop() if units else "") if len(units) < 2 else None


def _word_text(sentence: str) -> tuple[str, str] | None:
    """As `number_text`, for a sentence whose only number is a word: "There are six cards"."""
    sentence = without_reason(sentence)
    if len(sentence) > 1000 or hedges(sentence):
        return None
    found = [match for match in _LETTERS.finditer(sentence) if match[0].casefold() in NUMBER_WORDS]
    if len(found) != 1 or parse_numeral(found[0][0]) is None or not committed_before(sentence[: found[0].start()]):
        return None
    after = sentence[found[0].end() :]
    return None if denied_after(after) or _CHANGED_AFTER.match(after) else (found[0][0], "")


def _unit_after(sentence: str, position: int) -> str:
    """The unit of measure that follows a number; other nouns ("6 cards") are no units."""
    match = _NEXT_WORD.match(sentence, position)
    name = unit_name(match[1]) if match else ""
    return name if name in UNITS else ""


def _bare(match: re.Match[str]) -> str:
    return match.group().strip().rstrip(",")


def number_in_prose(sentence: str) -> Numeral | None:
    """The number that `number_text` finds, read, with its unit; None where there is none."""
    found = number_text(sentence) if any(c.isdigit() for c in sentence) else _word_text(sentence)
    return None if found is None else parse_numeral(f"{found[0]} {found[1]}" if found[1] else found[0])
