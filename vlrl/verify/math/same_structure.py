r"""Whether two answers are equal, from their outer form inwards: True, False, or None where it takes more to tell.

Entries of tuples, intervals, matrices and ratios are compared in order, those of sets and lists in any order. A gold
`x = 5` or `x \in S` may be answered by 5 or S, and the other way round; inequalities of one unknown are intervals.
True and False come only from what is certain of the leaves (`same_formula`): an equation is the same where it is a
multiple, another one where a point satisfies one of both. Mixed kinds (a tuple for an interval, a list for a tuple)
are left open.
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
from vlrl.verify.math.structure import Bracket, Chain, Items, Leaf, Matrix, Ratio, Structure, Union, read_structure

MAX_PAIRS = 150
ZERO = Formula(("number", Fraction(0)), frozenset(), False, False)

_SUBSCRIPT = re.compile(r"_\s*(?:\{[^{}]*\}|[A-Za-z0-9])")
_NAME = re.compile(r"(?:[A-Za-z\s(){},:/']|\\[A-Za-z]+)+")
_NO_NAME = re.compile(
    r"\\(?:sin|cos|tan|cot|sec|csc|ln|log|lg|exp|sqrt|sum|int|prod|lim|text|mbox|not|pi|pm|infty|max|min|binom)"
    r"|(?<![A-Za-z\\])[a-z]{3,}"
)
_PRODUCT = re.compile(r"[a-z]\s?[a-z]")
_FONT = re.compile(r"\\(?:mathrm|text|rm|mathbf)(?![a-z])|[{}\s]")


@dataclass(frozen=True)
class Terms:
    """How strictly to compare: decimals to which a decimal and an exact value are rounded; `relations`: an inequality
    may answer an interval."""

    decimals: int = 6
    relations: bool = False
    absolute: bool = False  # the problem's facts name the decimals; else so many significant digits are meant


def same_answer(gold: list[str], answer: list[str], terms: Terms) -> bool | None:
    """Whether the parts of an answer are those of the gold; None where this is not certain."""
    first = read_structure(gold)
    second = read_structure(answer) if first is not None else None
    return None if first is None or second is None else same(first, second, terms)


def same(gold: Structure, answer: Structure, terms: Terms) -> bool | None:
    """Whether two forms are equal; None where this is not certain."""
    if isinstance(gold, Chain) or isinstance(answer, Chain):
        return _with_relation(gold, answer, terms)
    if isinstance(gold, Items) and isinstance(answer, Items):
        return _unordered(gold.items, answer.items, terms)
    if (
        isinstance(gold, Items)
        and isinstance(answer, Bracket)
        and len(names := _named(gold.items)) == len(answer.items)
    ):
        return _ordered(list(names.values()), answer.items, terms) if len(names) > 1 else None
    if isinstance(gold, Items) or isinstance(answer, Items):
        return _one_and_many(gold, answer, terms)
    if isinstance(gold, Leaf) and isinstance(answer, Leaf):
        return _same_leaf(gold, answer, terms)
    if isinstance(gold, Leaf) and isinstance(answer, Bracket):
        return False if gold.formula is not None and not gold.formula.unknowns else None
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


def _ordered(gold: Sequence[Structure], answer: Sequence[Structure], terms: Terms) -> bool | None:
    return _all([same(g, a, terms) for g, a in zip(gold, answer, strict=True)])


def _same_leaf(gold: Leaf, answer: Leaf, terms: Terms) -> bool | None:
    if gold.infinite and answer.infinite:
        return gold.infinite == answer.infinite
    if gold.infinite or answer.infinite:
        number = answer.formula or gold.formula
        return None if number is None or number.unknowns else False
    if gold.formula is None or answer.formula is None:
        return None
    if not gold.formula.unknowns and not answer.formula.unknowns and _decimal(gold) != _decimal(answer):
        return _same_rounded(gold.formula, answer.formula, terms)
    return same_formula(gold.formula, answer.formula, terms.decimals)


def _decimal(leaf: Leaf) -> bool:
    """Whether a leaf is a decimal as it stands: 0.33, -1.5."""
    return leaf.text.strip().removeprefix("-").replace(".", "", 1).isdigit() and "." in leaf.text


def _same_rounded(one: Formula, other: Formula, terms: Terms) -> bool | None:
    """Whether two numbers, one of them a decimal, round to the same digits."""
    try:
        a, b = real_at(one.tree), real_at(other.tree)
    except NoValueError:
        return None
    if terms.absolute:
        return round(a, terms.decimals) == round(b, terms.decimals)
    return abs(a - b) <= 1.5 * min(abs(a), abs(b)) * 10.0**-terms.decimals


def _unordered(gold: Sequence[Structure], answer: Sequence[Structure], terms: Terms) -> bool | None:
    if len(gold) * len(answer) > MAX_PAIRS:
        return None
    by_name = _named(gold), _named(answer)
    if by_name[0] and by_name[1]:
        if by_name[0].keys() != by_name[1].keys():
            return False
        return _all([same(value, by_name[1][name], terms) for name, value in by_name[0].items()])
    if len(by_name[0]) > 1 and len(gold) == len(answer) and not any(isinstance(a, Chain) for a in answer):
        return _ordered(list(by_name[0].values()), answer, terms)
    table = [[same(g, a, terms) for a in answer] for g in gold]
    names = {_name(item.members[0]) for item in (*gold, *answer) if isinstance(item, Chain)}
    if len(gold) == len(answer):
        if all(row[i] for i, row in enumerate(table)):
            return True
        if len(names) < 2 or all(isinstance(item, Chain) for item in (*gold, *answer)):
            free = set(range(len(answer)))  # `AB=4, CD=5` may not be answered by 5, 4
            for row in table:
                match = next((i for i in sorted(free) if row[i]), None)
                if match is None:
                    break
                free.discard(match)
            else:
                return True
    if any(isinstance(item, Chain) and {*item.relations} != {"="} for item in (*gold, *answer)):
        return None
    if len(gold) != len(answer) and not any(_several_values(item) for item in (*gold, *answer)):
        return False
    columns = zip(*table, strict=True)
    certain = any(all(v is False for v in line) for line in (*table, *columns))
    return False if certain else None


def _named(items: Sequence[Structure]) -> dict[str, Structure]:
    """Values by their names, of `x = 5, y = 6`; {} where one has no name or two have the same."""
    found = {}
    for item in items:
        if not isinstance(item, Chain) or item.relations != ("=",) or not (name := _name(item.members[0])):
            return {}
        found[name] = item.members[1]
    return found if len(found) == len(items) else {}


def _several_values(item: Structure) -> bool:
    """Whether one item may stand for several values: it has a ±, or is no plain formula."""
    last = item.members[-1] if isinstance(item, Chain) else item
    return (
        not isinstance(last, Leaf)
        or "pm" in last.text
        or "±" in last.text
        or (isinstance(item, Chain) and last.formula is None)
    )


def _one_and_many(gold: Structure, answer: Structure, terms: Terms) -> bool | None:
    """One value and several: different if one of the several is different."""
    if not isinstance(gold, (Items, Leaf)) or not isinstance(answer, (Items, Leaf)):
        return None
    many, one = (gold, answer) if isinstance(gold, Items) else (answer, gold)
    assert isinstance(many, Items)
    if len(many.items) < 2 or not all(isinstance(item, (Leaf, Chain)) for item in many.items):
        return None
    return False if any(same(one, item, terms) is False for item in many.items) else None


def _same_bracket(gold: Bracket, answer: Bracket, terms: Terms) -> bool | None:
    alike = (gold.opening, gold.closing) == (answer.opening, answer.closing)
    if len(gold.items) != len(answer.items):
        return False if alike else None
    entries = _ordered(gold.items, answer.items, terms)
    if alike or entries is not True:
        return entries
    halves = {bracket.opening + bracket.closing for bracket in (gold, answer)} - {"()", "[]"}
    limits = _limits(gold)
    return False if halves and limits is not None and limits[0] < limits[1] else None


def _same_ratio(gold: Ratio, answer: Ratio, terms: Terms) -> bool | None:
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


def _same_union(gold: Sequence[Structure], answer: Sequence[Structure], terms: Terms) -> bool | None:
    """Unions of intervals: equal if their intervals are, different if a number away from all limits is in one alone."""
    if len(gold) * len(answer) <= MAX_PAIRS and _unordered(gold, answer, terms):
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


def _with_relation(gold: Structure, answer: Structure, terms: Terms) -> bool | None:
    """Two answers of which one or both are relations."""
    if isinstance(gold, Chain) and isinstance(answer, Chain):
        return _both_relations(gold, answer, terms)
    if isinstance(answer, Chain):
        return _answered_by_relation(gold, answer, terms)
    assert isinstance(gold, Chain)
    if gold.relations == ("∈",):
        return same(gold.members[1], answer, terms) if _name(gold.members[0]) and not isinstance(answer, Leaf) else None
    if (
        {*gold.relations} == {"="}
        and not _name(gold.members[0])
        and len(gold.members) == 2
        and isinstance(answer, Leaf)
        and _has_unknown(gold)
    ):
        return False  # an equation is not answered by one of its sides
    if {*gold.relations} == {"="} and _name(gold.members[0]):
        return None if isinstance(answer, Items) else same(gold.members[-1], answer, terms)
    interval = _interval(gold)
    if interval is not None and isinstance(answer, (Bracket, Union)):
        return same(interval[1], answer, terms)
    return None


def _answered_by_relation(gold: Structure, answer: Chain, terms: Terms) -> bool | None:
    if answer.relations == ("=",) and not _name(answer.members[0]) and _name(answer.members[1]):
        answer = Chain(answer.members[::-1], answer.relations)  # 5 = x
    named, last = bool(_name(answer.members[0])), answer.members[-1]
    if answer.relations == ("∈",):
        return same(gold, last, terms) if named and isinstance(gold, (Bracket, Union)) else None
    if {*answer.relations} <= {"=", "≈"} and not named and isinstance(gold, Leaf) and not _unknowns_of(gold):
        if any(_unknowns_of(member) for member in answer.members):
            return False  # x^2 = 5
        if answer.relations == ("=",) * len(answer.relations):
            if isinstance(answer.members[0], Leaf) and answer.members[0].text.strip().isdigit():
                return same(gold, answer.members[0], terms) and same(gold, last, terms)  # 8 = 5
            return same(gold, last, terms)
    if {*answer.relations} <= {"=", "≈"} and isinstance(gold, Leaf):
        found = [same(gold, member, terms) for member in answer.members[named:]]
        if all(verdict is False for verdict in found):
            return False
        if "≈" not in answer.relations and found[-1] is False and True not in found:
            return False  # what a chain ends on is its value
    if {*answer.relations} == {"="} and named and not isinstance(gold, Items) and len(answer.members) == 2:
        return same(gold, last, terms)
    if terms.relations and isinstance(gold, (Bracket, Union)):
        interval = _interval(answer)
        return None if interval is None else same(gold, interval[1], terms)
    return None


def _unknowns_of(member: Structure) -> bool:
    return isinstance(member, Leaf) and member.formula is not None and bool(member.formula.unknowns)


def _has_unknown(chain: Chain) -> bool:
    return any(_unknowns_of(member) for member in chain.members)


def _both_relations(gold: Chain, answer: Chain, terms: Terms) -> bool | None:
    names = _name(gold.members[0]), _name(answer.members[0])
    if gold.relations == answer.relations == ("∈",):
        return same(gold.members[1], answer.members[1], terms) if names[0] and names[0] == names[1] else None
    if {*gold.relations, *answer.relations} == {"="}:
        return _both_equations(gold, answer, names, terms)
    one, other = _set_of(gold), _set_of(answer)
    if one is not None and other is not None:
        return same(one[1], other[1], terms) if one[0] == other[0] else None
    if len(gold.members) == len(answer.members) == 2:
        return same_inequality(_formulas(gold), gold.relations[0], _formulas(answer), answer.relations[0])
    return None


def _both_equations(gold: Chain, answer: Chain, names: tuple[str, str], terms: Terms) -> bool | None:
    if len(gold.members) > 2 or len(answer.members) > 2:
        return None
    values = gold.members[1], answer.members[1]
    plain = all(isinstance(v, Leaf) and v.formula and not _unknowns_of(v) for v in values)
    if names[0] and names[1] and names[0] != names[1] and plain:
        return False  # AB = 4 is not CD = 4
    if names[0] and names[0] == names[1]:
        found = same(gold.members[1], answer.members[1], terms)
        right = [member for chain in (gold, answer) for member in chain.members[1:]]
        numbers = all(
            not isinstance(m, Leaf) or (m.formula is not None and not m.formula.unknowns and not m.infinite)
            for m in right
        )
        if found or (found is False and numbers):
            return found
    return same_equation(_formulas(gold), _formulas(answer))


def _formulas(chain: Chain) -> list[Formula | None]:
    return [member.formula if isinstance(member, Leaf) else None for member in chain.members]


def _set_of(chain: Chain) -> tuple[str, Structure] | None:
    """(unknown, set) of a relation that puts one unknown into a set."""
    if chain.relations != ("∈",):
        return _interval(chain)
    name = _name(chain.members[0])
    return (name, chain.members[1]) if name else None


def _interval(chain: Chain) -> tuple[str, Bracket] | None:
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


def _name(member: Structure) -> str:
    """The member in one spelling where it is a name and no value: `a_n`, `V_1 : V_2`, `(x, y)`, `f(x)`; else ""."""
    if isinstance(member, (Ratio, Bracket)):
        names = [_name(part) for part in (member.parts if isinstance(member, Ratio) else member.items)]
        return f"({','.join(names)})" if all(names) else ""
    if not isinstance(member, Leaf) or member.infinite:
        return ""
    bare = _SUBSCRIPT.sub("", member.text)
    if _PRODUCT.fullmatch(bare.strip()):
        return ""  # xy = 5 is an equation
    if not _NAME.fullmatch(bare) or _NO_NAME.search(bare) or not any(c.isalpha() for c in bare):
        return ""
    return _FONT.sub("", member.text)
