r"""Whether two answers of any form are equal, from their outer form inwards.

Forms of two kinds are different: no set is a tuple, no list an interval, no number a list. Entries of tuples,
intervals, matrices and ratios are compared in order, those of sets and lists in any order; a tuple may be written
without its brackets. A relation is read as a value with a name where it is one (`x = 5`, `5 = x`, `x \in S`, `x < 3`),
and names must agree; a gold with a name may be answered by the value alone, and the other way round. All other
relations are compared as equations and inequalities. What is not certain of two formulas, two relations or two unions
is asked of `EqualityRules.ask`, which never sees values of two kinds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from vlrl.verify.math.formula import Formula
from vlrl.verify.math.formula_value import NoValueError, real_at, same_formula
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

_TO = re.compile(r"\s*(?:\\text\{\s*to\s*\}|\bto\b)\s*")
_INDEX = re.compile(r"_\{?[0-9]\}?$")
_UNKNOWN = re.compile(r"(?<![A-Za-z\\])[a-z](?![A-Za-z(])")
_DEGREES = re.compile(r"(?:°|\^\s?\{?\s?\\circ\s?\}?)\s*$")
_ZERO = Formula(("number", Fraction(0)), frozenset(), False, False)
_ONE = Leaf("1", Formula(("number", Fraction(1)), frozenset(), False, False))


@dataclass(frozen=True)
class EqualityRules:
    """How strictly to compare.

    ask        whether two texts of one kind are equal, for what is not certain here
    decimals   to which a decimal and an exact value are rounded; `absolute`: the problem names them, else this many
               significant digits are meant
    relations  an inequality may answer an interval
    """

    ask: Callable[[str, str], bool]
    decimals: int = 6
    relations: bool = False
    absolute: bool = False


def same_answer(gold: list[str], answer: list[str], rules: EqualityRules) -> bool | None:
    """Whether the parts of an answer are those of the gold; None where one of them has no form that is read."""
    first = read_structure(gold)
    if isinstance(first, Ratio):
        answer = [_TO.sub(":", part) for part in answer]
    second = read_structure(answer) if first is not None else None
    return None if first is None or second is None else same(first, second, rules)


def same(gold: Structure, answer: Structure, rules: EqualityRules) -> bool:
    """Whether two forms are equal."""
    if isinstance(gold, Chain) or isinstance(answer, Chain):
        return _same_statement(gold, answer, rules)
    if isinstance(gold, Leaf) and isinstance(answer, Leaf):
        return _same_leaf(gold, answer, rules)
    if isinstance(gold, Items):
        if isinstance(answer, Items):
            return _same_items(gold, answer, rules)
        values = list(_named(gold.items).values())  # (5, 6) for x = 5, y = 6
        return isinstance(answer, Bracket) and len(values) > 1 and _ordered(values, answer.items, rules)
    if isinstance(answer, Items):
        bare = isinstance(gold, Bracket) and gold.brackets == "()" and answer.kind == "list"
        return isinstance(gold, Bracket) and bare and _ordered(gold.items, answer.items, rules)
    if isinstance(gold, Bracket) and isinstance(answer, Bracket):
        return gold.brackets == answer.brackets and _ordered(gold.items, answer.items, rules)
    if isinstance(gold, Matrix) and isinstance(answer, Matrix):
        shapes = [[len(row) for row in side.rows] for side in (gold, answer)]
        return shapes[0] == shapes[1] and _ordered(sum(gold.rows, ()), sum(answer.rows, ()), rules)
    if isinstance(gold, Ratio) and isinstance(answer, Ratio):
        return _same_ratio(gold, answer)
    if isinstance(gold, Ratio) and isinstance(answer, Leaf):
        return len(gold.parts) == 2 and _same_ratio(gold, Ratio((answer, _ONE)))  # 3/4 for 3:4
    if isinstance(gold, (Union, Bracket)) and isinstance(answer, (Union, Bracket)):
        ours, theirs = (side.parts if isinstance(side, Union) else (side,) for side in (gold, answer))
        return _matched(ours, theirs, rules) or rules.ask(gold.text, answer.text)
    return False


def _ordered(gold: Sequence[Structure], answer: Sequence[Structure], rules: EqualityRules) -> bool:
    return len(gold) == len(answer) and all(same(g, a, rules) for g, a in zip(gold, answer, strict=True))


def _matched(gold: Sequence[Structure], answer: Sequence[Structure], rules: EqualityRules) -> bool:
    """Whether every value has one of its own on the other side, in any order."""
    left = list(answer)
    for place, item in enumerate(gold):
        near = sorted(left, key=lambda other: other is not answer[min(place, len(answer) - 1)])  # its own place first
        match = next((other for other in near if same(item, other, rules)), None)
        if len(gold) != len(answer) or match is None:
            return False
        left.remove(match)
    return True


def _same_leaf(gold: Leaf, answer: Leaf, rules: EqualityRules) -> bool:
    if gold.infinite or answer.infinite:
        return gold.infinite == answer.infinite
    if gold.formula is None or answer.formula is None:
        return rules.ask(gold.text, answer.text)
    if _DEGREES.search(gold.text) and not _DEGREES.search(answer.text) and "pi" not in answer.text:
        bare = read_structure([_DEGREES.sub("", gold.text)])  # a bare number has the gold's unit
        if isinstance(bare, Leaf) and bare.formula is not None:
            return _same_leaf(bare, answer, rules)
    found = None
    if not gold.formula.unknowns and not answer.formula.unknowns and _decimal(gold) != _decimal(answer):
        found = _same_rounded(gold.formula, answer.formula, rules)
    else:
        found = same_formula(gold.formula, answer.formula, rules.decimals)
    return rules.ask(gold.text, answer.text) if found is None else found


def _decimal(leaf: Structure) -> bool:
    """Whether a leaf is a decimal as it stands: 0.33, -1.5."""
    digits = leaf.text.strip().removeprefix("-") if isinstance(leaf, Leaf) else ""
    return "." in digits and digits.replace(".", "", 1).isdigit()


def _same_rounded(one: Formula, other: Formula, rules: EqualityRules) -> bool | None:
    """Whether two numbers, one of them a decimal, round to the same digits; None where one has no value."""
    try:
        a, b = real_at(one.tree), real_at(other.tree)
    except NoValueError:
        return None
    if rules.absolute:
        return round(a, rules.decimals) == round(b, rules.decimals)
    return abs(a - b) <= 1.5 * min(abs(a), abs(b)) * 10.0**-rules.decimals


def _same_items(gold: Items, answer: Items, rules: EqualityRules) -> bool:
    """Two lists or sets: by name where all have names, in order where only the gold's have, else in any order."""
    if (gold.kind == "either") != (answer.kind == "either"):
        return False  # "x = 5 or y = 6" is not "x = 5 and y = 6"
    ours, theirs = _named(gold.items), _named(answer.items)
    if ours and ours.keys() == theirs.keys():
        return all(same(value, theirs[name], rules) for name, value in ours.items())
    roots = _roots(gold.items), _roots(answer.items)
    for name in roots[0].keys() & roots[1].keys():  # x = 1, x = 2 and x_1 = 1, x_2 = 2
        return _matched(roots[0][name], roots[1][name], rules)
    if ours and theirs:
        return False
    chains = [isinstance(item, Chain) for item in (*gold.items, *answer.items)]
    if len(ours) > 1 and not any(isinstance(item, Chain) for item in answer.items):
        return _ordered(list(ours.values()), answer.items, rules)
    names = {name_of(item.members[0]) for item in (*gold.items, *answer.items) if isinstance(item, Chain)}
    if len(names) < 2 or roots[0] or roots[1] or all(chains):
        return _matched(gold.items, answer.items, rules)
    return _ordered(gold.items, answer.items, rules)


