"""Numbers in words, put together by one rule from the numerals of ten languages; words of scale; fractions in words."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import cache
from itertools import takewhile

from vlrl.verify.words.languages import pairs, plain_words

_NUMERALS = {  # (value, whether it multiplies what stands before it)
    language: {
        name: (int(size.lstrip("*")), size[0] == "*")
        for names, (size,) in pairs("numerals", language)
        for name in names
    }
    for language in plain_words("numerals")
}
LANGUAGES = tuple(_NUMERALS)
NUMERAL = re.compile("|".join(re.escape(name) for names in _NUMERALS.values() for name in names), re.IGNORECASE)
_JOINED = {language: "".join(word) for language, word in plain_words("numerals_joined").items()}
_MYRIADS = ("chinese", "japanese", "korean")  # four digits make a group, and 10 multiplies
_UNIT_FIRST = ("german", "arabic")  # "einundzwanzig"
_TEENS_PARTED = ("french", "spanish", "portuguese", "korean")  # "dix-sept"
SINO_KOREAN = "일이삼사오육칠팔구"  # which don't stand alone
_WORD = re.compile("[a-z]+")
WORDS = {word: value for word, (value, times) in _NUMERALS["english"].items() if not times}
SCALES = {name: int(size) for names, (size,) in pairs("scales") for name in names}  # behind a number of digits
PARTS = {
    "half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "sixteenth": 16, "twentieth": 20, "hundredth": 100,
    "thousandth": 1000, "millionth": 10**6,
}  # fmt: skip
NUMBER_WORDS = frozenset(  # words that give a text a value, also where it is not read
    _WORD.findall(
        "dozen once twice double triple pair couple single minus plus times over root squared cubed infinite "
        "infinitely and a"
    )
) - {"and", "a"} | {*_NUMERALS["english"], *PARTS, *(f"{part}s" for part in PARTS)}


def part_word(word: str) -> int:
    """The denominator that a word names, 8 for "eighths"; 0 where it names none."""
    return PARTS.get(word) or PARTS.get(word.removesuffix("s"), 0)


@cache
def _numeral(language: str) -> re.Pattern[str]:
    """One numeral of a language, with what joins it to the one before."""
    names = "|".join(sorted(map(re.escape, _NUMERALS[language]), key=len, reverse=True))
    end = r"(?![a-z])" if language == "english" else ""
    return re.compile(rf"[\s-]*(?P<joined>{_JOINED.get(language, '(?!)')})?[\s-]*(?P<name>{names}){end}")


def spoken_number(text: str, language: str) -> tuple[int, int]:
    """(value, end) of the whole number in words, in lower case, that a text in a language begins with; end 0: none.

    Multipliers fall (thousand, hundred), and a numeral fits where the one before leaves room for it: 1 to 9 behind
    twenty, 1 to 19 behind soixante, nothing behind seven but what multiplies it.
    """
    total = group = digit = used = 0
    room = below = beyond = math.inf  # for a numeral, for what multiplies one, for thousands
    while (match := _numeral(language).match(text, used)) is not None:
        value, times = _NUMERALS[language][match["name"]]
        spoken, joined = group + digit, match["joined"] is not None
        if times and value >= (10_000 if language in _MYRIADS else 1000):
            if value >= beyond or not (spoken or language != "english") or (total and not spoken):
                return 0, 0
            total, group, digit, room, below, beyond = total + (spoken or 1) * value, 0, 0, value, math.inf, value
        elif times:
            if value >= below or digit >= value or not (digit or language != "english") or (digit and digit % 10 == 0):
                return 0, 0
            group, digit, room, below = group + (digit or 1) * value, 0, value, value
        elif language in _UNIT_FIRST and 0 < digit % 100 < 10 and value % 10 == 0 and 10 <= value < 100:
            if joined == (value == 10):
                return 0, 0
            digit, room = digit + value, 0
        elif value < room and not (joined and language == "english" and room < 100):
            digit, room = digit + value, _room(value, language)
        else:
            return 0, 0
        used = match.end()
    whole = language in _MYRIADS or not text[used : used + 1].isalpha()
    return (total + group + digit, used) if used and whole else (0, 0)


def spoken_numbers(text: str, language: str) -> list[tuple[int, int, int]]:
    """(start, end, value) of the numbers in words of a text in lower case; of Han and Korean signs more than one
    together, or a word by itself."""
    found: list[tuple[int, int, int]] = []
    begins = "" if language in ("chinese", "japanese") else r"(?<!\w)"
    for match in re.finditer(begins + _numeral(language).pattern.replace(r"[\s-]*", "", 2), text):
        if found and match.start() < found[-1][1]:
            continue
        value, length = spoken_number(text[match.start() :], language)
        together = match[0] == "一" and text[match.end() :][:1] in ("共", "起", "些")
        alone = length == 1 and (together or match[0] in SINO_KOREAN)
        if length and not alone:
            found.append((match.start(), match.start() + length, value))
    return found


def _room(value: int, language: str) -> int:
    """What a numeral behind this one must be smaller than."""
    if language == "french" and value in (60, 80):
        return 20
    if value < 100 and value % 10 == 0 and (language in _UNIT_FIRST or value == 10):
        return 10 if language in _TEENS_PARTED else 0
    return 10 ** (len(str(value)) - len(str(value).rstrip("0"))) if value >= 20 or value == 0 else 0


def words_to_number(words: list[str]) -> tuple[Fraction, int]:
    """(value, words used) of the number that a list of English words in lower case begins with; 0 used: there is none.

    Reads "twenty one", "one hundred and five", "two thirds", "three and a half", "a dozen", "half".
    """
    if (words and words[0] in ("half", "quarter")) or words[:2] in (["a", "half"], ["a", "third"], ["a", "quarter"]):
        return Fraction(1, part_word(words[words[0] == "a"])), 1 + (words[0] == "a")
    if words[:2] == ["a", "dozen"]:
        return Fraction(12), 2
    text = " ".join(words)
    whole, end = spoken_number(text, "english")
    if not end:
        return Fraction(0), 0
    used = len(text[:end].split())
    value, rest = Fraction(whole), words[used:]
    digits = [str(WORDS[word]) for word in takewhile(lambda word: WORDS.get(word, 10) < 10, rest[1:])]
    if rest[:1] == ["point"] and digits:
        return value + Fraction(int("".join(digits)), 10 ** len(digits)), used + 1 + len(digits)
    if rest[:1] == ["dozen"] and value < 20:
        return value * 12, used + 1
    if rest and part_word(rest[0]) and value:
        return value / part_word(rest[0]), used + 1
    if rest[:3] == ["and", "a", "half"]:
        return value + Fraction(1, 2), used + 3
    return value, used
