r"""The outer form of an answer: list, tuple, interval, set, union, matrix, chain of relations, ratio, or one formula.

`read_structure` cuts a text at the separators that stand outside all brackets, loosest first: `,` `;` "and" "or",
then `=` `<` `\le` … `\in`, then `\cup`, `\setminus`, then `:`, then the outermost bracket. The leaves are formulas
(`formula`). Lines (`\\`, `cases`, `aligned`) are a list, `]1, 2[` is `(1, 2)`, `[[1, 2], [3, 4]]` a matrix, and
`\{x \mid x < 1\}` what its condition is. What may be cut in two ways (commas and semicolons, `1,200`) and brackets that
don't match are not read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vlrl.verify.math.formula import Formula, read_formula, times
from vlrl.verify.math.notation import in_one_notation, with_choices

MAX_CHARS = 600
MAX_ITEMS = 30
MAX_DEPTH = 6

_AND = re.compile(
    r"\s*,?\s*(?:\\text\{\s*(?:and|且|(?P<or>or|或))\s*\}|(?<![A-Za-z\\])(?:and|(?P<bare>or))(?![A-Za-z])|且|(?P<han>或)"
    r"|\\(?:land|wedge|(?P<lor>lor|vee))(?![A-Za-z]))\s*"
)
_SCALED = re.compile(
    r"(.+?)\s*(?:\\cdot|\\times|\*)?\s*(\\begin\{(?:[pb]|small)?matrix\}.*|\(\s*\\begin\{smallmatrix\}.*)", re.DOTALL
)
_PLUS_MINUS = re.compile(r"\\pm(?![A-Za-z])|±")
_THOUSANDS = re.compile(r"(?<![0-9])[0-9]{1,3},[0-9]{3}(?![0-9])")
_RELATIONS = {
    "=": "=", "<": "<", ">": ">", "\\le": "≤", "\\leq": "≤", "\\leqslant": "≤", "<=": "≤", "\\lt": "<", "≤": "≤",
    "\\ge": "≥", "\\geq": "≥", "\\geqslant": "≥", ">=": "≥", "\\gt": ">", "≥": "≥", "\\ne": "≠", "\\neq": "≠",
    "!=": "≠", "\\in": "∈", "∈": "∈", "\\approx": "≈", "≈": "≈", "\\simeq": "≈", "\\equiv": "≡", "≡": "≡", "\\sim": "∼",
    "\\cong": "≅", "\\propto": "∝", "\\to": "→", "\\rightarrow": "→",
}  # fmt: skip
_MARK = re.compile(
    r"\\begin\{(?P<begin>[a-z]{1,12})\}|\\end\{(?P<end>[a-z]{1,12})\}|(?P<open>\\\{|[({\[])|(?P<close>\\\}|[)}\]])"
    r"|(?P<relation>\\(?:leqslant|geqslant|leq|geq|le|ge|lt|gt|neq|ne|in|approx|simeq|equiv|sim|cong|propto|to|rightarrow)"
    r"(?![a-zA-Z])|<=|>=|(?<![0-9)])!=|[=<>≤≥∈≈≡])"
    r"|(?P<cup>\\cup(?![a-z])|∪)|(?P<without>\\(?:setminus|backslash)(?![a-z])|∖)|(?P<bar>\\mid(?![a-z])|\|)|(?P<colon>:)|(?P<comma>,)|(?P<semicolon>;)|(?P<other>\\[A-Za-z]+|\\\\|.)",
    re.DOTALL,
)
_PAIRS = {"(": ")]", "[": "])", "{": "}", "\\{": ("\\}",)}
_INFINITY = re.compile(
    r"(?P<sign>[+-]?)\s*(?:\\text\{\s*)?(?P<word>negative\s|minus\s|positive\s|plus\s)?"
    r"(?:\\infty|\\infin|∞|inf(?:init[ye]|ty)?)(?:\s*\})?"
)
_SUBSCRIPT = re.compile(r"_\s*(?:\{(?:[^{}]|\{[^{}]*\})*\}|[A-Za-z0-9])")
_NAME = re.compile(r"(?:[A-Za-z\s(){},:/']|\\[A-Za-z]+)+")
_NO_NAME = re.compile(
    r"\\(?:sin|cos|tan|cot|sec|csc|ln|log|lg|exp|sqrt|sum|int|prod|lim|text|mbox|not|pi|pm|infty|max|min|binom)"
    r"|(?<![A-Za-z\\])[a-z]{3,}"
)
_PRODUCT = re.compile(r"[a-z]\s?[a-z]")  # xy = 5 is an equation
_LENGTH = re.compile(
    r"\\(?:overline|overrightarrow|mathrm|text|rm|mathbf)(?![a-z])|^\\?\|(?=[A-Z]{2}|\\vec)|\\?\|$|[{}\s]"
)
_MATRICES = frozenset(("pmatrix", "bmatrix", "matrix", "array", "smallmatrix"))
_MATRIX = re.compile(r"\\begin\{(?P<kind>[a-z]+)\}(?P<columns>\{[lcr| ]*\})?(?P<body>.*)\\end\{(?P=kind)\}", re.DOTALL)


class UnreadStructureError(ValueError):
    """The text has no form that is read here, or has two."""


@dataclass(frozen=True)
class Leaf:
    """One formula; `infinite` is +1 or -1 for ±∞, and then there is no formula."""

    text: str
    formula: Formula | None
    infinite: int = 0


@dataclass(frozen=True)
class Items:
    """Values without an order: "list" `1, 2` or "set" `\\{1, 2\\}`; relations with "or" or "and" between them: "either"
    `x = 1 or y = 2`, of different names, `x < 1 or x > 2`, "both" `x > 1 and x < 2`."""

    kind: str
    items: tuple[Structure, ...]


@dataclass(frozen=True)
class Bracket:
    """Values in order between brackets ("()", "[)"): a tuple, or an interval where there are two."""

    brackets: str
    items: tuple[Structure, ...]
    text: str


@dataclass(frozen=True)
class Union:
    """Several intervals as one set."""

    parts: tuple[Structure, ...]
    text: str


@dataclass(frozen=True)
class Without:
    """A set and what is taken out of it."""

    whole: Structure
    removed: Structure
    text: str


@dataclass(frozen=True)
class Ratio:
    """`a : b : c`."""

    parts: tuple[Structure, ...]


@dataclass(frozen=True)
class Chain:
    """`a = b < c`: one member more than relations."""

    members: tuple[Structure, ...]
    relations: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Matrix:
    """Rows of entries, all of one length."""

    rows: tuple[tuple[Structure, ...], ...]


Structure = Leaf | Items | Bracket | Union | Without | Ratio | Chain | Matrix


def read_structure(parts: list[str]) -> Structure | None:
    """The form of an answer given in parts; None where it is not read."""
    if sum(map(len, parts)) > MAX_CHARS or not parts:
        return None
    try:
        found = [_read_part(part) for part in parts]
    except UnreadStructureError:
        return None
    if len(found) == 1:
        return found[0]
    items = [i for f in found for i in (f.items if isinstance(f, Items) and f.kind == "list" else (f,))]
    return Items("list", tuple(items)) if len(items) <= MAX_ITEMS else None


def _read_part(text: str) -> Structure:
    text = in_one_notation(text)
    if len(_PLUS_MINUS.findall(text)) == 1 and "," not in text:
        return Items("list", tuple(_read_part(_PLUS_MINUS.sub(sign, text)) for sign in "+-"))
    return _read_joined(text)


def _read_joined(text: str) -> Structure:
    """A text without brackets around it, with "and" and "or" read as commas unless they join relations."""
    within = "\\{" in text and ("\\mid" in text or "|" in text or ":" in text)  # a condition in braces
    joined = [] if within else list(_AND.finditer(text))
    if not joined:
        return _read(text, 0)
    found = _read(_AND.sub(",", text).strip(", "), 0)
    items = found.items if isinstance(found, Items) else ()
    either = {any((match["or"], match["bare"], match["lor"], match["han"])) for match in joined}
    if any(isinstance(item, Chain) and {*item.relations} != {"="} for item in items):
        if len(either) > 1 or len(items) != len(joined) + 1:
            raise UnreadStructureError  # "x < 1 and x > 0 or x = 3"
        return Items("either" if True in either else "both", items)
    names = {name_of(item.members[0]) for item in items if isinstance(item, Chain)}
    return Items("either", items) if len(names) > 1 and True in either else found


def name_of(member: Structure) -> str:
    r"""The member in one spelling where it is a name and no value: `a_n`, `V_1 : V_2`, `(x, y)`, `f(x)`, and AB for
    `\overline{AB}` or `|AB|`; else ""."""
    if isinstance(member, (Ratio, Bracket)):
        names = [name_of(part) for part in (member.parts if isinstance(member, Ratio) else member.items)]
        return f"({','.join(names)})" if all(names) else ""
    if not isinstance(member, Leaf) or member.infinite:
        return ""
    name = _LENGTH.sub("", member.text)
    bare = _SUBSCRIPT.sub("", name if "|" in member.text else member.text)
    if _PRODUCT.fullmatch(bare.strip()):
        return ""
    if not _NAME.fullmatch(bare) or _NO_NAME.search(bare) or not any(c.isalpha() for c in bare):
        return ""
    return name


def _read(text: str, depth: int) -> Structure:
    text = text.strip()
    if depth > MAX_DEPTH or not text:
        raise UnreadStructureError
    cuts = _cuts(text)
    if "comma" in cuts or "semicolon" in cuts:
        if "comma" in cuts and ("semicolon" in cuts or _THOUSANDS.search(text)):
            raise UnreadStructureError
        return Items("list", _several(text, cuts.get("comma") or cuts["semicolon"], depth))
    if "relation" in cuts:
        relations = tuple(_RELATIONS[text[start:end]] for start, end in cuts["relation"])
        return Chain(_several(text, cuts["relation"], depth), relations, text)
    if "cup" in cuts:
        return Union(_several(text, cuts["cup"], depth), text)
    if "without" in cuts:
        return _without(text, *cuts["without"][0], depth)
    if "colon" in cuts:
        return Ratio(_several(text, cuts["colon"], depth))
    if (infinity := _INFINITY.fullmatch(text)) is not None:
        return Leaf(text, None, -1 if "-" in infinity["sign"] or (infinity["word"] or "")[:1] in ("n", "m") else 1)
    return _bracketed(text, depth) or _scaled(text, depth) or Leaf(text, read_formula(with_choices(text)))


def _without(text: str, start: int, end: int, depth: int) -> Without:
    return Without(_read(text[:start], depth + 1), _read(text[end:], depth + 1), text)


def _scaled(text: str, depth: int) -> Structure | None:
    """The matrix that a number times a matrix is."""
    match = _SCALED.fullmatch(text) if "matrix" in text else None
    factor = read_formula(match[1]) if match is not None else None
    matrix = _read(match[2], depth + 1) if match is not None and factor is not None else None
    if match is None or factor is None or not isinstance(matrix, Matrix):
        return None
    return Matrix(tuple(tuple(_times(match[1], factor, cell) for cell in row) for row in matrix.rows))


def _times(text: str, factor: Formula, cell: Structure) -> Leaf:
    if not isinstance(cell, Leaf) or cell.formula is None:
        raise UnreadStructureError
    return Leaf(f"({text})({cell.text})", times(factor, cell.formula))


def _several(text: str, cuts: list[tuple[int, int]], depth: int) -> tuple[Structure, ...]:
    if len(cuts) >= MAX_ITEMS:
        raise UnreadStructureError
    starts, ends = [0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(text)]
    return tuple(_read(text[start:end], depth + 1) for start, end in zip(starts, ends, strict=True))


def _cuts(text: str) -> dict[str, list[tuple[int, int]]]:
    """Where separators stand outside all brackets, by kind. Raises UnreadStructureError if brackets don't match."""
    cuts: dict[str, list[tuple[int, int]]] = {}
    stack: list[str] = []
    for match in _MARK.finditer(text):
        kind, token = str(match.lastgroup), match[0]
        if kind in ("open", "begin"):
            stack.append(token if kind == "open" else match["begin"])
        elif kind in ("close", "end"):
            opening = stack.pop() if stack else ""
            if (token not in _PAIRS.get(opening, ())) if kind == "close" else opening != match["end"]:
                raise UnreadStructureError
        elif not stack and kind != "other":
            cuts.setdefault(kind, []).append(match.span())
    if stack:
        raise UnreadStructureError
    return cuts


