"""Whether two quantities are one: units first, then values, to the tolerance that the problem's metadata allows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from vlrl.verify.values.normaliser import without_latex
from vlrl.verify.values.number_words import SCALES
from vlrl.verify.values.quantity import Quantity
from vlrl.verify.values.units import Unit, read_unit
from vlrl.verify.words.languages import words

DEFAULT_DIGITS = 6  # significant digits to which a decimal may be rounded where the gold is no finite decimal

_ASKED = re.compile(r"\(units?:?\s*([^()]{1,30})\)|\bhow many\s+([^\W\d_]+(?:\s(?:meters|metres|feet|miles|inches|"
    r"per\s\w+))?)|(?:多少|几|何|몇)\s?(?!分之)([^\W\d_]{1,4})|"
    r"\bin\s+(?!an?\b)([^\s,?;:()]{1,20}(?:\s[^\s,?;:()]{1,14}){0,3})", re.IGNORECASE)  # fmt: skip
_SCALE = re.compile(
    r"(?:\bin\s(?:the\s)?|\bhow many\s|[(\[]\s?(?:unit:?\s?)?|[(\[,]\s?(?:in\s)?[^\W\d_]{1,12}[$€£¥]?\s)"
    r"(?:[$€£¥]\s?|US\s|U\.S\.\s)?(thousand|million|billion|trillion|crore|lakh)s?\b|多少([万亿億萬])",
    re.IGNORECASE,
)
_PERCENTAGE = re.compile(rf"%|percent|процент|{words('percent')}", re.IGNORECASE)
_SHARE_OF = re.compile(r"\b(?:what|which)\spercent(?:age)?\sof\b", re.IGNORECASE)
_MONEY = frozenset("$€£¥元円₹₽₩")
_ONE_MONEY = frozenset((("£", "pound"), ("元", "¥"), ("¥", "元"), ("円", "¥"), ("¥", "円")))  # of gold and answer
_MEASURED = {  # what a question may ask for, and the base units in which it is answered
    frozenset(bases.split()) if bases != "$" else _MONEY: re.compile(words(*kinds.split()), re.IGNORECASE)
    for bases, kinds in {
        "m unit": "length width height depth perimeter radius diameter", "m2 unit": "area", "m3 unit": "volume",
        "° rad": "angle", "s year": "duration age", "g": "weight", "m s": "speed", "° °C °F K": "temperature",
        "$": "price money",
    }.items()
}  # fmt: skip
_WORDS = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff]{2}|(?<![\\\w])[^\W\d_\u3040-\u30ff\u3400-\u9fff]{2,}"
)  # two signs a word
_PHYSICAL = re.compile(words("physical"), re.IGNORECASE)
_COUNTS = re.compile(words("how_many", "count_of", "count") + r"(?!\?)", re.IGNORECASE)
_UNIT_LIKE = re.compile(r"(?<=[0-9}])\s{0,2}[^\W\d_]{1,12}|[^\W\d_]{2,14}|[°$€£¥₹₽₩]")
_NO_UNITS = {"in", "an", "second", "bar"}  # words of a question that may be something else than a unit
_LEVEL = re.compile(words("level"), re.IGNORECASE)


@lru_cache(maxsize=1024)
def asked_unit(question: str) -> Unit | None:
    """The one unit of measure that a question names: "(Unit: g)", "How many miles", "in square metres"."""
    units = [
        unit
        for match in _ASKED.finditer(question[-2000:])
        if (unit := _first_unit(next(g for g in match.groups() if g))) is not None
    ]
    return units[-1] if units and len({unit.name for unit in units}) == 1 else None


def _first_unit(words: str) -> Unit | None:
    """The unit with which words begin, the longest one: km/h of "km/h on the road"."""
    if "\u3040" <= words[0] <= "\u9fff":  # nothing parts the words
        return next((unit for end in range(len(words), 0, -1) if (unit := read_unit(words[:end])) is not None), None)
    parts = words.replace("$", "").split()
    found = (read_unit(" ".join(parts[:count]).rstrip(".")) for count in range(len(parts), 0, -1))
    return next((unit for unit in found if unit is not None), None)


@lru_cache(maxsize=1024)
def says_nothing(question: str) -> bool:
    """Whether a question is too short to say what is asked: three words ("What is it?") and none of what is counted or
    measured ("Find ∠A")."""
    if len(_WORDS.findall(question)) > 3 or _COUNTS.search(question):
        return False
    bare = question.replace("$", "")  # of a formula
    return not any(asks.search(bare) for asks in _MEASURED.values())


@lru_cache(maxsize=4096)
def speaks_of(question: str, unit: Unit) -> bool:
    """Whether a bare number may have this unit: the question names what it measures ("perimeter", "cost") or a unit of
    that kind. Of a question that says nothing everything but an angle may."""
    bases = {base for base, _ in unit.dimension}
    if says_nothing(question):
        return bases != {"°"}
    if bases == {"unit"} and not _COUNTS.search(question):
        return True  # "85 units" measures anything
    kinds = {"m3" if base == "m" and power == 3 else f"m{power}" if base == "m" and power == 2 else base
             for base, power in unit.dimension}  # fmt: skip
    if len(unit.dimension) < 3 and any(
        kind in measured and asks.search(question) for measured, asks in _MEASURED.items() for kind in kinds
    ):
        return True
    if (len(unit.dimension) > 2 or "A" in bases) and _PHYSICAL.search(question):
        return True
    words = set(_UNIT_LIKE.findall(without_latex(question[-2000:]))) - _NO_UNITS
    named = (read_unit(word) for word in words)
    derived = len(unit.dimension) > 2  # joules, ohms: a question of grams doesn't speak of them
    return any(
        known.dimension == unit.dimension if derived else bases & {base for base, _ in known.dimension}
        for known in named
        if known is not None
    )


@lru_cache(maxsize=1024)
def asked_scale(question: str) -> int:
    """The factor of the scale in which a question wants its number, 10⁶ of "in million dollars", "how many millions",
    "(in millions)"; 1 where it names none."""
    found = {SCALES[(match[1] or match[2]).casefold()] for match in _SCALE.finditer(question[-2000:])}
    return found.pop() if len(found) == 1 else 1


@lru_cache(maxsize=1024)
def asks_level(question: str) -> bool:
    """Whether a question asks for a level or a share that a chart may show in percent."""
    return _LEVEL.search(question) is not None


@lru_cache(maxsize=1024)
def asks_percentage(question: str) -> bool:
    """Whether a question speaks of percent."""
    return _PERCENTAGE.search(question) is not None


def differs(found: Quantity, gold: Quantity, question: str, metadata: Mapping[str, Any]) -> str | None:
    """Why one quantity is not the gold; None where it is. Units are converted; a bare number has the gold's unit."""
    named = str(metadata.get("unit") or "")
    percent = gold.percent or named == "%"
    if found.unit is not None and (percent or _SHARE_OF.search(question) is not None):
        return "wrong unit"
    if found.percent and not percent:
        unit = gold.unit or (read_unit(named) if named else None)
        if unit is not None:
            return "wrong unit"
        if metadata.get("percent_sign") != "optional" and not asks_percentage(question):
            return None if found.value / 100 == gold.value else "wrong unit"
    factor: Fraction | int = 1
    if found.unit is not None:
        unit = gold.unit or (read_unit(named) if named else asked_unit(question))
        if unit is not None and (unit.name, found.unit.name) in _ONE_MONEY:
            return None if within(found.value, gold.value, metadata) else "wrong number"
        if unit is not None and unit.dimension != found.unit.dimension:
            return (
                None
                if "unit" in unit.name and _plain_unit(unit, found.unit) and within(found.value, gold.value, metadata)
                else "wrong unit"
            )
        if unit is None and not speaks_of(question, found.unit):
            return "a unit that nobody asked for"
        factor = found.unit.factor / unit.factor if unit is not None and unit != found.unit else 1
    if within(found.value if factor == 1 else found.value * factor, gold.value, metadata):
        return None
    scale = asked_scale(question)
    if scale > 1 and within(found.value * factor / scale, gold.value, metadata):
        return None  # "45.2 million" for a gold of 45.2, where millions are asked
    if found.other is not None and gold.value.denominator == 1 and found.other * factor == gold.value:
        return None
    return "wrong number"