def _named(items: Sequence[Structure]) -> Mapping[str, Structure]:
    """Values by their names, of `x = 5, y = 6`; {} where one has no name or two have the same."""
    pairs = [(name_of(i.members[0]), i.members[1]) for i in items if isinstance(i, Chain) and i.relations == ("=",)]
    found = dict(pairs)
    return found if len(found) == len(items) and "" not in found else {}


def _roots(items: Sequence[Structure]) -> Mapping[str, list[Structure]]:
    """The values of one unknown by its name: `x = 1, x = 2`, `x_1 = 1, x_2 = 2`; {} for everything else."""
    if not all(isinstance(item, Chain) and item.relations == ("=",) for item in items):
        return {}
    pairs = [(_INDEX.sub("", name_of(item.members[0])), item.members[1]) for item in items if isinstance(item, Chain)]
    names = {name for name, _ in pairs}
    return {names.pop(): [value for _, value in pairs]} if len(names) == 1 and "" not in names else {}


def _same_ratio(gold: Ratio, answer: Ratio) -> bool:
    """a : b : c, up to a factor that is not zero."""
    sides = [
        [part.formula for part in ratio.parts if isinstance(part, Leaf) and part.formula] for ratio in (gold, answer)
    ]
    if not len(sides[0]) == len(gold.parts) == len(answer.parts) == len(sides[1]):
        return False
    if any(same_formula(side[0], _ZERO) is not False for side in sides):
        return False
    (first, *_), (second, *_) = sides
    return all(same_formula(_times(first, b), _times(second, a)) for a, b in zip(*sides, strict=True))


def _times(one: Formula, other: Formula) -> Formula:
    unknowns, word, vague = one.unknowns | other.unknowns, one.word or other.word, one.vague or other.vague
    return Formula(("product", (one.tree, other.tree)), unknowns, word, vague)


@dataclass(frozen=True)
class Stated:
    """A value and its name ("" where it has none); `bounds`: an inequality gave it."""

    name: str
    value: Structure
    bounds: bool = False


