r"""The value of a formula at a point, to sixty digits, and what the values of two formulas say about their equality.

Numbers stay fractions as long as they can, so that polynomials are compared exactly; roots, powers, π, e, i and
functions are mpmath's. The points are fixed by the unknowns' names, the same in every process: some where all
unknowns are positive, and some where all are negative, so that `\sqrt{x^2}` is not x. Two formulas that agree at all
of these points to forty digits are one, as for polynomials Schwartz and Zippel have shown; none but a deliberate
near-identity escapes. They are different only where their values at some point are far apart, more than any rounding
of a decimal explains; everything else is left open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import cache
from typing import Any
from zlib import crc32

from vlrl.verify.math.formula import Formula, Tree, read_formula

DIGITS = 60
AGREE = 1e-40  # relative; smaller values than this are too small to tell
APART = 1e-4  # relative and absolute: far more than the 6 decimals to which a decimal and an exact value are compared
SIGNS = (1, -1, 1, -1)  # of the unknowns at the points
MAX_BITS = 20_000
MAX_TERMS = 1_000  # of a sum that is added up

Number = Any  # a Fraction, or one of mpmath's numbers
Assignment = Callable[[str], Fraction]  # the value of an unknown


class NoValueError(ValueError):
    """The formula has no value here, or none within bounds."""


@cache
def _context() -> Any:
    import mpmath  # here, because most verdicts need none of it

    context = mpmath.mp.clone()
    context.dps = DIGITS
    return context


def same_closed_form(one: str, other: str, decimals: int = 6) -> bool | None:
    """As `same_formula`, of two texts; None also where one is no formula."""
    first = read_formula(one)
    second = read_formula(other) if first is not None else None
    return None if first is None or second is None else same_formula(first, second, decimals)


def same_formula(one: Formula, other: Formula, decimals: int = 6) -> bool | None:
    """True: equal. False: different, even after rounding to this many decimals. None: it is open."""
    if one.word and other.word:
        return None  # words may be prose, and prose is no product of letters
    differ = apart(one, other, max(APART, 2 * 10.0**-decimals))
    if differ:
        return None if one.vague or other.vague else False
    return True if differ is False and not one.word and not other.word else None


def apart(one: Formula, other: Formula, threshold: float) -> bool | None:
    """True: at some point they differ by more than the threshold (relative above size one), so they are different.

    False: they agree at points of both signs, so they are equal. None: anything else.
    """
    agreed = set()
    for point, sign in enumerate(SIGNS if one.unknowns | other.unknowns else (1,)):
        try:
            a, b = (value_at(formula.tree, assignment(point, sign)) for formula in (one, other))
        except NoValueError:
            continue
        if sign == 1 and _is_real(a) and _is_real(b) and _gap(a, b) > threshold:
            return True
        if not agree(a, b):
            return None
        agreed.add(sign)
    return False if agreed == ({1, -1} if one.unknowns | other.unknowns else {1}) else None


def _gap(a: Number, b: Number) -> Any:
    """How far apart two values are, relative to the larger one above size one."""
    return abs(_up(a) - _up(b)) / max(1, abs(_up(a)), abs(_up(b)))


def agree(a: Number, b: Number) -> bool:
    """Whether two values are one: exactly where both are fractions, else to forty digits."""
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a == b
    size = max(abs(_up(a)), abs(_up(b)))
    return bool(size > AGREE and abs(_up(a) - _up(b)) <= AGREE * size)


def real_at(tree: Tree, at: Assignment = lambda name: Fraction(0)) -> float:
    """The real value at a point. Raises NoValueError where there is none."""
    value = value_at(tree, at)
    if not _is_real(value):
        raise NoValueError
    return float(value if isinstance(value, Fraction) else value.real)


def value_at(tree: Tree, at: Assignment) -> Number:
    """The value where the unknowns have the values that `at` gives. Raises NoValueError where there is none."""
    try:
        value = _value(tree, at)
    except (ArithmeticError, ValueError) as failed:
        raise NoValueError from failed
    if not isinstance(value, Fraction) and not _context().isfinite(value):
        raise NoValueError
    return value


def assignment(point: int, sign: int = 1) -> Assignment:
    """The values of unknowns at a point: of size 0.6 to 2.6."""
    return lambda name: sign * (Fraction(6, 10) + Fraction(2 * crc32(f"{point} {name}".encode()), 2**32))


def _is_real(value: Number) -> bool:
    return isinstance(value, Fraction) or abs(value.imag) <= AGREE * max(1, abs(value))


def _up(value: Number) -> Number:
    """A fraction as one of mpmath's numbers."""
    if not isinstance(value, Fraction):
        return value
    return _context().mpf(value.numerator) / value.denominator


def _value(tree: Tree, at: Assignment) -> Number:
    kind = tree[0]
    if kind == "number":
        return tree[1]
    if kind == "unknown":
        return at(tree[1])
    if kind == "constant":
        return {"π": _context().pi, "e": _context().e, "i": _context().j}[tree[1]] * 1
    if kind == "sum":
        return _folded((_value(part, at) for part in tree[1]), lambda a, b: a + b)
    if kind == "product":
        return _folded((_value(part, at) for part in tree[1]), lambda a, b: a * b)
    if kind == "quotient":
        below = _value(tree[2], at)
        if not isinstance(below, Fraction) and abs(below) <= AGREE:
            raise NoValueError  # zero, but for rounding
        return _folded((_value(tree[1], at), below), lambda a, b: a / b)
    if kind == "power":
        return _power(_value(tree[1], at), _value(tree[2], at))
    if kind == "root":
        return _power(_value(tree[1], at), Fraction(1, tree[2]))
    if kind == "function":
        return getattr(_context(), tree[1])(_up(_value(tree[2], at)))
    return _series(tree, at)


def _folded(values: Iterable[Number], joined: Callable[[Number, Number], Number]) -> Number:
    total: Number = None
    for value in values:
        if total is None:
            total = value
        elif isinstance(total, Fraction) and isinstance(value, Fraction):
            total = joined(total, value)
            if total.numerator.bit_length() + total.denominator.bit_length() > MAX_BITS:
                raise NoValueError
        else:
            total = joined(_up(total), _up(value))
    return total


def _power(base: Number, exponent: Number) -> Number:
    if base == 0:
        if not _is_real(exponent) or _up(exponent).real <= 0:
            raise NoValueError
        return Fraction(0)
    if isinstance(exponent, Fraction) and exponent.denominator == 1 and isinstance(base, Fraction):
        size = base.numerator.bit_length() + base.denominator.bit_length()
        if size * abs(exponent) > MAX_BITS:
            raise NoValueError
        return base ** int(exponent)
    if abs(_up(exponent)) > MAX_TERMS:
        raise NoValueError
    return _context().power(_up(base), _up(exponent))


def _series(tree: Tree, at: Assignment) -> Number:
    """A sum over whole numbers; one without bounds that are numbers is an unknown, named by bounds and summand."""
    _, index, first, last, body = tree
    start, end = _value(first, at), _value(last, at)
    whole = all(isinstance(bound, Fraction) and bound.denominator == 1 for bound in (start, end))
    if whole and 0 <= end - start < MAX_TERMS:
        terms = (_summand(body, index, Fraction(k), at) for k in range(int(start), int(end) + 1))
        return _folded(terms, lambda a, b: a + b)
    summand = _summand(body, index, at("index"), at)
    return at(" ".join(str(_up(part))[:40] for part in (start, end, summand)))


def _summand(body: Tree, index: str, value: Fraction, at: Assignment) -> Number:
    return _value(body, lambda name: value if name == index else at(name))
