"""Whether a sentence speaks of another quantity than the question asks for: the smallest for the largest, the sum where
none is asked, the width for the height, the blue bar for the red one."""

from __future__ import annotations

import re
from functools import lru_cache

from vlrl.verify.reading.clause.subject import names_another_subject
from vlrl.verify.reading.hedging import main_clause
from vlrl.verify.values.compare import says_nothing
from vlrl.verify.words.languages import entries, words

_LARGEST = r"(?:tall|high|larg|great|bigg|long|old|heavi|strong|fast)est|maximum"
_SMALLEST = r"(?:short|low|small|few|young|light|weak|slow)est|minimum"
_EXTREMES = re.compile(rf"\b(?:{_LARGEST})\b", re.IGNORECASE), re.compile(rf"\b(?:{_SMALLEST})\b", re.IGNORECASE)
_NOT_THE_FIRST = re.compile(rf"\b(?:second|third|fourth|next)[\s-](?:{_LARGEST}|{_SMALLEST})\b", re.IGNORECASE)
_DIFFERENCE = r"difference|(?:fell|rose|grew|dropp?ed|decreased|increased|changed|declined|off|up|down) by"
_COMPUTED = {  # what is computed, and how a question asks for it
    noun: words(*kinds.split())
    for noun, kinds in {
        "sum|total": "sum how_many", _DIFFERENCE: "difference", "product": "product", "quotient": "quotient",
        "average|mean": "average",
    }.items()
}  # fmt: skip
_MEASURED = {  # what is measured, and how a question asks for it
    noun: words(*kinds.split())
    for noun, kinds in {
        "length": "length perimeter radius diameter", "width|breadth": "width", "height|altitude": "height",
        "depth": "depth", "area": "area", "volume|capacity": "volume", "perimeter|circumference": "perimeter length",
        "radius": "radius length", "diameter": "diameter length width", "speed|velocity": "speed",
        "weight|mass": "weight", "age": "age", r"prices?|costs?(?!\s[$€£¥0-9])": "price", "profit": "profit",
        "revenues?|incomes?": "revenue",
        "median": "median", "mode": "mode", "range": "range", "probability": "probability",
    }.items()
}  # fmt: skip
_SIGN = {"sum|total": "[+]", _DIFFERENCE: "[-−–]", "product": r"[*×·]|\\times|\\cdot", "quotient": "[/÷:]|\\frac"}
_NOUNS = {
    noun: (re.compile(rf"\b(?:{noun})\b", re.IGNORECASE), re.compile(asks, re.IGNORECASE))
    for noun, asks in (*_COMPUTED.items(), *_MEASURED.items())
}
_ONE_OF = [  # groups of words that exclude each other
    [re.compile(rf"\b(?:{word})\b", re.IGNORECASE) for word in group.split(" / ")] for group in entries("opposites")
]
_YEAR = re.compile(r"\b(?:[Ii]n|[Ff]or|[Dd]uring|[Ii]n the year)\s((?:1[89]|20)[0-9]{2})\b(?![.,]?[0-9%])")
_LETTERS = re.compile(r"[^\W\d_]|∠")
_VALUE = re.compile(r"[-$€£]{0,3}[0-9]|$")


def names_another(sentence: str, question: str) -> bool:
    """Whether a sentence speaks of another quantity than the question; never where the question says nothing."""
    if not question or _LETTERS.search(sentence) is None:
        return False
    extreme, second, nouns, measured = _asked(question)
    if extreme is not None:
        if _EXTREMES[1 - extreme].search(sentence) and not _EXTREMES[extreme].search(sentence):
            return True
        if not second and _NOT_THE_FIRST.search(sentence):
            return True
    if (years := _years(question)) and (spoken := _years(sentence)) and years.isdisjoint(spoken):
        return True
    clause = main_clause(sentence)
    if names_another_subject(clause, question):
        return True
    if says_nothing(question):
        return False
    if _DIFFERENCE in nouns and extreme is None and not _NOUNS[_DIFFERENCE][1].search(clause):
        told = [e.search(clause) is not None for e in _EXTREMES if e.search(question)]
        if len(told) == 2 and sum(told) == 1:
            return True  # one of the two of which the difference is asked
    values = [match.start() for match in _VALUE.finditer(clause)]
    before = clause[: values[-2] if len(values) > 1 else values[-1]]  # up to the last number
    named = [noun for noun, (spoken, _) in _NOUNS.items() if spoken.search(before)]
    if named and nouns.isdisjoint(named) and (measured or not _COMPUTED.keys().isdisjoint(named)):
        return True
    return any(
        any(other.search(clause) for other in others) and not any(word.search(clause) for word in asked)
        for asked, others in _excluded(question)
    )


def _years(text: str) -> frozenset[str]:
    """The years of which a text speaks: 2015 of "in 2015"."""
    return frozenset(_YEAR.findall(text))


@lru_cache(maxsize=1024)
def _excluded(question: str) -> list[tuple[list[re.Pattern[str]], list[re.Pattern[str]]]]:
    """(the words that the question has of a group, the others of that group) of every group of which it has any."""
    found = []
    for group in _ONE_OF:
        asked = [word for word in group if word.search(question)]
        if asked:
            found.append((asked, [word for word in group if word not in asked]))
    return found


@lru_cache(maxsize=1024)
def _asked(question: str) -> tuple[int | None, bool, frozenset[str], bool]:
    """(which extreme is asked, whether the second one, the nouns that may answer, whether one of them is measured)."""
    extremes = [place for place, pattern in enumerate(_EXTREMES) if pattern.search(question)]
    nouns = {noun for noun, (_, asks) in _NOUNS.items() if asks.search(question)}
    signs = {noun for noun, sign in _SIGN.items() if re.search(sign, question)}
    extreme = extremes[0] if len(extremes) == 1 else None
    second = _NOT_THE_FIRST.search(question) is not None
    return extreme, second, frozenset(nouns | signs), not nouns.isdisjoint(_MEASURED)
