"""Whether two gold answers contradict each other: the witness for a small detail where two problems look the same."""

from __future__ import annotations

from vlrl.verify.values.normaliser import clean, normalise
from vlrl.verify.values.quantity import read_quantity


def contradict(one: str, other: str) -> bool:
    """Whether two answers can't be answers to one question.

    Two numbers of other values do, and two answers in words that have no word in common. A letter of an option says
    nothing, since options change places; nor does an answer that isn't known, or a number against words.
    """
    a, b = normalise(one), normalise(other)
    if a == b or min(len(a), len(b)) == 0:
        return False
    value, other_value = read_quantity(clean(one)), read_quantity(clean(other))
    if value is not None and other_value is not None:
        return value.value != other_value.value
    if value is not None or other_value is not None or _is_letter(a) or _is_letter(b):
        return False
    return not set(a.split()) & set(b.split())


def _is_letter(answer: str) -> bool:
    return len(answer.strip("()[]. ")) == 1
