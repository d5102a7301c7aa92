r"""Whether two answers of any form are equal, from their outer form inwards.

Forms of two kinds are different: no set is a tuple, no list an interval, no number a list. Entries of tuples,
intervals, matrices and ratios are compared in order, those of sets and lists in any order; a tuple may be written
without its brackets. A relation is read as a value with a name where it is one (`x = 5`, `5 = x`, `x \in S`, `x < 3`),
and names must agree; a gold with a name may be answered by the value alone, and the other way round. All other
relations are compared as equations and inequalities. What is not certain of two formulas, two relations or two unions
is asked of `EqualityRules.ask`, which never sees values of two kinds. Intervals, unions
and inequalities of one unknown are sets of real numbers (`real_sets`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from vlrl.verify.math.formula import Formula, times
from vlrl.verify.math.formula_value import NoValueError, real_at, same_formula
from vlrl.verify.math.real_sets import reals_of, same_reals
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
    Without,
    name_of,
    read_structure,
)
from vlrl.verify.values.names import is_named

_TO = re.compile(r"\s*(?:\\text\{\s*to\s*\}|\bto\b)\s*")
_INDEX = re.compile(r"_\{?[0-9]\}?$")
_UNKNOWN = re.compile(r"(?<![A-Za-z\\])[a-z](?![A-Za-z(])")
_DEGREES = re.compile(r"(?:°|\^\s?\{?\s?\\circ\s?\}?)")
_POINT = re.compile(r"(?P<name>[A-Z]'?(?:_\s*\{?\s?[A-Za-z0-9]{1,3}\s?\}?)?)\s*(?P<place>\(.+[,;].+\))")
_COLUMN = re.compile(r"\\[dt]?binom\s*(\{[^{}]*\}|[0-9])\s*(\{[^{}]*\}|[0-9])")
_ZERO = Formula(("number", Fraction(0)), frozenset(), False, False)
_ONE = Leaf("1", Formula(("number", Fraction(1)), frozenset(), False, False))


@dataclass(frozen=True)
class EqualityRules:
    """How strictly to compare.

    ask        whether two texts of one kind are equal, for what is not certain here
    decimals   to which a decimal and an exact value are rounded; `absolute`: the problem names them, else this many
               significant digits are meant
    relations  whether an inequality may answer an interval; None: where that is no pair of coordinates
    point      two numbers in brackets are a point: the question asks for one
    degrees    the question asks for an angle, so that "50°" may answer 50
    asked      the question, for what it names besides letters: "Find |z|"
    """

    ask: Callable[[str, str], bool]
    decimals: int = 6
    relations: bool | None = None
    absolute: bool = False
    point: bool = False
    degrees: bool = False
    asked: str = ""


def same_answer(gold: list[str], answer: list[str], rules: EqualityRules) -> bool | None:
    """Whether the parts of an answer are those of the gold; None where one of them has no form that is read."""
    first = read_structure(gold)
    if len(gold) == 1 and isinstance(first, Leaf) and _TO.search(gold[0]):
        first = read_structure([_TO.sub(":", gold[0])])  # 5 to 3
    if isinstance(first, Ratio):
        answer = [_TO.sub(":", part) for part in answer]
    second = read_structure(answer) if first is not None else None
    return None if first is None or second is None else same(first, second, rules)


def same(gold: Structure, answer: Structure, rules: EqualityRules) -> bool:
    """Whether two forms are equal."""
    if type(gold) is not type(answer) or not isinstance(gold, (Leaf, Bracket)):
        gold, answer = _alike(gold, answer)
        if (decided := _same_sets(gold, answer, rules)) is not None:
            return decided
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
    if isinstance(gold, Leaf) and isinstance(answer, Ratio):
        return (
            len(answer.parts) == 2
            and "/" in gold.text.replace("\\frac", "/")
            and _same_ratio(Ratio((gold, _ONE)), answer)
        )
    if isinstance(gold, Ratio) and isinstance(answer, Leaf):
        return len(gold.parts) == 2 and _same_ratio(gold, Ratio((answer, _ONE)))  # 3/4 for 3:4
    if isinstance(gold, (Union, Bracket)) and isinstance(answer, (Union, Bracket)):
        ours, theirs = (side.parts if isinstance(side, Union) else (side,) for side in (gold, answer))
        return _matched(ours, theirs, rules) or rules.ask(gold.text, answer.text)
    return False


def _alike(gold: Structure, answer: Structure) -> tuple[Structure, Structure]:
    r"""Both with a leaf as what the other one is: `P(1, 2)` as the point (1, 2), `\binom{1}{2}` as a column."""
    if isinstance(gold, Matrix) and isinstance(answer, Bracket) and answer.brackets == "()":
        return gold, Matrix(tuple((item,) for item in answer.items))  # (1, 2) for a column
    for one, other in ((gold, answer), (answer, gold)):
        if not isinstance(one, Leaf):
            continue
        read: Structure | None = None
        if isinstance(other, Bracket) and (point := _POINT.fullmatch(one.text.strip())) is not None:
            read = read_structure([point["place"]])
        elif isinstance(other, Matrix) and (column := _COLUMN.fullmatch(one.text.strip())) is not None:
            read = read_structure([rf"\begin{{pmatrix}}{column[1]}\\{column[2]}\end{{pmatrix}}"])
        if read is not None:
            return (read, answer) if one is gold else (gold, read)
    return gold, answer


def _same_sets(gold: Structure, answer: Structure, rules: EqualityRules) -> bool | None:
    """Whether two sets of real numbers are one; None where one of them is none, or the gold is a point."""
    if rules.point and isinstance(gold, Bracket) and gold.brackets == "()":
        return None
    if isinstance(gold, Items) and gold.kind == "set" and isinstance(answer, Items):
        return None
    statement = isinstance(answer, Chain) and answer.relations != ("∈",)
    if statement and not isinstance(gold, (Chain, Items)) and rules.relations is False:
        return None
    if not _is_set(gold) or not (_is_set(answer) or (isinstance(answer, Items) and answer.kind == "set")):
        return None
    ours = reals_of(gold)
    theirs = reals_of(answer) if ours is not None else None
    if ours is None or theirs is None:
        return None
    return same_reals(ours, theirs, lambda one, other: _same_leaf(one, other, rules))


def _is_set(item: Structure) -> bool:
    if isinstance(item, Items):
        return item.kind in ("either", "both", "set")
    if isinstance(item, Chain):
        return item.relations not in (("=",), ("≈",))
    return isinstance(item, (Bracket, Union, Without)) or (isinstance(item, Leaf) and item.text == "ℝ")


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
    if gold.text == answer.text:
        return True
    if gold.formula is None or answer.formula is None:
        return rules.ask(gold.text, answer.text)
    degrees = [_DEGREES.search(side.text) is not None for side in (gold, answer)]
    if degrees[0] != degrees[1] and (degrees[0] or rules.degrees) and "pi" not in gold.text + answer.text:
        one, other = (read_structure([_DEGREES.sub("", side.text)]) for side in (gold, answer))  # one unit for both
        if isinstance(one, Leaf) and one.formula is not None and isinstance(other, Leaf) and other.formula is not None:
            return _same_leaf(one, other, rules)
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
    return all(same_formula(times(first, b), times(second, a)) for a, b in zip(*sides, strict=True))


@dataclass(frozen=True)
class Stated:
    """A value and its name ("" where it has none)."""

    name: str
    value: Structure


def _stated(item: Structure, rules: EqualityRules) -> Stated | None:
    r"""What `x = 5`, `5 = x`, `x = 2 + 3 = 5`, `\sin A = 5` and `x \in S` state; None for every other relation."""
    if not isinstance(item, Chain):
        return Stated("", item)
    members, relations = _turned(item), {*item.relations}
    name = _name(members[0], rules) or name_of(members[-2])  # … = x = 0
    if not name or relations not in ({"="}, {"∈"}) or (relations == {"∈"} and isinstance(members[1], Leaf)):
        return None
    return Stated(name, members[-1])


def _name(member: Structure, rules: EqualityRules) -> str:
    """As `name_of`, also of a function of an angle and of what the question asks for."""
    if isinstance(member, Leaf) and not name_of(member) and is_named(member.text, rules.asked):
        return "".join(member.text.split())
    return name_of(member)


def _turned(chain: Chain) -> tuple[Structure, ...]:
    """The members, of `5 = x` the name first."""
    turn = len(chain.members) == 2 and chain.relations == ("=",) and not name_of(chain.members[0])
    return chain.members[::-1] if turn and name_of(chain.members[1]) else chain.members


def _same_statement(gold: Structure, answer: Structure, rules: EqualityRules) -> bool:
    """Two answers of which one or both are relations."""
    if isinstance(answer, Chain) and not isinstance(gold, Chain) and {*answer.relations} <= {"=", "≈"}:
        return _concludes(gold, answer, rules)
    one, other = _stated(gold, rules), _stated(answer, rules)
    if one is not None and other is not None:
        named = bool(one.name and other.name)
        if (not named or one.name == other.name) and same(one.value, other.value, rules):
            return True
        if not named or not isinstance(one.value, Leaf) or not (_is_unknown(one.value) or _is_unknown(other.value)):
            return False  # AB = 4 is not CD = 4; but x = y + 1 and x = 1 + y may be one equation
    if not (isinstance(gold, Chain) and isinstance(answer, Chain)):
        return False
    if (gold.relations == ("≈",)) != (answer.relations == ("≈",)):
        return False  # y ≈ 2x + 3 is not y = 2x + 3
    found = _same_relation(gold, answer)
    return rules.ask(gold.text, answer.text) if found is None else found


def _concludes(gold: Structure, answer: Chain, rules: EqualityRules) -> bool:
    """Whether `name = … = value`, `2 + 3 = 5`, `5 = x` or `x = 1/3 ≈ 0.33` comes to a gold without a name."""
    members, named = _turned(answer), bool(_name(_turned(answer)[0], rules))
    exact = next((i for i, relation in enumerate(answer.relations) if relation == "≈"), len(answer.relations)) + 1
    given, rounded = members[named:exact], members[exact:]
    constant = isinstance(gold, Leaf) and not _is_unknown(gold)
    if constant and any(_is_unknown(member) for member in (*given, *rounded) if not named or member in rounded):
        return False  # x^2 = 5, |x| = 5
    if not given or (rounded and _decimal(gold)):
        return _decimal(gold) and same(gold, rounded[-1], rules)  # x ≈ 5
    if rounded and isinstance(gold, Leaf) and gold.text.strip().isdigit():
        return False  # 5 ≈ 6
    while len(given) > 1 and name_of(given[0]):
        given = given[1:]  # \\angle A = \\angle B = 50
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
