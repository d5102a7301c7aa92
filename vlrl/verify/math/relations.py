"""Whether two equations or two inequalities are the same: by multiples, or by a point that tells them apart.

`a = b` and `c = d` are the same where a - b is a multiple of c - d by a number that is not zero; `a < b` and `c < d`
where the number is positive. Two equations are different where a root of the one is none of the other; two inequalities
where one holds at a point and the other does not, neither of them narrowly. Everything else is left open.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from vlrl.verify.math.formula import Formula, Tree
from vlrl.verify.math.formula_value import SIGNS, Assignment, NoValueError, Number, agree, assignment, real_at, value_at

CLEARLY = 1e-3
STEPS = 33  # of the line along which roots are looked for
LINE = (Fraction(-813, 100), Fraction(829, 100))
HALVINGS = 50

_TURNED = {"<": ">", "≤": "≥", ">": "<", "≥": "≤", "≠": "≠"}


def same_equation(one: list[Formula | None], other: list[Formula | None]) -> bool | None:
    """Whether `one[0] = one[1]` and `other[0] = other[1]` hold for the same values of their unknowns."""
    sides = _differences(one, other)
    if sides is None:
        return None
    factor = _multiple(*sides)
    if factor is not None:
        return True
    if not _comparable(one, other):
        return None
    for first, second in (sides, sides[::-1]):
        for at in _roots(first, _unknowns(one)):
            if abs(_certain(second, at)) > CLEARLY:
                return False
    return None


def same_inequality(
    one: list[Formula | None], relation: str, other: list[Formula | None], other_relation: str
) -> bool | None:
    """As `same_equation`, of two relations out of < ≤ > ≥ ≠."""
    if relation not in _TURNED or other_relation not in _TURNED:
        return None
    if relation in (">", "≥"):
        one, relation = one[::-1], _TURNED[relation]
    if other_relation in (">", "≥"):
        other, other_relation = other[::-1], _TURNED[other_relation]
    sides = _differences(one, other)
    if sides is None:
        return None
    if relation == other_relation:
        factor = _multiple(*sides)
        if factor is not None and (factor > 0 or relation == "≠"):
            return True
    if "≠" in (relation, other_relation) or not _comparable(one, other):
        return None
    for at in _line(_unknowns(one)):
        a, b = _certain(sides[0], at), _certain(sides[1], at)
        if min(abs(a), abs(b)) > CLEARLY and (a < 0) != (b < 0):
            return False
    return None


def _differences(one: list[Formula | None], other: list[Formula | None]) -> tuple[Tree, Tree] | None:
    """Left minus right of both; None where one side is not read, or may be prose."""
    (a, b), (c, d) = one, other
    if a is None or b is None or c is None or d is None or a.word or b.word or c.word or d.word:
        return None
    return _minus(a, b), _minus(c, d)


def _minus(one: Formula, other: Formula) -> Tree:
    return ("sum", (one.tree, ("product", (("number", Fraction(-1)), other.tree))))


def _unknowns(sides: list[Formula | None]) -> frozenset[str]:
    return frozenset().union(*(side.unknowns for side in sides if side is not None))


def _comparable(one: list[Formula | None], other: list[Formula | None]) -> bool:
    """Whether a point can tell them apart: both have the same unknowns, and there is one reading."""
    names = _unknowns(one)
    return bool(names) and names == _unknowns(other) and not any(f.vague for f in (*one, *other) if f is not None)


def _multiple(one: Tree, other: Tree) -> float | None:
    """c with one = c · other at points of both signs, a real number and not zero; None if there is none."""
    factors: list[Number] = []
    for point, sign in enumerate(SIGNS):
        try:
            a, b = value_at(one, assignment(point, sign)), value_at(other, assignment(point, sign))
            factors.append(value_at(("quotient", ("number", a), ("number", b)), assignment(0)))
        except NoValueError:
            continue
    if len(factors) < len(SIGNS) or not all(agree(factors[0], factor) for factor in factors):
        return None
    try:
        return real_at(("number", factors[0])) or None
    except NoValueError:
        return None


def _line(names: frozenset[str]) -> Iterator[Assignment]:
    """Points on lines along each unknown, the others fixed."""
    for name in sorted(names)[:3]:
        for step in range(STEPS):
            yield _moved(name, LINE[0] + (LINE[1] - LINE[0]) * Fraction(step, STEPS - 1))


def _moved(name: str, value: Fraction) -> Assignment:
    fixed = assignment(0)
    return lambda other: value if other == name else fixed(other)


def _roots(tree: Tree, names: frozenset[str]) -> Iterator[Assignment]:
    """Points where the tree is zero up to rounding."""
    for name in sorted(names)[:3]:
        before: tuple[Fraction, float] | None = None
        for step in range(STEPS):
            x = LINE[0] + (LINE[1] - LINE[0]) * Fraction(step, STEPS - 1)
            value = _certain(tree, _moved(name, x))
            if before is not None and value * before[1] < 0 and abs(value) > CLEARLY:
                root = _halved(tree, name, before, x)
                if root is not None:
                    yield _moved(name, root)
            before = (x, value) if abs(value) > CLEARLY else None


def _halved(tree: Tree, name: str, start: tuple[Fraction, float], end: Fraction) -> Fraction | None:
    """A zero between two points with values of different signs; None at a pole."""
    low, sign = start[0], start[1] > 0
    high = end
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        value = _certain(tree, _moved(name, middle))
        if (value > 0) == sign:
            low = middle
        else:
            high = middle
    value = _certain(tree, _moved(name, low))
    return low if 0 < abs(value) < 1e-7 else None


def _certain(tree: Tree, at: Assignment) -> float:
    """The value at a point; zero where there is none."""
    try:
        return real_at(tree, at)
    except NoValueError:
        return 0.0
