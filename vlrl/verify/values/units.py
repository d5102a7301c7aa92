"""Units of measure: a closed table (`units.txt`) with exact conversions, and products, quotients and powers of them.

A text that is no unit of this table is none: `million`, `plus 1` and `apples` are no units.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from vlrl.verify.values.normaliser import plain_characters

Dimension = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Unit:
    """A unit as a multiple of base units: `km/h` is 5/18 of m·s⁻¹. `name` is its first spelling in the table."""

    name: str
    dimension: Dimension
    factor: Fraction


_ATOM = re.compile(
    r"(?:(square|sq\.?|cubic|cu\.?)\s?(?![a-z]\b))?"
    r"([^\W\d_]+(?:\s(?:celsius|fahrenheit|old|ton|sterling))?|[°$€£¥₹₽₩¢Ω′″'%]+[CF]?)\.?"
    r"(?:\s?\^\s?\{?\s?([-+]?[1-4])\s?\}?|([23]|-[1-4])(?![0-9])|\s(squared|cubed))?",
    re.IGNORECASE,
)
_RUSSIAN_CASE = re.compile(r"(?<=[\u0400-\u04ff]{3})(?:ов|а|у|ы|и)$")
_FRACTION = re.compile(r"\\frac\s?\{([^{}\\]{1,30})\}\s?\{([^{}\\]{1,30}(?:\^\{-?[1-4]\})?)\}")
_CHINESE_POWER = {"平方": 2, "立方": 3}
_OVER = re.compile(r"\s?/\s?|\sper\s|\spro\s|\spar\s|\spor\s")
_TIMES = re.compile(r"\s?(?:\\times|[·*×])\s?|\s")


_PREFIXES = {
    "p": -12, "n": -9, "μ": -6, "u": -6, "m": -3, "c": -2, "k": 3, "M": 6, "G": 9, "T": 12, "pico": -12, "nano": -9,
    "micro": -6, "milli": -3, "centi": -2, "kilo": 3, "mega": 6, "giga": 9, "tera": 12,
}  # fmt: skip
_PREFIXED = frozenset(
    re.findall(r"\w+", "m g s N J eV W Pa V A Ω F C T H Hz mol cal l L")
)  # what may follow a one-letter prefix
_DERIVED = {  # in g, m, s, A, and the power of ten that makes kilograms of grams
    "N": (3, "g 1 m 1 s -2"), "J": (3, "g 1 m 2 s -2"), "W": (3, "g 1 m 2 s -3"), "Pa": (3, "g 1 m -1 s -2"),
    "V": (3, "g 1 m 2 s -3 A -1"), "Ω": (3, "g 1 m 2 s -3 A -2"), "F": (-3, "g -1 m -2 s 4 A 2"), "C": (0, "A 1 s 1"),
    "T": (3, "g 1 s -2 A -1"), "H": (3, "g 1 m 2 s -2 A -2"), "Hz": (0, "s -1"),
}  # fmt: skip


def _base(text: str) -> Dimension:
    if text in _DERIVED:
        parts = _DERIVED[text][1].split()
        return tuple(sorted((base, int(power)) for base, power in zip(parts[::2], parts[1::2], strict=True)))
    if text == "m/s":
        return (("m", 1), ("s", -1))
    return (("m", int(text[1])),) if text in ("m2", "m3") else ((text, 1),)


def _read_table() -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    table = Path(__file__).with_name("units.txt").read_text(encoding="utf-8")
    for line in table.splitlines()[1:]:
        head, names = line.split(" | ")
        base, factor, name = head.split(" ")
        unit = Unit(name, _base(base), Fraction(factor) * Fraction(10) ** _DERIVED.get(base, (0, ""))[0])
        for spelling in names.split():
            units.setdefault(spelling.replace("_", " "), unit)
    return units


_UNITS = _read_table()
DEGREE = _UNITS["°"]
_FOLDED = {name.casefold(): unit for name, unit in _UNITS.items() if len(name) > 2}


@lru_cache(maxsize=4096)
def read_unit(text: str) -> Unit | None:
    """The unit that a text is, `cm`, `square metres`, `m/s^2`, `miles per hour`; None for every other text."""
    text = plain_characters(text).strip().strip("()").strip()
    if not text or len(text) > 60:
        return None
    if (fraction := _FRACTION.fullmatch(text)) is not None:
        text = f"{fraction[1].strip()}/{fraction[2].strip()}"
    if (found := _named(text)) is not None:
        return found
    over = _OVER.split(text)
    if len(over) > 3:
        return None
    dimension: dict[str, int] = {}
    factor, names = Fraction(1), []
    for place, part in enumerate(over):
        for name, unit, power in _factors(part.strip().strip("()")):
            if unit is None:
                return None
            power = -power if place else power
            names.append(unit.name + ("" if power == 1 else str(power)))
            factor *= unit.factor**power
            for base, exponent in unit.dimension:
                dimension[base] = dimension.get(base, 0) + exponent * power
            del name
    return Unit(" ".join(names), tuple(sorted((b, e) for b, e in dimension.items() if e)), factor) if names else None


def _factors(text: str) -> list[tuple[str, Unit | None, int]]:
    found: list[tuple[str, Unit | None, int]] = []
    position = 0
    while position < len(text):
        match = _ATOM.match(text, position)
        if match is None or match.end() == position:
            return [("", None, 1)]
        name, power = match[2], int(match[3] or match[4] or 1)
        if name[:2] in _CHINESE_POWER:
            name, power = name[2:], _CHINESE_POWER[name[:2]]
        if match[1]:
            power *= 2 if match[1][0] in "sS" else 3
        if match[5]:
            power *= 2 if match[5].casefold() == "squared" else 3
        found.append((name, _named(name), power))
        position = match.end()
        if (times := _TIMES.match(text, position)) is not None:
            position = times.end()
        elif position < len(text):
            return [("", None, 1)]
    return found or [("", None, 1)]


def _named(text: str) -> Unit | None:
    """The unit of this name, also in the plural and, for names of three letters or more, in any case."""
    text = text.removesuffix(".")
    if (found := _UNITS.get(text)) is not None:
        return found
    lower = _RUSSIAN_CASE.sub("", text.casefold())
    for form in (lower, lower.removesuffix("s"), lower.removesuffix("es"), lower.removesuffix("n")):
        if (found := _FOLDED.get(form)) is not None:
            return found
    return _prefixed(text)


def _prefixed(text: str) -> Unit | None:
    """A multiple of a unit, `kΩ` or "microcoulombs"; "5 pm" is a time."""
    for length in (1, *range(4, 6)):
        power, rest = _PREFIXES.get(text[:length] if length == 1 else text[:length].casefold()), text[length:]
        if power is None or text == "pm" or (length == 1 and rest not in _PREFIXED):
            continue
        unit = _UNITS.get(rest) if length == 1 else _FOLDED.get(rest.casefold().removesuffix("s"))
        if unit is not None and unit.name in _PREFIXED:
            return Unit(
                text if length == 1 else f"{text[:length]}{unit.name}",
                unit.dimension,
                unit.factor * Fraction(10) ** power,
            )
    return None
