"""Numbers in words: English numbers, words of scale in many languages, fractions in words, Chinese numerals."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import takewhile

from vlrl.verify.words.languages import plain_words

_WORD = re.compile(r"[a-z]+")
_SMALL = _WORD.findall(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = _WORD.findall("twenty thirty forty fifty sixty seventy eighty ninety")
WORDS: dict[str, int] = {w: i for i, w in enumerate(_SMALL)} | {w: 10 * i for i, w in enumerate(_TENS, start=2)}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
SCALES = {  # what a number of digits may be followed by
    name: int(size)
    for language in plain_words("scales").values()
    for names, size in (pair.split("=") for pair in language)
    for name in names.split(",")
}
_PARTS = {
    "half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "sixteenth": 16, "twentieth": 20, "hundredth": 100,
    "thousandth": 1000, "millionth": 10**6,
}  # fmt: skip
NUMBER_WORDS = frozenset(  # words that give a text a value, also where it is not read
    _WORD.findall(
        "hundred dozen once twice double triple pair couple single minus plus times over root squared cubed infinite "
        "infinitely and a"
    )
) - {"and", "a"} | {*WORDS, *_SCALES, *_PARTS, *(f"{part}s" for part in _PARTS)}
_CHINESE = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "兩": 2, "〇": 0}
_CHINESE_UNITS = {"十": 10, "百": 100, "千": 1000}


def part_word(word: str) -> int:
    """The denominator that a word names, 8 for "eighths"; 0 where it names none."""
    return _PARTS.get(word) or _PARTS.get(word.removesuffix("s"), 0)


def words_to_number(words: list[str]) -> tuple[Fraction, int]:
    """(value, words used) of the number that a list of English words in lower case begins with; 0 used: there is none.

    Reads "twenty one", "one hundred and five", "two thirds", "three and a half", "a dozen", "half".
    """
    if (words and words[0] in ("half", "quarter")) or words[:2] in (["a", "half"], ["a", "third"], ["a", "quarter"]):
        return Fraction(1, part_word(words[words[0] == "a"])), 1 + (words[0] == "a")
    if words[:2] == ["a", "dozen"]:
        return Fraction(12), 2
    total = group = 0
    last = 10**15  # size of the last word: numbers run from large to small
    used = 0
    for index, word in enumerate(words):
        if word == "and" and used and index + 1 < len(words) and words[index + 1] in WORDS and last in (100, 1000):
            continue
        if word in WORDS:
            size = WORDS[word]
            if (20 <= last < 100 and not 0 < size < 10) or last < 20 or last == 0:
                break
            group += size
            last = size if size >= 20 else 19
        elif word == "hundred" and last == 19 and (0 < group < 10 or (group % 10 and not total)):  # twelve hundred
            group, last = group * 100, 100
        elif word == "dozen" and group and last == 19:
            group, last = group * 12, 0
        elif word in _SCALES and group and (total == 0 or total % (_SCALES[word] * 1000) == 0):
            total, group, last = total + group * _SCALES[word], 0, 1000
        else:
            break
        used = index + 1
    if not used:
        return Fraction(0), 0
    value, rest = Fraction(total + group), words[used:]
    digits = [str(WORDS[word]) for word in takewhile(lambda word: WORDS.get(word, 10) < 10, rest[1:])]
    if rest[:1] == ["point"] and digits:
        return value + Fraction(int("".join(digits)), 10 ** len(digits)), used + 1 + len(digits)
    if rest and part_word(rest[0]) and value:
        return value / part_word(rest[0]), used + 1
    if rest[:3] == ["and", "a", "half"]:
        return value + Fraction(1, 2), used + 3
    return value, used


def chinese_number(text: str) -> int | None:
    """The value of Chinese numerals below 10,000, 十八 or 二百零五; None for every other text."""
    if not text or any(c not in _CHINESE and c not in _CHINESE_UNITS for c in text):
        return None
    total, digit = 0, 0
    for place, c in enumerate(text):
        if c in _CHINESE:
            if digit:
                return None
            digit = _CHINESE[c]
        else:
            total, digit = total + (digit or (1 if place == 0 else 0)) * _CHINESE_UNITS[c], 0
    return total + digit
