"""Segments and angles by name: whether a text gives another one than the question asks for, ∠AOC for ∠BOC."""

from __future__ import annotations

import re
from functools import lru_cache

_SIGN = r"\\angle|∠|角|[Aa]ngles?\b|\b[Ww]inkels?\b|\b[Áá]ngulo\b|\b[Ââ]ngulo\b|\b[Уу]гол\b|\b[Уу]гла\b"
_FIGURE = (  # ∠ABC and AB, which are themselves by the first and the last letter, and ∠A
    rf"(?:(?:m\s?)?(?:{_SIGN})\s?(?P<angle>[A-Z])(?![A-Za-z])|(?:(?:m\s?)?(?:{_SIGN})\s?)?(?<![A-Za-z])"
    r"(?P<name>[A-Z]{2,3})(?![A-Za-z]))"
)
_ASKS = re.compile(  # "Find AB", "the length of AB", "angle BOC", 求角A
    rf"(?:\b(?:[Ff]ind|of|is|[Cc]alculate|[Dd]etermine|for|segment)\W{{0,4}}|[求是]\W?|(?={_SIGN})){_FIGURE}"
    r"(?![\s$]{0,3}(?:[=＝]|is\s[0-9]))"
)
_CHANGED = re.compile(rf"{_FIGURE}[\s$]{{0,2}}(?:\^|²|³|的(?!度数|大小|值|角度|长))")  # AB^2, and 角A的补角
_TIMES = re.compile(r"(?<![A-Za-z0-9/.])[0-9./]+\s?(?:\\angle|∠)(?!\s?[0-9])")
_UNKNOWN = re.compile(r"(?:\b[Vv]alue of|[Ff]ind|[Ss]olve for)\s(?:\$|\\\()?([a-z])(?![A-Za-z]|\s?[(_^\\∠])")
_NAMED = re.compile(r"(?:^|[\s$(])([a-z])[\s$]{0,2}=[^=]*$")
_GIVES = re.compile(rf"{_FIGURE}[\s$)*]{{0,3}}(?:=|[是为為]|等于|is\s|equals\s|≈|\\approx|的度数)")


def names_another_figure(text: str, question: str) -> bool:
    """Whether a text gives a segment, an angle or an unknown, and not the one that is asked: "BC = 4" for AB, its
    square, y for x."""
    if _UNKNOWN.search(question) is not None and (named := _NAMED.search(text)) is not None:
        return named[1] not in question
    asked = _asked(question)
    if asked and _TIMES.search(text) and not _TIMES.search(question):
        return True
    if asked & _figures(_CHANGED, text) and not asked & _figures(_CHANGED, question):
        return True
    if not asked or asked & (given := _figures(_GIVES, text)):
        return False
    return any(len(name) == len(other) for name in given for other in asked)


@lru_cache(maxsize=1024)
def _asked(question: str) -> frozenset[str]:
    return _figures(_ASKS, question)


def _figures(pattern: re.Pattern[str], text: str) -> frozenset[str]:
    """The segments and angles that a text names, each in one spelling: AB and BA, BOC and COB are one."""
    names = (match["name"] or match["angle"] for match in pattern.finditer(text))
    return frozenset(min(name, name[::-1]) for name in names)
