"""Family `units`: a quantity in other units of its kind; near misses keep the number or the unit alone."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from vlrl.reward_models.rewriting.family import Family, Form, Rewritten, distinct, families
from vlrl.reward_models.rewriting.numbers import near, plain

KINDS: dict[str, dict[str, Fraction]] = {  # by the unit of the normal form: other units as multiples of it
    "m": {"mm": Fraction(1, 1000), "cm": Fraction(1, 100), "m": Fraction(1), "km": Fraction(1000)},
    "g": {"mg": Fraction(1, 1000), "g": Fraction(1), "kg": Fraction(1000)},
    "s": {"ms": Fraction(1, 1000), "s": Fraction(1), "min": Fraction(60), "h": Fraction(3600)},
    "l": {"ml": Fraction(1, 1000), "cl": Fraction(1, 100), "l": Fraction(1)},
}
MISSES = ("number changed", "unit changed", "kind changed")
LONGEST = 9  # characters of a number


@families.register("units")
class Units(Family):
    """`1.5 km` is `1500 m` and `150000 cm`; it is neither `1.5 m` nor `1500 g`."""

    name = "units"

    def draw(self, rng: np.random.Generator, count: int) -> Rewritten:
        """A quantity with answers in other units, and others near it."""
        kind = str(rng.choice(list(KINDS)))
        unit = str(rng.choice(list(KINDS[kind])))
        number = Fraction(int(rng.integers(2, 1000)), int(rng.choice([1, 10])))
        reference = _form(number, unit, kind, "as given")
        assert reference is not None, "a number of three digits is short"
        equal = distinct(lambda: _converted(number, unit, kind, rng), count, reference, True)
        other = distinct(lambda: _miss(number, unit, kind, rng), count, reference, False)
        return Rewritten("How much is it?", reference, "math", equal, other)


def _form(number: Fraction, unit: str, kind: str, how: str) -> Form | None:
    """A quantity; None where its number would be long."""
    base, text = number * KINDS[kind][unit], plain(number)
    if len(text) > LONGEST:
        return None
    return Form(f"{text} {unit}", (base, kind), f"{plain(base)} {kind}", how)


def _converted(number: Fraction, unit: str, kind: str, rng: np.random.Generator) -> Form:
    found = None
    while found is None:
        to = str(rng.choice(list(KINDS[kind])))
        ratio = number * KINDS[kind][unit] / KINDS[kind][to]
        if set(_primes(ratio.denominator)) <= {2, 5}:  # others have no finite decimals
            found = _form(ratio, to, kind, "unit converted")
    return found


def _miss(number: Fraction, unit: str, kind: str, rng: np.random.Generator) -> Form:
    how, found = str(rng.choice(MISSES)), None
    while found is None:
        if how == "number changed":
            changed = near(number, str(rng.choice(["digit changed", "digits swapped", "point moved"])), rng)
            found = _converted(changed, unit, kind, rng)
        elif how == "unit changed":
            found = _form(number, str(rng.choice(list(KINDS[kind]))), kind, how)
        else:
            kind = str(rng.choice([one for one in KINDS if one != kind]))
            found = _form(number, str(rng.choice(list(KINDS[kind]))), kind, how)
    return Form(found.text, found.value, found.normal, how)


def _primes(number: int) -> list[int]:
    found, divisor = [], 2
    while number > 1:
        while number % divisor == 0:
            found.append(divisor)
            number //= divisor
        divisor += 1
    return found