def _bracketed(text: str, depth: int) -> Structure | None:
    """The form of a text that is one bracket, or one matrix, from end to end; None if it is neither."""
    if text.startswith("\\begin"):
        return _matrix(text, depth)
    opening = "\\{" if text.startswith("\\{") else text[0]
    if opening not in _PAIRS or _first_closing(text) != len(text):
        return None
    closing = "\\}" if text.endswith("\\}") else text[-1]
    inside = text[len(opening) : -len(closing)].strip()
    cuts = _cuts(inside)
    if opening == "\\{" and (bar := cuts.get("bar") or cuts.get("colon")) and len(bar) == 1:
        return _condition(inside[: bar[0][0]], inside[bar[0][1] :])
    if opening == "\\{":
        if "comma" in cuts and "semicolon" not in cuts:
            return Items("set", _several(inside, cuts["comma"], depth))  # also {1,200}
        found = _read(inside, depth + 1)
        if isinstance(found, Chain):
            raise UnreadStructureError
        return Items("set", found.items if isinstance(found, Items) and found.kind == "list" else (found,))
    if "semicolon" in cuts and "comma" in cuts and opening == "[" and not re.search(r",(?!\s)", inside):
        return _rows([_read(row, depth + 1) for row in inside.split(";")])  # [1, 2; 3, 4]
    if "semicolon" in cuts:
        if "comma" in cuts or opening == "{" or re.search(r"[0-9]\s*,\s*[0-9]", inside):
            raise UnreadStructureError
        return Bracket(opening + closing, _several(inside, cuts["semicolon"], depth), text)
    if "comma" in cuts:
        if _THOUSANDS.search(inside):
            raise UnreadStructureError
        items = _several(inside, cuts["comma"], depth)
        if opening + closing == "[]" and all(isinstance(i, Bracket) and i.brackets == "[]" for i in items):
            return _rows(items)
        return Items("list", items) if opening == "{" else Bracket(opening + closing, items, text)
    if opening == "[" or closing == "]":
        if not inside:
            raise UnreadStructureError
        found = _read(inside, depth + 1)
        return found if isinstance(found, Matrix) else Bracket(opening + closing, (found,), text)
    return _read(inside, depth + 1) if inside else None