def _plain_unit(unit: Unit, other: Unit) -> bool:
    """ "square units" may be answered in any square unit."""
    return {abs(e) for _, e in unit.dimension} == {abs(e) for _, e in other.dimension}


def within(value: Fraction, gold: Fraction, metadata: Mapping[str, Any]) -> bool:
    """Whether a value equals the gold exactly or to the tolerance or precision that the metadata allows."""
    if value == gold:
        return True
    tolerance, relative, precision = (
        metadata.get("tolerance"),
        metadata.get("relative_tolerance"),
        metadata.get("precision"),
    )
    if tolerance is not None and abs(value - gold) <= Fraction(str(tolerance)):
        return True
    if relative is not None and abs(value - gold) <= Fraction(str(relative)) * abs(gold):
        return True
    if precision is None or isinstance(precision, (list, tuple)):
        return False
    if isinstance(precision, float) and 0 < precision < 1:
        return abs(value - gold) <= Fraction(str(precision))
    return round(value, int(precision)) == round(gold, int(precision)) if 0 <= precision <= 15 else False


def is_rounded(value: Fraction, gold: Fraction) -> bool:
    """Whether one of two numbers is a decimal of six significant digits or more and the other one no finite decimal."""
    return _terminates(value) != _terminates(gold) and abs(value - gold) <= abs(gold) / 10**DEFAULT_DIGITS


def _terminates(value: Fraction) -> bool:
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1
