"""Family `numbers`: integers and decimals in other notations; near misses differ in a digit, the point or the sign."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from vlrl.reward_models.rewriting.family import Family, Form, Rewritten, distinct, families

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
SMALL, TENS = _SMALL.split(), _TENS.split()
NOTATIONS = ("plain", "thousands", "zeros", "scientific", "fraction", "latex", "words")
MISSES = ("digit changed", "digits swapped", "point moved", "sign turned", "digit dropped")


@families.register("numbers")
class Numbers(Family):
    """Values of at most four digits: `1234.5` is `1,234.5`, `1234.50`, `1.2345e3`, `2469/2` and `\\frac{2469}{2}`."""

    name = "numbers"

    def draw(self, rng: np.random.Generator, count: int) -> Rewritten:
        """A value with answers in other notations, and others near it."""
        value = Fraction(int(rng.integers(2, 10_000)), int(rng.choice([1, 1, 1, 10, 100])))
        if rng.random() < 0.3:
            value = Fraction(int(rng.integers(2, 100)))
        value *= int(rng.choice([-1, 1, 1]))  # else a minus alone would give a near miss away
        reference = notation(value, rng)
        equal = distinct(lambda: notation(value, rng), count, reference, True)
        other = distinct(lambda: _miss(value, rng), count, reference, False)
        return Rewritten("What is the value?", reference, "number", equal, other)


def notation(value: Fraction, rng: np.random.Generator) -> Form:
    """The value in a random notation that can write it exactly."""
    written = {how: text for how in NOTATIONS if (text := _written(value, how)) is not None}
    how = str(rng.choice(list(written)))
    return Form(written[how], value, plain(value), how)


def _written(value: Fraction, how: str) -> str | None:
    text, sign, size = plain(value), "-" if value < 0 else "", abs(value)
    if how == "plain":
        return text
    if how == "thousands":
        whole, _, decimals = plain(size).partition(".")
        return f"{sign}{int(whole):,}" + (f".{decimals}" if decimals else "") if size >= 1000 else None
    if how == "zeros":
        return text + ("0" if "." in text else ".0")
    if how == "scientific":
        return _scientific(value)
    if how == "words":
        return in_words(int(value)) if value.denominator == 1 and 0 <= value < 100 else None
    if value.denominator == 1:
        return None
    return f"{value}" if how == "fraction" else rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def _scientific(value: Fraction) -> str:
    sign, power, rest = "-" if value < 0 else "", 0, abs(value)
    while rest >= 10:
        rest, power = rest / 10, power + 1
    while 0 < rest < 1:
        rest, power = rest * 10, power - 1
    return f"{sign}{plain(rest)}e{power}"


def plain(value: Fraction) -> str:
    """A decimal without trailing zeros. The value's denominator has no factors but 2 and 5."""
    scaled, places = value, 0
    while scaled.denominator != 1:
        scaled, places = scaled * 10, places + 1
    digits = str(abs(scaled.numerator)).rjust(places + 1, "0")
    whole, decimals = (digits[:-places], digits[-places:]) if places else (digits, "")
    return ("-" if value < 0 else "") + whole + (f".{decimals}" if decimals else "")


def in_words(number: int) -> str:
    """A whole number from 0 to 99 in English."""
    if number < 20:
        return SMALL[number]
    ten, one = divmod(number, 10)
    return TENS[ten - 2] + (f"-{SMALL[one]}" if one else "")


def near(value: Fraction, how: str, rng: np.random.Generator) -> Fraction:
    """A value near another one; it may happen to be the same."""
    if how == "sign turned":
        return -value
    if how == "point moved":
        return value * 10 if rng.random() < 0.5 else value / 10
    text = plain(abs(value))
    digits = [i for i, character in enumerate(text) if character != "."]
    i = int(rng.choice(digits))
    if how == "digit changed":
        text = text[:i] + str((int(text[i]) + int(rng.integers(1, 10))) % 10) + text[i + 1 :]
    elif how == "digit dropped" and len(digits) > 1:
        text = (text[:i] + text[i + 1 :]).strip(".") or "0"
    elif how == "digits swapped" and len(digits) > 1:
        first = int(rng.integers(len(digits) - 1))
        letters = list(text)
        a, b = digits[first], digits[first + 1]
        letters[a], letters[b] = letters[b], letters[a]
        text = "".join(letters)
    return Fraction(text) * (-1 if value < 0 else 1)


def _miss(value: Fraction, rng: np.random.Generator) -> Form:
    how = str(rng.choice(MISSES))
    other = near(value, how, rng)
    return Form((form := notation(other, rng)).text, other, form.normal, how)
