r"""Sets of real numbers, however they are written: `-3 < x < 5`, `x > -3 and x < 5`, `(-3, 5)`, `\{x \mid -3 < x < 5\}`
or `\mathbb{R}`.

Intervals, unions, differences, sets of numbers, inequalities of one unknown by numbers and what "and" and "or" make of
them become disjoint intervals from low to high, so that two sets are one where their ends are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf

from vlrl.verify.math.formula_value import NoValueError, real_at
from vlrl.verify.math.structure import Bracket, Chain, Items, Leaf, Structure, Union, Without, name_of

TOUCH = 1e-12  # relative, within which two ends are one
_MINUS, _PLUS = Leaf("-\\infty", None, -1), Leaf("\\infty", None, 1)
_TURNED = {">": "<", "≥": "≤"}


@dataclass(frozen=True)
class End:
    """One end of an interval: what is written, its value, and whether it belongs to the set."""

    leaf: Leaf
    value: float
    closed: bool


Interval = tuple[End, End]
EVERYTHING: tuple[Interval, ...] = ((End(_MINUS, -inf, False), End(_PLUS, inf, False)),)


@dataclass(frozen=True)
class RealSet:
    """Disjoint intervals from low to high, and the unknown whose solutions they are ("" where none is named)."""

    intervals: tuple[Interval, ...]
    name: str = ""


def same_reals(one: RealSet, other: RealSet, same: Callable[[Leaf, Leaf], bool]) -> bool:
    """Whether two sets are one; names agree where both have one."""
    if one.name and other.name and one.name != other.name:
        return False
    if len(one.intervals) != len(other.intervals):
        return False
    pairs = [pair for both in zip(one.intervals, other.intervals, strict=True) for pair in zip(*both, strict=True)]
    return all(a.closed == b.closed and same(a.leaf, b.leaf) for a, b in pairs)


def reals_of(item: Structure) -> RealSet | None:
    """The set of real numbers that a form is; None for every other form, and for a number alone."""
    if isinstance(item, Leaf):
        return RealSet(EVERYTHING) if item.text == "ℝ" else None
    if isinstance(item, Bracket):
        return _between(*item.items, item.brackets) if len(item.items) == 2 else None
    if isinstance(item, Chain):
        return _of_relation(item)
    if isinstance(item, Without):
        whole, removed = reals_of(item.whole), reals_of(item.removed)
        return None if whole is None or removed is None else RealSet(_common((whole, _others(removed))), whole.name)
    if isinstance(item, Union):
        return _joined(item.parts, _together)
    if isinstance(item, Items) and item.kind in ("either", "both"):
        return _joined(item.items, _together if item.kind == "either" else _common)
    if isinstance(item, Items) and item.kind == "set":
        points = [_between(number, number, "[]") for number in item.items]
        found = [point for point in points if point is not None]
        return RealSet(_together(found)) if len(found) == len(points) else None
    return None


def _joined(parts: Sequence[Structure], join: Callable[[Sequence[RealSet]], tuple[Interval, ...]]) -> RealSet | None:
    sets = [reals_of(part) for part in parts]
    found = [one for one in sets if one is not None]
    names = {one.name for one in found}
    return RealSet(join(found), names.pop()) if len(found) == len(sets) and len(names) == 1 else None


def _between(low: Structure, high: Structure, brackets: str) -> RealSet | None:
    first, second = _end(low, brackets[0] == "["), _end(high, brackets[1] == "]")
    if first is None or second is None or first.value > second.value:
        return None
    empty = first.value == second.value and brackets != "[]"
    return None if empty else RealSet(((first, second),))


def _end(leaf: Structure, closed: bool) -> End | None:
    if not isinstance(leaf, Leaf):
        return None
    if leaf.infinite:
        return End(leaf, leaf.infinite * inf, False)
    if leaf.formula is None or leaf.formula.unknowns:
        return None
    try:
        return End(leaf, real_at(leaf.formula.tree), closed)
    except NoValueError:
        return None


def _of_relation(chain: Chain) -> RealSet | None:
    r"""The unknown and its values, of `a < x \le b`, `x < a`, `a \ge x`, `x \ne a`, `x = a` and `x \in S`."""
    members, relations = chain.members, chain.relations
    if {*relations} <= {*">≥"}:
        members, relations = members[::-1], tuple(_TURNED[r] for r in relations[::-1])
    if relations == ("∈",):
        values = reals_of(members[1])
        return None if values is None or not name_of(members[0]) else RealSet(values.intervals, name_of(members[0]))
    names = [m.formula.tree[1] if isinstance(m, Leaf) and m.formula and m.formula.tree[0] == "unknown" else ""
             for m in members]  # fmt: skip
    at = next((place for place, name in enumerate(names) if name), -1)
    if at < 0 or len(members) > 3 or (len(members) == 3 and at != 1):
        return None
    if relations in (("≠",), ("=",)):
        point = _between(members[1 - at], members[1 - at], "[]")
        if point is None:
            return None
        return RealSet(point.intervals if relations == ("=",) else _others(point).intervals, names[at])
    if not {*relations} <= {*"<≤"}:
        return None
    low = members[at - 1] if at else _MINUS
    high = members[at + 1] if at + 1 < len(members) else _PLUS
    brackets = ("[" if at and relations[at - 1] == "≤" else "(") + ("]" if relations[at:] == ("≤",) else ")")
    found = _between(low, high, brackets)
    return None if found is None else RealSet(found.intervals, names[at])


def _touch(one: End, other: End) -> bool:
    return one.value == other.value or abs(one.value - other.value) <= TOUCH * max(1.0, abs(one.value))


def _together(sets: Iterable[RealSet]) -> tuple[Interval, ...]:
    """The union."""
    pieces = sorted((i for s in sets for i in s.intervals), key=lambda i: (i[0].value, not i[0].closed))
    found: list[Interval] = []
    for low, high in pieces:
        last = found[-1][1] if found else None
        touches = last is not None and _touch(last, low) and (last.closed or low.closed)
        if last is None or not (touches or (low.value < last.value and not _touch(last, low))):
            found.append((low, high))
        elif (high.value, high.closed) > (last.value, last.closed):
            found[-1] = (found[-1][0], high)
    return tuple(found)


def _others(one: RealSet) -> RealSet:
    """All real numbers that aren't in the set."""
    ends = [EVERYTHING[0][0], *(end for interval in one.intervals for end in interval), EVERYTHING[0][1]]
    turned = [End(end.leaf, end.value, not end.closed and not end.leaf.infinite) for end in ends]
    pairs = zip(turned[::2], turned[1::2], strict=True)
    return RealSet(tuple((a, b) for a, b in pairs if a.value < b.value or (a.closed and b.closed)), one.name)


def _common(sets: Iterable[RealSet]) -> tuple[Interval, ...]:
    """The intersection."""
    return _others(RealSet(_together(_others(one) for one in sets))).intervals
