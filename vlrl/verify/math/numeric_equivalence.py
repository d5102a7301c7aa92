"""The value of a formula at a point, with a bound of its rounding error: enough to show that two formulas differ.

Two formulas with values that are further apart than their errors, at one point where both have a value, are different
functions. Values that are near each other show nothing. The points are fixed by the unknowns' names, the same in every
process: positive and of size one, so that roots and logarithms have values and terms don't hide each other.

A value is a pair (v, e): the exact value lies in [v - e, v + e]. Errors are propagated to first order with a factor of
two to spare, and a value with an error above 1e-7 (relative above size one) is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from zlib import crc32

from vlrl.verify.math.formula import Tree
from vlrl.verify.math.normal_form import TooLargeError, normal_form

POINTS = 3
LARGEST = 1e12
FINEST = 1e-7
EPSILON = 2.0**-51  # twice the rounding of one operation

Value = tuple[float, float]
Place = Callable[[str], float]  # the value of an unknown
CONSTANTS = {"π": math.pi, "e": math.e}


class NoValueError(ValueError):
    """The formula has no value here, or none that is known well enough."""


def apart(one: Tree, other: Tree, threshold: float) -> bool | None:
    """True: at some point they differ by more than the threshold (relative above size one), so they are different.

    False: at some point both have values, and wherever they have, these are equal up to rounding. None: anything else.
    """
    near = None
    for point in range(POINTS):
        try:
            a, b = value_at(one, places(point)), value_at(other, places(point))
        except NoValueError:
            continue
        difference, size = abs(a[0] - b[0]), max(1.0, abs(a[0]), abs(b[0]))
        if difference - a[1] - b[1] > threshold * size:
            return True
        near = difference <= a[1] + b[1] + 1e-9 * size and near is not False
    return False if near else None


def value_at(tree: Tree, at: Place) -> Value:
    """The value where the unknowns have the values that `at` gives. Raises NoValueError where there is none."""
    try:
        value, error = _value(tree, at)
    except (ArithmeticError, TooLargeError) as failed:
        raise NoValueError from failed
    if not abs(value) <= LARGEST or not error <= FINEST * max(1.0, abs(value)):
        raise NoValueError
    return value, error


def places(point: int) -> Place:
    """The values of unknowns at a point: between 0.6 and 2.6."""
    return lambda name: 0.6 + 2.0 * crc32(f"{point} {name}".encode()) / 2**32


def _value(tree: Tree, at: Place) -> Value:
    kind = tree[0]
    if kind == "number":
        return _rounded(float(tree[1]), 0.0)
    if kind == "unknown":
        return at(tree[1]), 0.0
    if kind == "constant":
        return _rounded(CONSTANTS[tree[1]], 0.0)
    if kind == "sum":
        parts = list(_values(tree[1], at))
        return math.fsum(v for v, _ in parts), sum(e for _, e in parts) + EPSILON * sum(abs(v) for v, _ in parts)
    if kind == "product":
        value, error = 1.0, 0.0
        for v, e in _values(tree[1], at):
            value, error = value * v, abs(value) * e + abs(v) * error + error * e
        return _rounded(value, error)
    if kind == "quotient":
        (a, da), (b, db) = _values(tree[1:], at)
        if abs(b) <= 4 * db:
            raise NoValueError
        return _rounded(a / b, 2 * (da + abs(a / b) * db) / abs(b))
    if kind == "power":
        base, exponent = _values(tree[1:], at)
        return _power(base, exponent)
    if kind == "root":
        return _power(_value(tree[1], at), (1 / tree[2], EPSILON))
    if kind == "function":
        return _function(tree[1], *_value(tree[2], at))
    return at(normal_form(tree).key()), 0.0  # a series, as an unknown of its own


def _values(trees: tuple[Tree, ...], at: Place) -> Iterator[Value]:
    return (_value(tree, at) for tree in trees)


def _rounded(value: float, error: float) -> Value:
    return value, error + EPSILON * abs(value)


def _power(base: Value, exponent: Value) -> Value:
    (a, da), (b, db) = base, exponent
    if a > 4 * da and abs(b) <= 1000:
        value = a**b
        if value > LARGEST:
            raise NoValueError
        return _rounded(value, 2 * value * (abs(b) * da / a + abs(math.log(a)) * db) + 4 * EPSILON * value)
    if a == da == 0 and b > 2 * db:
        return 0.0, 0.0
    if b != int(b) or db > EPSILON * abs(b) or not 1 <= b <= 1000:
        raise NoValueError
    value = a ** int(b)
    return _rounded(value, b * da * (abs(a) + da) ** (int(b) - 1) + b * EPSILON * abs(value))


def _function(name: str, x: float, dx: float) -> Value:
    if name == "ln":
        if x <= 4 * dx:
            raise NoValueError
        return math.log(x), 2 * dx / x + EPSILON * (1 + abs(math.log(x)))
    sine, cosine = (math.sin(x), dx + EPSILON), (math.cos(x), dx + EPSILON)
    top, bottom = {
        "sin": (sine, (1.0, 0.0)),
        "cos": (cosine, (1.0, 0.0)),
        "tan": (sine, cosine),
        "cot": (cosine, sine),
        "sec": ((1.0, 0.0), cosine),
        "csc": ((1.0, 0.0), sine),
    }[name]
    if abs(bottom[0]) <= 4 * bottom[1]:
        raise NoValueError
    value = top[0] / bottom[0]
    return _rounded(value, 2 * (top[1] + abs(value) * bottom[1]) / abs(bottom[0]))
