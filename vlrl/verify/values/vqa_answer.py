"""An answer as the official evaluation of VQA compares it: punctuation, number words, articles, contractions.

After `vqaEval.py` of VQA v2 and the evaluator of TextVQA: marks between letters become a space, marks beside a space
(and all of them in a text with a comma between digits) go; full stops go unless a digit follows. Double contractions
("couldnt've") stay as they are, which is no difference where both sides write them alike.
"""

from __future__ import annotations

import re

_MARKS = ';/[]"{}()=+\\_-><@`,?!'
_STOP = re.compile(r"\.(?![0-9])")
_COMMA = re.compile(r"[0-9],[0-9]")
_NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {word: str(n) for n, word in enumerate(_NUMBER_WORDS)} | {"none": "0"}
_ARTICLES = {"a", "an", "the"}
_CONTRACTED = {  # what may lose its apostrophe, by what follows it
    "n't": "ai are ca could did does do had has have is might must need ought sha should was were wo would",
    "'ve": "could might must not should they we what where who would you",
    "'s": "he how somebody someone that there what when where who why",
    "'ll": "how it somebody someone something they what who why you",
    "'d": "he how it someone something there they where who you",
    "'re": "there they what why you",
}
_APOSTROPHES = {
    (stem + suffix).replace("'", ""): stem + suffix for suffix, stems in _CONTRACTED.items() for stem in stems.split()
} | {"maam": "ma'am", "oclock": "o'clock", "twas": "'twas", "yall": "y'all", "somebody'd": "somebodyd"}


def vqa_answer(text: str) -> str:
    """The text in the official normal form."""
    text = text.replace("\n", " ").replace("\t", " ").strip()
    without = text
    digits = _COMMA.search(text) is not None
    for mark in _MARKS:
        beside = f"{mark} " in text or f" {mark}" in text
        without = without.replace(mark, "" if beside or digits else " ")
    words = [_NUMBERS.get(word, word) for word in _STOP.sub("", without).lower().split()]
    return " ".join(_APOSTROPHES.get(word, word) for word in words if word not in _ARTICLES)