def _stated(item: Structure) -> Stated | None:
    r"""What `x = 5`, `5 = x`, `x = 2 + 3 = 5`, `x \in S` and `x < 3` state; None for every other relation."""
    if not isinstance(item, Chain):
        return Stated("", item)
    if (interval := _interval(item)) is not None:
        return interval
    members, relations = _turned(item), {*item.relations}
    name = name_of(members[0]) or name_of(members[-2])  # … = x = 0
    if not name or relations not in ({"="}, {"∈"}) or (relations == {"∈"} and isinstance(members[1], Leaf)):
        return None
    return Stated(name, members[-1])


def _turned(chain: Chain) -> tuple[Structure, ...]:
    """The members, of `5 = x` the name first."""
    turn = len(chain.members) == 2 and chain.relations == ("=",) and not name_of(chain.members[0])
    return chain.members[::-1] if turn and name_of(chain.members[1]) else chain.members


def _same_statement(gold: Structure, answer: Structure, rules: EqualityRules) -> bool:
    """Two answers of which one or both are relations."""
    if isinstance(answer, Chain) and not isinstance(gold, Chain) and {*answer.relations} <= {"=", "≈"}:
        return _concludes(gold, answer, rules)
    one, other = _stated(gold), _stated(answer)
    if one is not None and other is not None:
        if other.bounds and not (one.bounds or one.name or rules.relations):
            return False
        named = bool(one.name and other.name)
        if (not named or one.name == other.name) and same(one.value, other.value, rules):
            return True
        if not named or not isinstance(one.value, Leaf) or not (_is_unknown(one.value) or _is_unknown(other.value)):
            return False  # AB = 4 is not CD = 4; but x = y + 1 and x = 1 + y may be one equation
    if not (isinstance(gold, Chain) and isinstance(answer, Chain)):
        return False
    found = _same_relation(gold, answer)
    return rules.ask(gold.text, answer.text) if found is None else found


def _concludes(gold: Structure, answer: Chain, rules: EqualityRules) -> bool:
    """Whether `name = … = value`, `2 + 3 = 5`, `5 = x` or `x = 1/3 ≈ 0.33` comes to a gold without a name."""
    members, named = _turned(answer), bool(name_of(_turned(answer)[0]))
    exact = next((i for i, relation in enumerate(answer.relations) if relation == "≈"), len(answer.relations)) + 1
    given, rounded = members[named:exact], members[exact:]
    constant = isinstance(gold, Leaf) and not _is_unknown(gold)
    if constant and any(_is_unknown(member) for member in (*given, *rounded) if not named or member in rounded):
        return False  # x^2 = 5, |x| = 5
    if not given or (rounded and _decimal(gold)):
        return _decimal(gold) and same(gold, rounded[-1], rules)  # x ≈ 5
    if rounded and isinstance(gold, Leaf) and gold.text.strip().isdigit():
        return False  # 5 ≈ 6
    literal = isinstance(given[0], Leaf) and given[0].text.strip().isdigit()  # 8 = 5
    told = [m for m in given[:-1] if constant and (named or literal) and not _is_unknown(m)]
    return same(gold, given[-1], rules) and all(same(gold, member, rules) for member in told)


def _is_unknown(member: Structure) -> bool:
    """Whether a member has an unknown, also where it is no formula that is read: `|x|`."""
    if not isinstance(member, Leaf):
        return False
    return bool(member.formula.unknowns) if member.formula else _UNKNOWN.search(member.text) is not None


def _same_relation(gold: Chain, answer: Chain) -> bool | None:
    if len(gold.members) > 2 or len(answer.members) > 2:
        return None
    one, other = ([m.formula if isinstance(m, Leaf) else None for m in chain.members] for chain in (gold, answer))
    if gold.relations == answer.relations == ("=",):
        return same_equation(one, other)
    return same_inequality(one, gold.relations[0], other, answer.relations[0])


def _interval(chain: Chain) -> Stated | None:
    r"""The unknown and its interval of `a < x \le b`, `x < a`, `a \ge x`; None for other relations."""
    members, relations = chain.members, chain.relations
    if {*relations} <= {*">≥"}:
        members, relations = members[::-1], tuple({">": "<", "≥": "≤"}[r] for r in relations[::-1])
    if len(members) > 3 or not {*relations} <= {*"<≤"}:
        return None
    names = [m.formula.tree[1] if isinstance(m, Leaf) and m.formula and m.formula.tree[0] == "unknown" else ""
             for m in members]  # fmt: skip
    at = next((place for place, name in enumerate(names) if name), -1)
    bounds = [m for place, m in enumerate(members) if place != at]
    if at < 0 or (len(members) == 3 and at != 1) or not all(isinstance(b, Leaf) for b in bounds):
        return None
    if any(isinstance(b, Leaf) and not b.infinite and (b.formula is None or b.formula.unknowns) for b in bounds):
        return None
    low = members[at - 1] if at else Leaf("-\\infty", None, -1)
    high = members[at + 1] if at + 1 < len(members) else Leaf("\\infty", None, 1)
    brackets = ("[" if at and relations[at - 1] == "≤" else "(") + ("]" if relations[at:] == ("≤",) else ")")
    return Stated(names[at], Bracket(brackets, (low, high), chain.text), bounds=True)
