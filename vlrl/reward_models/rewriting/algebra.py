"""Family `algebra`: polynomials expanded, factored or reordered; near misses have another coefficient or exponent.

Values are sympy's expanded polynomials over exact integers, so that two forms agree where their difference is zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy

from vlrl.reward_models.rewriting.family import Family, Form, Rewritten, distinct, families

LETTERS = ("x", "a", "t", "y")
FORMS = ("expanded", "factored", "reordered", "completed")
MISSES = ("sign turned", "coefficient changed", "exponent changed")


@families.register("algebra")
class Algebra(Family):
    """`a^2 - 4` is `(a - 2)(a + 2)` and `-4 + a^2`; it is neither `a^2 + 4` nor `(a - 2)^2`."""

    name = "algebra"

    def draw(self, rng: np.random.Generator, count: int) -> Rewritten:
        """A product of two linear factors, with answers in other forms, and others near it."""
        letter = sympy.Symbol(str(rng.choice(LETTERS)))
        first, second = (_linear(letter, rng) for _ in range(2))
        value = sympy.expand(first * second)
        reference = _form(value, letter, str(rng.choice(FORMS)))
        equal = distinct(lambda: _form(value, letter, str(rng.choice(FORMS))), count, reference, True)
        other = distinct(lambda: _miss(value, letter, rng), count, reference, False)
        return Rewritten(f"Which polynomial in {letter} is it?", reference, "math", equal, other)


def _linear(letter: Any, rng: np.random.Generator) -> Any:
    slope = int(rng.choice([1, 1, 1, 2, 3]))
    return slope * letter + int(rng.choice([n for n in range(-9, 10) if n]))


def _form(value: Any, letter: Any, how: str) -> Form:
    expanded = _text(value)
    if how == "factored":
        text = _text(sympy.factor(value))
    elif how == "reordered":
        text = _terms(list(reversed(sympy.Poly(value, letter).terms())), letter)
    elif how == "completed":
        text = _completed(value, letter) or expanded
    else:
        text = expanded
    return Form(text, expanded, expanded, how)


def _completed(value: Any, letter: Any) -> str | None:
    """`(x - 3)^2 - 4` of a square that can be completed in whole numbers; None for others."""
    two, one, zero = (int(value.coeff(letter, power)) for power in (2, 1, 0))
    if two != 1 or one % 2 or not one:
        return None
    half = one // 2
    square, rest = _text((letter + half) ** 2), zero - half * half
    return square + (f" {'+' if rest > 0 else '-'} {abs(rest)}" if rest else "")


def _miss(value: Any, letter: Any, rng: np.random.Generator) -> Form:
    how = str(rng.choice(MISSES))
    terms = sympy.Poly(value, letter).terms()
    place = int(rng.integers(len(terms)))
    (power,), coefficient = terms[place]
    if how == "sign turned":
        changed = -coefficient * letter**power
    elif how == "coefficient changed":
        changed = (coefficient + int(rng.choice([-2, -1, 1, 2]))) * letter**power
    else:
        changed = coefficient * letter ** (power + 1)
    other = sympy.expand(value - coefficient * letter**power + changed)
    form = _form(other, letter, "expanded" if other.is_number else str(rng.choice(FORMS[:3])))
    return Form(form.text, form.value, form.normal, how)


def _terms(terms: list[Any], letter: Any) -> str:
    """Terms in the order given, `-4 + a^2`."""
    written = ""
    for (power,), coefficient in terms:
        size = _text(abs(coefficient) * letter**power)
        sign = "-" if coefficient < 0 else "+"
        written += f" {sign} {size}" if written else ("-" if coefficient < 0 else "") + size
    return written


def _text(expression: Any) -> str:
    """As one writes it: `3x^2 - 4`, `(x - 2)(x + 2)`."""
    text = str(expression).replace("**", "^")
    return text.replace(")*(", ")(").replace("*(", "(").replace("*", "")
