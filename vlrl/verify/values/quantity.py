r"""Reading a number with its unit: the whole text or nothing; exact values, never a guess, never an evaluation.

A quantity is one of, with an optional sign, currency, scale word, unit or percent:

    12   12.50   .5   1,234,567.8   1 234   1'234   1.234,5   0,375   1{,}000   1.5e-3   1.5\times10^{3}   10^3
    3/4   \frac{3}{4}   1 1/2   ½   0.1\overline{6}   twenty-one   two thirds   1.2 million   120万   12 lakh   5 ft

Where a point may part thousands as well as decimals, `other` holds the second reading; the gold decides.
What follows the number must be a unit of the table (`units`), a word of scale, or a noun of the question. Everything
else makes it another value: not read here are expressions, ranges, `6+`, `~6`, `NaN`, exponents beyond ±400.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

from vlrl.verify.values.names import value_start
from vlrl.verify.values.normaliser import clean
from vlrl.verify.values.number_words import (
    LANGUAGES,
    NUMERAL,
    SCALES,
    SINO_KOREAN,
    WORDS,
    part_word,
    spoken_number,
    words_to_number,
)
from vlrl.verify.values.units import Unit, read_unit
from vlrl.verify.words.languages import languages_of, plain_words, words

MAX_DIGITS = 400
MAX_EXPONENT = 400

_PLAIN = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_POWER = r"10\s?\^\s?(?:\{\s?[-+]?[0-9]{1,4}\s?\}|\(\s?[-+]?[0-9]{1,4}\s?\)|[-+]?[0-9]{1,4})"
_CURRENCY = r"(?:US|[A-Z]{3}\s)?[$€£¥₹₽₩]|(?:USD|EUR|GBP|RMB|CNY|INR|JPY|Rs\.?)(?=\s?[0-9])"
_DIGITS = r"[0-9]+(?:[.,'][0-9]+)*(?:\s[0-9]{3}(?![0-9]))*(?:[.,][0-9]+)?|\.[0-9]+"
_NUMBER = re.compile(
    rf"(?P<sign>[-+]?)\s?(?P<currency>{_CURRENCY})?\s?(?P<sign2>-?)(?P<percent>百分之|٪)?"
    r"(?:"
    rf"(?P<power>{_POWER})"
    r"|(?P<repeat>[0-9]*\.[0-9]*)(?:\\(?:overline|bar|dot)\s?\{?(?P<period>[0-9]{1,20})\}?|"
    r"\((?P<period2>[0-9]{1,20})\))"
    r"|"
    r"(?:(?P<mixed>[0-9]{1,15})\s?)?\\frac\s?(?:\{\s?(?P<num>-?[0-9]+)\s?\}\s?\{\s?(?P<den>-?[0-9]+)\s?\}|"
    r"(?P<n1>[0-9])\s?(?P<d1>[0-9]))"
    r"|(?P<mixed2>[0-9]{1,15})(?:\s|-|\sand\s)(?P<a>[0-9]+)\s?/\s?(?P<b>[0-9]+)"
    rf"|(?P<p>{_DIGITS})(?:\s?/\s?(?P<q>[0-9]+(?:\.[0-9]+)?))?"
    rf"(?:[eE](?P<exp>[-+]?[0-9]{{1,6}})|\s?(?:×|\\times|\*|·|x)\s?(?P<times>{_POWER}))?"
    r")(?P<rest>.*)",
    re.DOTALL,
)
_SCALE = re.compile(r"\s?([^\W\d_]+\.?)")
_PERCENT = re.compile(rf"\s?(?:%|٪|pct\.?|{words('percent')})\s?", re.IGNORECASE)
_WORDS = re.compile(r"[^\W\d_]+")
_HAN = re.compile(r"[零〇一二两兩三四五六七八九十百千]+")
_HAN_PART = re.compile(rf"({_HAN.pattern})分之({_HAN.pattern})")  # 四分之三, 百分之四十
_NO_NOUN = plain_words("never_counted")["english"]
_COUNTED = frozenset().union(*plain_words("counted").values())


_IRREGULAR = {
    "men": "man", "women": "woman", "children": "child", "feet": "foot", "geese": "goose", "mice": "mouse",
    "leaves": "leaf",
}  # fmt: skip
_SHARE = re.compile(r"\b(?:percent(?:age)?\sof|probability|chance)\b", re.IGNORECASE)
_COUNT = re.compile(words("how_many", "count_of"), re.IGNORECASE)
_TOTAL = frozenset(("total", "altogether", "overall", "whole"))
_NEUTRAL = _TOTAL | {"of", "the", "in", "a", "an", "all", "left"}


@dataclass(frozen=True, eq=False)
class Quantity:
    """A number as written. `value` is exact; with `percent` it is what stands before the sign (50 for "50%").

    Two are equal where their values are and their units don't contradict each other, as in "5" and "5 cm".

    other  the value where a point parts thousands (1000 for "1.000"); None: there is one reading
    unit   the unit of measure; None where there is none
    """

    value: Fraction
    unit: Unit | None = None
    percent: bool = False
    other: Fraction | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Quantity):
            return NotImplemented
        united = self.unit is None or other.unit is None or self.unit == other.unit
        return self.value == other.value and self.percent == other.percent and united

    def __hash__(self) -> int:
        return hash(self.value)


def read_quantity(text: str, asked: str = "") -> Quantity | None:
    """The number that this text is, and nothing but that number; None for everything else.

    asked  the question (and gold): its nouns may follow the number ("6 apples")
    """
    if _PLAIN.fullmatch(text) and text[-4:-3] != ".":
        return Quantity(Fraction(text))
    if len(text) > 4 * MAX_DIGITS:
        return None
    text = clean(text)
    if "=" in text and (start := value_start(text, asked)):
        text = clean(text[start:])
    return _read(text, asked) or _compound(text) or _twice(text, asked)


_AGAIN = re.compile(r"(.{1,40}?)(?:,?\sor\s|,?\sthat is,?\s|,?\si\.e\.,?\s|\s?[(=]\s?)(?:or\s)?(.{1,40}?)\)?")


def _twice(text: str, asked: str) -> Quantity | None:
    """ "1000 grams, or 1 kg", "1/2 (0.5)", "50% = 0.5": one quantity written twice."""
    match = _AGAIN.fullmatch(text)
    both = [_read(part, asked) for part in match.groups()] if match is not None else [None]
    first, second = both[0], both[-1]
    if first is None or second is None:
        return None
    if first.unit is not None and second.unit is not None:
        same = first.unit.dimension == second.unit.dimension and _base_value(first) == _base_value(second)
    else:
        same = _base_value(first) == _base_value(second) and (first.percent or second.percent or first == second)
    return first if same else None


def _base_value(quantity: Quantity) -> Fraction:
    """The value in base units, of a percentage as a share."""
    return quantity.value * (quantity.unit.factor if quantity.unit else 1) / (100 if quantity.percent else 1)


_PIECE = re.compile(r"\s?,?\s?(?:and\s)?([0-9]{1,9}(?:\.[0-9]{1,9})?)\s?([^\W\d_]+|[°'\"]+)\.?")


def _compound(text: str) -> Quantity | None:
    """ "2 h 30 min" and "5 ft 3 in": units of one kind from large to small, in the first one."""
    pieces: list[tuple[Fraction, Unit]] = []
    position = 0
    while position < len(text):
        match = _PIECE.match(text, position)
        unit = read_unit(match[2]) if match is not None else None
        if match is None or unit is None or len(pieces) > 3:
            return None
        if pieces and (unit.dimension != pieces[-1][1].dimension or unit.factor >= pieces[-1][1].factor):
            return None
        pieces.append((Fraction(match[1]), unit))
        position = match.end()
    if len(pieces) < 2:
        return None
    return Quantity(sum((n * u.factor for n, u in pieces), Fraction(0)) / pieces[0][1].factor, pieces[0][1])


def _read(text: str, asked: str) -> Quantity | None:
    match = _NUMBER.fullmatch(text)
    if match is None:
        return _from_words(text, asked)
    found = _value(match)
    if found is None or (match["sign"] and match["sign2"]):
        return None
    value, other = found
    if match["sign"] == "-" or match["sign2"]:
        value, other = -value, None if other is None else -other
    rest = match["rest"]
    if match["percent"]:
        return Quantity(value, None, True, other) if not rest.strip() else None
    return _with_tail(value, other, rest, match["currency"] or "", asked)


def _with_tail(value: Fraction, other: Fraction | None, rest: str, currency: str, asked: str) -> Quantity | None:
    """The quantity of a number and what follows it; None where that makes it anything else."""
    money = read_unit(currency.strip().rstrip(".")[-3:].strip() if currency[:2] != "US" else "$") if currency else None
    if not rest.strip():
        return Quantity(value, money, False, other)
    scale = _SCALE.match(rest)
    if scale is not None and (factor := _scale(scale[1], spaced=rest[0] == " ")):
        value, other, rest = value * factor, None if other is None else other * factor, rest[scale.end() :]
    elif scale is not None and rest[0] == " " and part_word(scale[1].casefold()):
        part = part_word(scale[1].casefold())
        return None if other is not None else _with_tail(value / part, None, rest[scale.end() :], currency, asked)
    elif rest == " and a half":
        return Quantity(value + Fraction(1, 2), money)
    rest = rest.strip()
    if not rest:
        return Quantity(value, money, False, other)
    if (match := _PERCENT.match(rest)) is not None and rest[match.end() :] in ("", "."):
        return Quantity(value, None, True, other) if money is None else None
    unit = read_unit(rest)
    if unit is not None:
        return Quantity(value, unit, False, other) if money is None or money == unit else None
    return Quantity(value, money, False, other) if _is_noun(rest, asked) else None


def _scale(word: str, spaced: bool) -> int:
    """The factor of a word of scale; "K" is one only right behind the number, else kelvin; "mN" is a unit."""
    word = word.rstrip(".")
    if len(word) == 1 and word.isascii():
        return 1000 if word == "k" or (word == "K" and not spaced) else {"M": 10**6, "B": 10**9}.get(word, 0)
    size = SCALES.get(word.casefold(), 0)
    return size if not size or word in SCALES or read_unit(word) is None else 0


def _is_noun(text: str, asked: str) -> bool:
    """Whether words say what is counted: nouns of the question, or such as count everything."""
    if len(text) > 60 or not text.isprintable() or any(c.isdigit() or c in "\\^_=+-*/<>(){}|&;:?!~%‰°" for c in text):
        return False
    words = [w.casefold() for w in _WORDS.findall(text)]
    if not words or len(words) > 6 or any(w in _NO_NOUN or w in SCALES or w in WORDS or part_word(w) for w in words):
        return False
    if "left" in words and words[words.index("left") + 1 :][:1] in (["the"], ["a"], ["an"]):
        return False  # "14 passengers left the bus"
    known = frozenset(stem(w) for w in _WORDS.findall(asked.casefold()))
    content = [w for w in words if w not in _NEUTRAL]
    if content and _SHARE.search(asked) is not None and _COUNT.search(asked) is None:
        return False  # "35 people", where a percentage of people is asked
    if not content:
        return not _TOTAL.isdisjoint(words)  # "4 in total"
    return all(w in _COUNTED for w in words) or all(
        len(w) > 1 and (stem(w) in known or (not w.isascii() and is_known(w, known))) for w in content
    )


def stem(word: str) -> str:
    """A noun in lower case without its plural, as its singular gives it: "citi" of city and cities."""
    if "\u0600" <= word[:1] <= "\u06ff":  # Arabic: the consonants, which singular and plural share
        root = re.sub("[اأإآويىئؤء]|ة$", "", re.sub("^(?:وال|بال|ال|لل)(?=..)", "", word))
        return root[:-1] if len(root) > 3 and root[-1] in "نت" else root or word
    word = _IRREGULAR.get(word, word)
    return re.sub(r"(?:ies|y)$", "i", word) if word.endswith(("ies", "y")) else re.sub(r"(?<=\w\w)e?s$", "", word)


def is_known(word: str, known: frozenset[str]) -> bool:
    """Whether a word is one of these stems, perhaps with another ending, as in languages that decline their nouns."""
    if (root := stem(word)) in known:
        return True
    if word.isascii() and len(word) < 5:
        return False
    root = root[: max(4, len(root) - 2)]
    return any(len(other) >= 4 and other.startswith(root) for other in known)


def _value(match: re.Match[str]) -> tuple[Fraction, Fraction | None] | None:
    """(value, other reading) of what the grammar matched; None where it has no value within bounds."""
    if match["power"]:
        power = _power(match["power"])
        return None if power is None else (power, None)
    if match["repeat"]:
        whole, _, digits = match["repeat"].partition(".")
        period = match["period"] or match["period2"]
        shift = 10 ** len(digits)
        repeating = Fraction(int(period), (10 ** len(period) - 1) * shift)
        return Fraction(int(whole or 0)) + Fraction(int(digits or 0), shift) + repeating, None
    if match["num"] or match["n1"]:
        fraction = _divide(match["num"] or match["n1"], match["den"] or match["d1"])
        if fraction is None or (match["mixed"] and not 0 <= fraction < 1):
            return None
        return fraction + int(match["mixed"] or 0), None
    if match["mixed2"]:
        fraction = _divide(match["a"], match["b"])
        return None if fraction is None or not fraction < 1 else (fraction + int(match["mixed2"]), None)
    read = decimal(match["p"])
    if read is None:
        return None
    value, other = read
    if match["q"]:
        if not (divisor := Fraction(match["q"])):
            return None
        value, other = value / divisor, None
    if match["exp"]:
        exponent = int(match["exp"])
        if abs(exponent) > MAX_EXPONENT:
            return None
        value, other = value * Fraction(10) ** exponent, None
    if match["times"]:
        power = _power(match["times"])
        if power is None:
            return None
        value, other = value * power, None
    return value, other


_GROUPED = re.compile(
    r"[0-9]{1,3}(?:(?P<mark>[,' ])[0-9]{3}(?:(?P=mark)[0-9]{3})*)(?:\.[0-9]+)?|"
    r"[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]+)?"
)
_GROUPED_POINTS = re.compile(r"[0-9]{1,3}(?:(?:\.[0-9]{3}){2,}(?:,[0-9]+)?|\.[0-9]{3},[0-9]+|(?:[ '][0-9]{3})+,[0-9]+)")
_EITHER = re.compile(r"(?!0)[0-9]{1,3}[.,][0-9]{3}")


def decimal(text: str) -> tuple[Fraction, Fraction | None] | None:
    """(value, the value where a point parts thousands) of digits with separators; None for everything else."""
    if len(text) > MAX_DIGITS:
        return None
    if text.replace(".", "", 1).isdigit():
        other = Fraction(text.replace(".", "")) if _EITHER.fullmatch(text) else None
        return Fraction("0" + text if text[0] == "." else text), other
    if _EITHER.fullmatch(text):
        return Fraction(text.replace(",", "")), None
    if _GROUPED.fullmatch(text) and text[0] != "0":
        return Fraction(re.sub("[,' ]", "", text)), None
    if _GROUPED_POINTS.fullmatch(text) and text[0] != "0":
        return Fraction(re.sub("[.' ]", "", text).replace(",", ".")), None
    if text.replace(",", "", 1).isdigit():
        return Fraction(text.replace(",", ".")), None
    return None


def _divide(numerator: str, denominator: str) -> Fraction | None:
    if len(numerator) > MAX_DIGITS or len(denominator) > MAX_DIGITS:
        return None
    return Fraction(int(numerator), int(denominator)) if int(denominator) else None


def _power(text: str) -> Fraction | None:
    exponent = int(re.sub(r"[^0-9-]", "", text.split("^")[1]))
    return Fraction(10) ** exponent if abs(exponent) <= MAX_EXPONENT else None


def _from_words(text: str, asked: str) -> Quantity | None:
    """ "twenty-one apples", "minus three", "one hundred and five", 十八个, "trente et une pommes"."""
    if (part := _HAN_PART.fullmatch(text)) is not None:
        (below, end), (above, stop) = spoken_number(part[1], "chinese"), spoken_number(part[2], "chinese")
        if below and (end, stop) == (len(part[1]), len(part[2])):
            return Quantity(Fraction(above), None, True) if below == 100 else Quantity(Fraction(above, below))
    languages = sorted(languages_of(asked) | languages_of(text)) or LANGUAGES if NUMERAL.match(text) else ()
    for language in languages:
        spoken, used = spoken_number(text.lower(), language) if len(text) <= 100 else (0, 0)
        if used and language != "english" and not (used == 1 and text[0] in SINO_KOREAN):
            return _with_tail(Fraction(spoken), None, text[used:], "", asked)
    words = text.casefold().replace("-", " ").split()
    if not words or len(words) > 20 or not words[0].isalpha():
        return None
    negative = words[0] in ("minus", "negative")
    if negative:
        _, *after = re.split(r"[\s-]+", text.strip(), maxsplit=1)
        if after and (size := _read(after[0], asked)) is not None and size.value > 0:
            return replace(size, value=-size.value, other=None)
    value, used = words_to_number(words[negative:])
    if not used:
        return None
    rest = words[negative + used :]
    if rest and (rest[0] in SCALES or rest[0] in WORDS or part_word(rest[0])):
        return None
    return _with_tail(-value if negative else value, None, f" {' '.join(rest)}" if rest else "", "", asked)
