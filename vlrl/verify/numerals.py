r"""Reading a number that a person or a model wrote: exact values, never a guess, never an evaluation.

A numeral is one of, with an optional sign (`-`, `−`, `+`), an optional currency sign and an optional unit or `%`:

    12   12.50   .5   1,234,567.8   1{,}000   1.5e-3   1.5 × 10^3   1.5\times10^{3}   10^3
    3/4   \frac{3}{4}   \dfrac34   1 1/2   ½   2½   twenty-one   one hundred and five   minus three

Values are exact fractions, so that 0.1 + ε is never taken for 0.1. Not numerals: expressions (`2+3`, `6!`, `2^5`),
ranges, `6+`, `~6`, `NaN`, `inf`, digits other than 0–9, exponents beyond ±400 and more than 400 digits. Python's own
`float`, `int` and `eval` never see model text that this grammar has not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

MAX_DIGITS = 400
MAX_EXPONENT = 400

_PLAIN = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_DECIMAL = r"(?:[0-9]{1,3}(?:(?:,|\{,\}|\\,|[\u00a0\u202f\u2009])[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+"
_POWER = r"10\s?\^\s?(?:\{\s?[-−+]?[0-9]{1,4}\s?\}|[-−+]?[0-9]{1,4})"
_NUMERAL = re.compile(
    r"(?P<sign>[-−–+]?)\s?(?P<currency>\\?\$|[€£¥₹])?\s?(?P<sign2>[-−]?)"
    r"(?:"
    rf"(?P<power>{_POWER})"
    r"|(?P<whole>[0-9]{1,15})\s?(?P<vulgar>[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])|(?P<vulgar2>[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])"
    r"|(?:(?P<mixed>[0-9]{1,15})\s{0,2})?\\[dt]?frac\s?(?:\{\s?(?P<num>-?[0-9]+)\s?\}\s?\{\s?(?P<den>-?[0-9]+)\s?\}"
    r"|(?P<n1>[0-9])(?P<d1>[0-9]))"
    rf"|(?:(?P<mixed2>[0-9]{{1,15}})\s(?P<a>[0-9]+)/(?P<b>[0-9]+))"
    rf"|(?P<p>{_DECIMAL})(?:\s?/\s?(?P<q>[0-9]+(?:\.[0-9]+)?))?"
    rf"(?:[eE](?P<exp>[-−+]?[0-9]{{1,6}})|\s?(?:×|\\times|\\cdot|\*|·|x)\s?(?P<times>{_POWER}))?"
    r")(?P<rest>.*)",
    re.DOTALL,
)
_VULGAR = dict(
    zip(
        "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞",
        [Fraction(n, d) for n, d in ((1, 2), (1, 3), (2, 3), (1, 4), (3, 4), (1, 5), (2, 5), (3, 5), (4, 5))]
        + [Fraction(n, d) for n, d in ((1, 6), (5, 6), (1, 8), (3, 8), (5, 8), (7, 8))],
        strict=True,
    )
)
_WRAPPERS = [("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"), ("$", "$"), ("**", "**"), ("`", "`"), ("{", "}")]
_TEXT_COMMAND = re.compile(r"\\(?:text|mathrm|textbf|mathbf|textit|mbox|operatorname|rm|bf)\s?\{([^{}\\]{0,80})\}")
_SPACING = re.compile(r"\\[ ,;:!>]|(?<=\S)~(?=\S)|\\quad|\\left|\\right")
_ASSIGNED = re.compile(r"[A-Za-z][A-Za-z_ ]{0,15}(?:_\{?[A-Za-z0-9]{1,3}\}?)?\s{0,2}=\s{0,2}")
_UNIT = re.compile(r"[A-Za-zµμ°Ω²³′″$€£¥₹^{}0-9/·\\. -]{1,60}")

_UNIT_SIGN = re.compile(r"[A-Za-zµμ°Ω′″$€£¥₹]")
_WORD = re.compile(r"[a-z]+")
_SMALL = _WORD.findall(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = _WORD.findall("twenty thirty forty fifty sixty seventy eighty ninety")
_WORDS: dict[str, int] = {w: i for i, w in enumerate(_SMALL)} | {w: 10 * i for i, w in enumerate(_TENS, start=2)}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
NUMBER_WORDS = frozenset(  # words that give a text a value, also where `parse_numeral` does not read it
    _WORD.findall(
        "hundred dozen half halves third thirds quarter quarters fourth fifth sixth seventh eighth ninth tenth once "
        "twice double pair couple single minus plus times over root squared cubed infinite infinitely"
    )
) | {*_WORDS, *_SCALES}


@dataclass(frozen=True)
class Numeral:
    """A number as written. `value` is exact; with `percent` it is what stands before the sign (50 for "50%").

    unit is what follows the number, "" where nothing does; currency signs are units too.
    """

    value: Fraction
    unit: str = ""
    percent: bool = False


def parse_numeral(text: str) -> Numeral | None:
    """The number that this text is, and nothing but that number; None for everything else."""
    if _PLAIN.fullmatch(text):
        return Numeral(Fraction(text))
    if len(text) > 4 * MAX_DIGITS:
        return None
    text = strip_markup(text)
    match = _NUMERAL.fullmatch(text)
    if match is None:
        return _from_words(text)
    if match["rest"][:1].isalpha() and not _attached(match["rest"]):
        return None  # "6ish", "6f"; but "6cm"
    value = _value(match)
    if value is None:
        return None
    rest = match["rest"]
    unit, percent = _unit(rest)
    if unit is None:
        return None
    currency = (match["currency"] or "").lstrip("\\")
    if currency and unit and unit_name(unit) not in (currency, unit_name(currency)):
        return None
    negative = (match["sign"] in ("-", "−", "–")) != (match["sign2"] in ("-", "−") and bool(match["sign2"]))
    if match["sign"] and match["sign2"]:
        return None
    return Numeral(-value if negative else value, unit or currency, percent)


def strip_markup(text: str) -> str:
    r"""The text without dollar signs, `\(…\)`, `**`, `\text{…}`, LaTeX spaces, `x =` in front and a final full stop."""
    text = text.strip()
    for _ in range(4):
        before = text
        if text.endswith((".", "。")) and not text.endswith(".."):
            text = text[:-1].rstrip()
        for opening, closing in _WRAPPERS:
            if text.startswith(opening) and text.endswith(closing) and len(text) > len(opening) + len(closing) - 1:
                inner = text[len(opening) : len(text) - len(closing)]
                if opening.strip("\\") not in inner and closing.strip("\\") not in inner:
                    text = inner.strip()
        if text == before:
            break
    if "\\" in text or "~" in text:
        text = _TEXT_COMMAND.sub(r"\1", text)
        text = _SPACING.sub(lambda m: m.group() if m.group() == "\\," else " ", text).strip()
    if "=" in text and (match := _ASSIGNED.match(text)):
        text = text[match.end() :]
    return text


def _value(match: re.Match[str]) -> Fraction | None:
    if match["power"]:
        return _power(match["power"])
    if match["vulgar2"]:
        return _VULGAR[match["vulgar2"]]
    if match["vulgar"]:
        return int(match["whole"]) + _VULGAR[match["vulgar"]]
    if match["num"] or match["n1"]:
        fraction = _divide(match["num"] or match["n1"], match["den"] or match["d1"])
        if fraction is None or (match["mixed"] and not 0 <= fraction < 1):
            return None
        return fraction + int(match["mixed"] or 0)
    if match["mixed2"]:
        fraction = _divide(match["a"], match["b"])
        return None if fraction is None or not fraction < 1 else fraction + int(match["mixed2"])
    whole = re.sub(r"[^0-9.]", "", match["p"])
    if len(whole) > MAX_DIGITS:
        return None
    value: Fraction | None = Fraction("0" + whole if whole.startswith(".") else whole)
    if match["q"]:
        value = _divide(whole, match["q"])
    if value is not None and match["exp"]:
        exponent = int(match["exp"].replace("−", "-"))
        value = value * Fraction(10) ** exponent if abs(exponent) <= MAX_EXPONENT else None
    if value is not None and match["times"]:
        power = _power(match["times"])
        value = None if power is None else value * power
    return value


def _divide(numerator: str, denominator: str) -> Fraction | None:
    if len(numerator) > MAX_DIGITS or len(denominator) > MAX_DIGITS:
        return None
    top = Fraction("0" + numerator if numerator.startswith(".") else numerator)
    bottom = Fraction(denominator)
    return None if bottom == 0 else top / bottom


def _power(text: str) -> Fraction | None:
    exponent = int(re.sub(r"[^0-9-]", "", text.split("^")[1].replace("−", "-")))
    return Fraction(10) ** exponent if abs(exponent) <= MAX_EXPONENT else None


# --- units -----------------------------------------------------------------------------------------------------------

_UNIT_NAMES = {
    "metre": "m", "meter": "m", "m": "m",
    "centimetre": "cm", "centimeter": "cm", "cm": "cm",
    "millimetre": "mm", "millimeter": "mm", "mm": "mm",
    "kilometre": "km", "kilometer": "km", "km": "km",
    "inch": "in", "inches": "in", "in": "in", "″": "in", "foot": "ft", "feet": "ft", "ft": "ft", "′": "ft",
    "yard": "yd", "yd": "yd", "mile": "mi", "mi": "mi",
    "gram": "g", "gramme": "g", "g": "g", "kilogram": "kg", "kilo": "kg", "kg": "kg", "milligram": "mg", "mg": "mg",
    "ounce": "oz", "oz": "oz", "pound": "lb", "lb": "lb",
    "litre": "l", "liter": "l", "l": "l", "L": "l", "millilitre": "ml", "milliliter": "ml", "ml": "ml", "mL": "ml",
    "second": "s", "sec": "s", "s": "s", "minute": "min", "min": "min", "hour": "h", "hr": "h", "h": "h", "day": "day",
    "dollar": "$", "USD": "$", "usd": "$", "$": "$", "euro": "€", "EUR": "€", "cent": "cent", "¢": "cent",
    "degree": "°", "deg": "°", "°": "°", "percent": "%", "per cent": "%", "pct": "%", "%": "%",
}  # fmt: skip
_COMMAND = re.compile(r"\\(?!(?:circ|degree|deg|text|mathrm|Omega|mu|cdot|angstrom|rm)(?![A-Za-z]))[A-Za-z]+")
_ATTACHED = re.compile(r"[A-Za-z]+")
_MORE_UNITS = frozenset(
    re.findall(
        r"[A-Za-z]+",
        "N kN J kJ MJ W kW MW V mV kV mA Hz kHz MHz GHz Pa kPa MPa GPa atm mol px mph kmh rpm dB eV kcal cal KB MB GB "
        "TB ha nm um ms ns yr yrs years days times",
    )
)  # further ones that may stand right behind a number
UNITS = frozenset(_UNIT_NAMES.values())  # what `unit_name` gives for a unit of measure
_NOT_A_UNIT = frozenset(
    _WORD.findall(
        "or and to not no nor but if than less more fewer most least about approximately approx roughly maybe perhaps "
        "possibly either between plus minus times dozen dozens hundred hundreds thousand thousands million millions "
        "billion billions trillion trillions half halves third thirds fourths fifths quarter quarters tenth tenths "
        "percent pct is are was were be isn isnt wrong false incorrect through up down above below over under even odd "
        "squared cubed factorial k b bn mn th st nd rd e x y z n i j pi sqrt answer option mod base score of otherwise "
        "pm am oclock clock ish"
    )
)


def unit_name(unit: str) -> str:
    """One spelling for each unit: "centimetres" and "cm." are "cm", "square cm" and "cm^2" are "cm2"."""
    text = unit.strip().rstrip(".")
    if text in _UNIT_NAMES:
        return _UNIT_NAMES[text]
    text = re.sub(r"[\\{}^]", "", text.replace("²", "2").replace("³", "3").replace("circ", "°")).strip()
    if match := re.fullmatch(r"(square|sq\.?|cubic|cu\.?)\s+(.+)", text, re.IGNORECASE):
        return unit_name(match[2]) + ("2" if match[1][0] in "sS" else "3")
    if match := re.fullmatch(r"([A-Za-z]+)\s?([23])", text):
        return unit_name(match[1]) + match[2]
    if "/" in text or " per " in text:
        return "/".join(unit_name(part) for part in re.split(r"\s*/\s*|\s+per\s+", text) if part)
    lower = text.casefold()
    for form in (text, lower, lower.removesuffix("s"), lower.removesuffix("es")):
        if form in _UNIT_NAMES:
            return _UNIT_NAMES[form]
    return lower.removesuffix("s") if len(lower) > 3 else lower


def _attached(rest: str) -> bool:
    """Whether letters right behind a number are a unit of measure."""
    name = _ATTACHED.match(rest)
    if name is None:
        return True
    return unit_name(name[0]) in UNITS or name[0] in _MORE_UNITS


def _unit(rest: str) -> tuple[str | None, bool]:
    """(unit, percent) of what follows a number; (None, False) where it is anything but a unit."""
    rest = rest.strip()
    if not rest:
        return "", False
    if _COMMAND.search(rest):
        return None, False
    bare = rest.replace("\\", "").strip().casefold()
    if bare in ("%", "percent", "per cent", "pct", "％"):
        return "", True
    if len(rest) > 60 or not _UNIT.fullmatch(rest) or not _UNIT_SIGN.search(rest):
        return None, False
    if bare.strip("{}^ ") in ("circ", "°"):
        return "°", False
    if re.search(r"[0-9]", re.sub(r"\^\{?-?[1-4]\}?|(?<=[A-Za-z])[23]\b", "", rest)) or re.match(r"[-^.·/{]", rest):
        return None, False  # a second number, a power or a range is not a unit
    words = re.findall(r"[a-z]+", bare)
    if len(words) > 5 or any(w in _NOT_A_UNIT for w in words):
        return None, False
    return rest.replace("\\", "").strip("{} "), False


# --- words -----------------------------------------------------------------------------------------------------------


def _from_words(text: str) -> Numeral | None:
    """ "twenty-one apples", "minus three", "one hundred and five"; None where a word is not part of a number."""
    words = text.casefold().replace("-", " ").split()
    if not words or len(words) > 20 or not words[0].isalpha():
        return None
    negative = words[0] in ("minus", "negative")
    words = words[negative:]
    total = group = 0
    last = 10**15  # size of the last word: numbers run from large to small
    used = 0
    for index, word in enumerate(words):
        if word == "and" and used and index + 1 < len(words) and words[index + 1] in _WORDS and last in (100, 1000):
            continue
        if word in _WORDS:
            size = _WORDS[word]
            if (20 <= last < 100 and not 0 < size < 10) or last < 20 or (last == 0):
                break
            group += size
            last = size if size >= 20 else 19
        elif word == "hundred" and 0 < group < 10 and last == 19:
            group, last = group * 100, 100
        elif word in _SCALES and group and (total == 0 or total % (_SCALES[word] * 1000) == 0):
            total, group, last = total + group * _SCALES[word], 0, 1000
        else:
            break
        used = index + 1
    if not used:
        return None
    unit, percent = _unit(" ".join(words[used:]))
    if unit is None or any(w in _WORDS or w in _SCALES or w == "hundred" for w in words[used:]):
        return None
    value = Fraction(total + group)
    return Numeral(-value if negative else value, unit, percent)
