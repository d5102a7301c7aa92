r"""Whether two answers are equal, from their outer form inwards: True, False, or None where it takes more to tell.

Entries of tuples, intervals, matrices and ratios are compared in order, those of sets and lists in any order. A
relation is read as a value with a name where it is one (`x = 5`, `5 = x`, `x \in S`, `x < 3`), and names must agree;
a gold with a name may be answered by the value alone, and the other way round. All other relations are compared as
equations and inequalities. True and False come only from what is certain of the leaves (`same_formula`): an equation
is the same where it is a multiple, another one where a point satisfies one of both. Mixed kinds (a tuple for an
interval, a list for a tuple) are left open.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from vlrl.verify.math.closed_form import same_formula
from vlrl.verify.math.formula import Formula
from vlrl.verify.math.formula_value import NoValueError, real_at
from vlrl.verify.math.relations import same_equation, same_inequality
from vlrl.verify.math.structure import (
    Bracket,
    Chain,
    Items,
    Leaf,
    Matrix,
    Ratio,
    Structure,
    Union,
    name_of,
    read_structure,
)

MAX_PAIRS = 150
ZERO = Formula(("number", Fraction(0)), frozenset(), False, False)

_TO = re.compile(r"\s*(?:\\text\{\s*to\s*\}|\bto\b)\s*")
_INDEX = re.compile(r"_\{?[0-9]\}?$")
_UNKNOWN = re.compile(r"(?<![A-Za-z\\])[a-z](?![A-Za-z(])")
_DEGREES = re.compile(r"(?:°|\^\s?\{?\s?\\circ\s?\}?)\s*$")


@dataclass(frozen=True)
class EqualityRules:
    """How strictly to compare: decimals to which a decimal and an exact value are rounded; `relations`: an inequality
    may answer an interval."""

    decimals: int = 6
    relations: bool = False
    absolute: bool = False  # the problem's facts name the decimals; else this many significant digits are meant


def same_answer(gold: list[str], answer: list[str], terms: EqualityRules) -> bool | None:
    """Whether the parts of an answer are those of the gold; None where this is not certain."""
    first = read_structure(gold)
    if isinstance(first, Ratio):
        answer = [_TO.sub(":", part) for part in answer]
    second = read_structure(answer) if first is not None else None
    return None if first is None or second is None else same(first, second, terms)


def same(gold: Structure, answer: Structure, terms: EqualityRules) -> bool | None:
    """Whether two forms are equal; None where this is not certain."""
    if isinstance(gold, Chain) or isinstance(answer, Chain):
        return _same_statement(gold, answer, terms)
    if isinstance(gold, Items) and isinstance(answer, Items):
        return _unordered(gold, answer, terms)
    if isinstance(gold, Items) and isinstance(answer, Bracket):
        values = _named(gold.items)
        return _ordered(list(values.values()), answer.items, terms) if len(values) == len(answer.items) > 1 else None
    if isinstance(gold, Items) or isinstance(answer, Items):
        return _one_and_many(gold, answer, terms)
    if isinstance(gold, Leaf) and isinstance(answer, Leaf):
        return _same_leaf(gold, answer, terms)
    if isinstance(gold, Leaf) and isinstance(answer, Bracket):
        return False if gold.formula is not None and not gold.formula.word else None
    if isinstance(gold, Leaf) and isinstance(answer, Ratio) and (len(answer.parts) > 2 or gold.text.strip().isdigit()):
        return False  # 6 is no 6:1
    if isinstance(gold, Bracket) and isinstance(answer, Bracket):
        return _same_bracket(gold, answer, terms)
    if isinstance(gold, Matrix) and isinstance(answer, Matrix):
        if [len(row) for row in gold.rows] != [len(row) for row in answer.rows]:
            return None
        return _ordered(sum(gold.rows, ()), sum(answer.rows, ()), terms)
    if isinstance(gold, Ratio) and isinstance(answer, Ratio):
        return _same_ratio(gold, answer, terms)
    if isinstance(gold, (Union, Bracket)) and isinstance(answer, (Union, Bracket)):
        return _same_union(_parts(gold), _parts(answer), terms)
    return None


def _all(verdicts: Sequence[bool | None]) -> bool | None:
    if False in verdicts:
        return False
    return None if None in verdicts else True


def _ordered(gold: Sequence[Structure], answer: Sequence[Structure], terms: EqualityRules) -> bool | None:
    return _all([same(g, a, terms) for g, a in zip(gold, answer, strict=True)])


def _same_leaf(gold: Leaf, answer: Leaf, terms: EqualityRules) -> bool | None:
    if gold.infinite and answer.infinite:
        return gold.infinite == answer.infinite
    if gold.infinite or answer.infinite:
        number = answer.formula or gold.formula
        return None if number is None or number.unknowns else False
    if gold.formula is None or answer.formula is None:
        return None
    if _DEGREES.search(gold.text) and not _DEGREES.search(answer.text) and "pi" not in answer.text:
        return _same_leaf(_in_degrees(gold), answer, terms)  # a bare number has the gold's unit
    if not gold.formula.unknowns and not answer.formula.unknowns and _decimal(gold) != _decimal(answer):
        return _same_rounded(gold.formula, answer.formula, terms)
    return same_formula(gold.formula, answer.formula, terms.decimals)


def _in_degrees(leaf: Leaf) -> Leaf:
    found = read_structure([_DEGREES.sub("", leaf.text)])
    return found if isinstance(found, Leaf) and found.formula is not None else leaf


def _decimal(leaf: Leaf) -> bool:
    """Whether a leaf is a decimal as it stands: 0.33, -1.5."""
    return leaf.text.strip().removeprefix("-").replace(".", "", 1).isdigit() and "." in leaf.text


def _same_rounded(one: Formula, other: Formula, terms: EqualityRules) -> bool | None:
    """Whether two numbers, one of them a decimal, round to the same digits."""
    try:
        a, b = real_at(one.tree), real_at(other.tree)
    except NoValueError:
        return None
    if terms.absolute:
        return round(a, terms.decimals) == round(b, terms.decimals)
    return abs(a - b) <= 1.5 * min(abs(a), abs(b)) * 10.0**-terms.decimals


def _unordered(one: Items, other: Items, terms: EqualityRules) -> bool | None:
    if (one.kind == "either") != (other.kind == "either"):
        return False  # "x = 5 or y = 6" is not "x = 5 and y = 6"
    gold, answer = one.items, other.items
    if len(gold) * len(answer) > MAX_PAIRS:
        return None
    by_name = _named(gold), _named(answer)
    if by_name[0] and by_name[0].keys() == by_name[1].keys():
        return _all([same(value, by_name[1][name], terms) for name, value in by_name[0].items()])
    roots = _roots(gold), _roots(answer)
    if roots[0] and roots[1] and roots[0][0] == roots[1][0]:
        return _matched(roots[0][1], roots[1][1], terms)  # x = 1, x = 2 and x_1 = 1, x_2 = 2
    if by_name[0] and by_name[1]:
        return False
    if len(by_name[0]) > 1 and len(gold) == len(answer) and not any(isinstance(a, Chain) for a in answer):
        return _ordered(list(by_name[0].values()), answer, terms)
    names = {name_of(item.members[0]) for item in (*gold, *answer) if isinstance(item, Chain)}
    free = len(names) < 2 or bool(roots[0] or roots[1]) or all(isinstance(i, Chain) for i in (*gold, *answer))
    return _matched(gold, answer, terms, free)


def _matched(
    gold: Sequence[Structure], answer: Sequence[Structure], terms: EqualityRules, free: bool = True
) -> bool | None:
    """Whether every value has one of its own on the other side; not `free`: the one at its own place."""
    table = [[same(g, a, terms) for a in answer] for g in gold]
    if len(gold) == len(answer):
        left = set(range(len(answer)))
        for place, row in enumerate(table):
            match = next((i for i in ((place, *sorted(left)) if free else (place,)) if i in left and row[i]), None)
            if match is None:
                break
            left.discard(match)
        else:
            return True
    if any(isinstance(item, Chain) and {*item.relations} != {"="} for item in (*gold, *answer)):
        return None
    if len(gold) != len(answer) and not any(_several_values(item) for item in (*gold, *answer)):
        return False
    columns = zip(*table, strict=True)
    return False if any(all(v is False for v in line) for line in (*table, *columns)) else None


def _named(items: Sequence[Structure]) -> dict[str, Structure]:
    """Values by their names, of `x = 5, y = 6`; {} where one has no name or two have the same."""
    found = {}
    for item in items:
        if not isinstance(item, Chain) or item.relations != ("=",) or not (name := name_of(item.members[0])):
            return {}
        found[name] = item.members[1]
    return found if len(found) == len(items) else {}


def _roots(items: Sequence[Structure]) -> tuple[str, list[Structure]] | None:
    """(unknown, values) where all are values of one unknown: `x = 1, x = 2`, `x_1 = 1, x_2 = 2`."""
    if not all(isinstance(item, Chain) and item.relations == ("=",) for item in items):
        return None
    names = {_INDEX.sub("", name_of(item.members[0])) for item in items if isinstance(item, Chain)}
    values = [item.members[1] for item in items if isinstance(item, Chain)]
    return (next(iter(names)), values) if len(names) == 1 and "" not in names else None


def _several_values(item: Structure) -> bool:
    """Whether one item may stand for several values: it has a ±, or is no plain formula."""
    last = item.members[-1] if isinstance(item, Chain) else item
    return (
        not isinstance(last, Leaf)
        or "pm" in last.text
        or "±" in last.text
        or (isinstance(item, Chain) and last.formula is None)
    )


def _one_and_many(gold: Structure, answer: Structure, terms: EqualityRules) -> bool | None:
    """One value and several: different, unless the one may stand for several."""
    if isinstance(gold, Leaf) and isinstance(answer, Items) and gold.formula is not None and not gold.formula.word:
        return False
    if not isinstance(gold, (Items, Leaf)) or not isinstance(answer, (Items, Leaf)):
        return None
    many, one = (gold, answer) if isinstance(gold, Items) else (answer, gold)
    assert isinstance(many, Items)
    if len(many.items) < 2 or not all(isinstance(item, (Leaf, Chain)) for item in many.items):
        return None
    return False if any(same(one, item, terms) is False for item in many.items) else None


def _same_bracket(gold: Bracket, answer: Bracket, terms: EqualityRules) -> bool | None:
    alike = (gold.opening, gold.closing) == (answer.opening, answer.closing)
    if len(gold.items) != len(answer.items):
        return False if alike else None
    entries = _ordered(gold.items, answer.items, terms)
    if alike or entries is not True:
        return entries
    halves = {bracket.opening + bracket.closing for bracket in (gold, answer)} - {"()", "[]"}
    limits = _limits(gold)
    return False if halves and limits is not None and limits[0] < limits[1] else None


def _same_ratio(gold: Ratio, answer: Ratio, terms: EqualityRules) -> bool | None:
    sides = [
        [part.formula for part in ratio.parts if isinstance(part, Leaf) and part.formula] for ratio in (gold, answer)
    ]
    if len(sides[0]) != len(gold.parts) or len(sides[1]) != len(answer.parts):
        return None
    if len(sides[0]) != len(sides[1]):
        return False
    if any(same_formula(side[0], ZERO) is not False for side in sides):
        return None
    first, second = sides
    return _all([same_formula(_times(first[0], b), _times(second[0], a)) for a, b in zip(first, second, strict=True)])


def _times(one: Formula, other: Formula) -> Formula:
    return Formula(
        ("product", (one.tree, other.tree)),
        one.unknowns | other.unknowns,
        one.word or other.word,
        one.vague or other.vague,
    )


def _parts(union: Structure) -> tuple[Structure, ...]:
    return union.parts if isinstance(union, Union) else (union,)


def _limits(part: Structure) -> tuple[float, float] | None:
    """The limits of an interval; None if they are not numbers in order."""
    if not isinstance(part, Bracket) or len(part.items) != 2:
        return None
    limits = []
    for item in part.items:
        if not isinstance(item, Leaf) or (item.formula is None and not item.infinite):
            return None
        if item.formula is None:
            limits.append(item.infinite * 1e300)
            continue
        try:
            limits.append(real_at(item.formula.tree) if not item.formula.unknowns else float("nan"))
        except NoValueError:
            return None
    return (limits[0], limits[1]) if limits[0] <= limits[1] else None


def _same_union(gold: Sequence[Structure], answer: Sequence[Structure], terms: EqualityRules) -> bool | None:
    """Unions of intervals: equal if their intervals are, different if a number away from all limits is in one alone."""
    if len(gold) * len(answer) <= MAX_PAIRS and _matched(gold, answer, terms):
        return True
    sides = [[_limits(part) for part in side] for side in (gold, answer)]
    if None in sides[0] or None in sides[1]:
        return None
    points = sorted({limit for side in sides for pair in side if pair for limit in pair if abs(limit) < 1e300})
    if not points:
        return None
    probes = [points[0] - 1, points[-1] + 1]
    probes += [(a + b) / 2 for a, b in pairwise(points) if b - a > 1e-3 * max(1.0, abs(a), abs(b))]
    inside = [[any(p and p[0] < probe < p[1] for p in side) for probe in probes] for side in sides]
    return False if inside[0] != inside[1] else None


@dataclass(frozen=True)
class Stated:
    """A value and its name ("" where it has none); `bounds`: an inequality gave it."""

    name: str
    value: Structure
    bounds: bool = False


def _stated(item: Structure) -> Stated | None:
    """What `x = 5`, `5 = x`, `x = 2 + 3 = 5`, `x \\in S` and `x < 3` state; None for every other relation."""
    if not isinstance(item, Chain):
        return Stated("", item)
    if (interval := _interval(item)) is not None:
        return Stated(*interval, bounds=True)
    members, relations = item.members, {*item.relations}
    if relations == {"="} and len(members) == 2 and not name_of(members[0]) and name_of(members[1]):
        members = members[::-1]
    name = name_of(members[0])
    if not name or relations not in ({"="}, {"∈"}) or (relations == {"∈"} and isinstance(members[1], Leaf)):
        return None
    return Stated(name, members[-1])


def _same_statement(gold: Structure, answer: Structure, terms: EqualityRules) -> bool | None:
    """Two answers of which one or both are relations."""
    one, other = _stated(gold), _stated(answer)
    if isinstance(answer, Chain) and not isinstance(gold, Chain) and {*answer.relations} <= {"=", "≈"}:
        return _same_chain(gold, answer, terms)
    if one is not None and other is not None and (found := _same_stated(one, other, terms)) is not None:
        return found
    if isinstance(gold, Chain) and isinstance(answer, Chain):
        return _same_relation(gold, answer)
    if one is None and isinstance(gold, Chain) and gold.relations == ("=",) and isinstance(answer, Leaf):
        return False if any(_unknowns_of(member) for member in gold.members) else None  # one side of an equation
    if isinstance(gold, Leaf) and isinstance(answer, Chain) and gold.formula is not None and not gold.formula.word:
        return False if {*answer.relations} & {*"≡∼≅∝→≠"} else None
    return None


def _same_stated(one: Stated, other: Stated, terms: EqualityRules) -> bool | None:
    if other.bounds and not one.bounds and not one.name and not terms.relations:
        return None
    plain = all(isinstance(s.value, Leaf) and s.value.formula and not _unknowns_of(s.value) for s in (one, other))
    if one.name and other.name and one.name != other.name:
        return False if plain else None  # AB = 4 is not CD = 4
    found = same(one.value, other.value, terms)
    decided = plain or not (one.name and other.name) or not isinstance(one.value, Leaf)
    return found if found or decided else None  # x = y + 1 and x = 1 + y may be one equation


def _same_chain(gold: Structure, answer: Chain, terms: EqualityRules) -> bool | None:
    """A value, and an answer `name = … = value`, `2 + 3 = 5` or `5 = x`."""
    members = answer.members
    if len(members) == 2 and answer.relations == ("=",) and not name_of(members[0]) and name_of(members[1]):
        members = members[::-1]
    named = bool(name_of(members[0]))
    if answer.relations == ("≈",) and named and isinstance(gold, Leaf):
        return same(gold, members[1], terms) if _decimal(gold) else False
    constant = isinstance(gold, Leaf) and gold.formula is not None and not gold.formula.unknowns
    if not named and constant and any(_is_unknown(member) for member in members):
        return False  # x^2 = 5, |x| = 5
    given = members[named:]
    literal = isinstance(given[0], Leaf) and given[0].text.strip().isdigit()  # 8 = 5
    told = [m for m in given if m is given[-1] or (not _is_unknown(m) and (named or literal))] if constant else given
    found = [same(gold, member, terms) for member in told]
    if "≈" in answer.relations:
        return False if all(verdict is False for verdict in found) else None
    if constant or len(given) == 1:
        return _all(found) if found[-1] is not None else None
    return False if found[-1] is False and True not in found else None


def _unknowns_of(member: Structure) -> bool:
    return isinstance(member, Leaf) and member.formula is not None and bool(member.formula.unknowns)


def _is_unknown(member: Structure) -> bool:
    """Whether a member has an unknown, also where it is no formula that is read: `|x|`."""
    return _unknowns_of(member) or (
        isinstance(member, Leaf) and member.formula is None and _UNKNOWN.search(member.text) is not None
    )


def _same_relation(gold: Chain, answer: Chain) -> bool | None:
    if len(gold.members) > 2 or len(answer.members) > 2:
        return None
    if gold.relations == answer.relations == ("=",):
        return same_equation(_formulas(gold), _formulas(answer))
    return same_inequality(_formulas(gold), gold.relations[0], _formulas(answer), answer.relations[0])


def _formulas(chain: Chain) -> list[Formula | None]:
    return [member.formula if isinstance(member, Leaf) else None for member in chain.members]


def _interval(chain: Chain) -> tuple[str, Structure] | None:
    """(unknown, interval) of `a < x \\le b`, `x < a`, `a \\ge x`; None for other relations."""
    members, relations = list(chain.members), list(chain.relations)
    if not all(isinstance(m, Leaf) for m in members) or len(members) > 3 or not {*relations} <= {*"<≤>≥"}:
        return None
    if {*relations} <= {*">≥"}:
        members, relations = members[::-1], [{">": "<", "≥": "≤"}[r] for r in relations[::-1]]
    if not {*relations} <= {*"<≤"}:
        return None
    unknown = [i for i, m in enumerate(members) if isinstance(m, Leaf) and m.formula and m.formula.tree[0] == "unknown"]
    if len(unknown) != 1 or (len(members) == 3 and unknown != [1]):
        return None
    for i, member in enumerate(members):
        if i != unknown[0] and isinstance(member, Leaf) and (member.formula is None or member.formula.unknowns):
            return None
    middle = members[unknown[0]]
    assert isinstance(middle, Leaf)
    assert middle.formula is not None
    low: Structure = members[0] if unknown[0] == 1 else Leaf("-\\infty", None, -1)
    high: Structure = members[-1] if unknown[0] == len(members) - 2 else Leaf("\\infty", None, 1)
    opening = "[" if unknown[0] == 1 and relations[0] == "≤" else "("
    closing = "]" if unknown[0] == len(members) - 2 and relations[-1] == "≤" else ")"
    return middle.formula.tree[1], Bracket(opening, closing, (low, high))