def _condition(of: str, text: str) -> Structure:
    r"""What `\{x \mid x < 1\}` says of its unknown: a condition, or a set of values; the whole of a family
    `\{2k \mid k \in ℤ\}`."""
    name, condition = _read(of, 1), _read_joined(text)
    if isinstance(name, Chain) and name.relations == ("∈",) and name.members[1] == Leaf("ℝ", None):
        name = name.members[0]
    if not name_of(name):
        return Bracket("{|}", (name, condition), f"\\{{{of}|{text}\\}}")
    items = condition.items if isinstance(condition, Items) else (condition,)
    if not all(isinstance(item, Chain) and name_of(name) in map(name_of, item.members) for item in items):
        raise UnreadStructureError
    if all(isinstance(item, Chain) and item.relations == ("=",) for item in items):
        return Items("set", tuple(item.members[1] for item in items if isinstance(item, Chain)))
    return condition


def _first_closing(text: str) -> int:
    """Where the bracket that opens the text closes."""
    level = 0
    for match in _MARK.finditer(text):
        level += {"open": 1, "begin": 1, "close": -1, "end": -1}.get(str(match.lastgroup), 0)
        if level == 0:
            return match.end()
    return -1


def _matrix(text: str, depth: int) -> Structure:
    match = _MATRIX.fullmatch(text)
    if match is None or match["kind"] not in _MATRICES or "\\begin" in match["body"]:
        raise UnreadStructureError
    rows = [row for row in re.split(r"\\\\", match["body"]) if row.strip()]
    return _rows([Items("list", tuple(_read(cell, depth + 1) for cell in row.split("&"))) for row in rows])


def _rows(rows: Sequence[Structure]) -> Matrix:
    """A matrix of rows, each a list or a bracket. Raises UnreadStructureError where their lengths differ."""
    cells = tuple(row.items if isinstance(row, (Items, Bracket)) else (row,) for row in rows)
    if not cells or len({len(row) for row in cells}) != 1 or sum(map(len, cells)) > 100:
        raise UnreadStructureError
    return Matrix(cells)
