"""Whether two gold answers contradict each other: the witness for a small detail where two problems look the same."""

from __future__ import annotations

from enum import Enum

from vlrl.verify.values.normaliser import clean, normalise
from vlrl.verify.values.quantity import read_quantity


class Answers(Enum):
    """What two gold answers say of the problems they belong to."""

    AGREE = "agree"
    UNKNOWN = "unknown"
    CONTRADICT = "contradict"


def compare_answers(one: str, other: str) -> Answers:
    """Whether two answers can be answers to one question.

    They agree if they are one number or the same words. Two numbers of other values contradict each other, as do two
    answers in words that have no word in common. A letter of an option says nothing, since options change places; nor
    does an answer that isn't known, or a number against words.
    """
    a, b = normalise(one), normalise(other)
    if not a or not b or _is_letter(a) or _is_letter(b):
        return Answers.UNKNOWN
    value, other_value = read_quantity(clean(one)), read_quantity(clean(other))
    if value is not None and other_value is not None:
        return Answers.AGREE if value.value == other_value.value else Answers.CONTRADICT
    if a == b:
        return Answers.AGREE
    if value is not None or other_value is not None or set(a.split()) & set(b.split()):
        return Answers.UNKNOWN
    return Answers.CONTRADICT


def _is_letter(answer: str) -> bool:
    letter = answer.strip("()[]. ")
    return len(letter) == 1 and letter.isalpha()
