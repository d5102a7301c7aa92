r"""A formula of numbers and unknowns as a tree: a parser of LaTeX that refuses whatever can be read in two ways.

Reads `+ - * /`, `\cdot`, `\times`, `\frac`, `\sqrt`, `\sqrt[n]`, `\pi`, `e`, powers, brackets, products without a
sign, factorials of small numbers, degrees, the imaginary unit, `\sin \cos \tan \cot \sec \csc \ln \exp`, `\arcsin` and
so on, `\log_b`, sums with a named index, and as unknowns Latin and Greek letters with subscripts and `\angle ABC`. Not
read, because it is ambiguous or something else: `1\frac12`, `1/2x`, `f(x)`, `2 3`, `\log x`, `\sin^{-1}x`, `\sin(x)y`,
units, percent, relations, lists.

A tree is nested tuples: ("number", Fraction), ("unknown", name), ("constant", "π", "e" or "i"), ("sum", trees),
("product", trees), ("quotient", tree, tree), ("power", tree, tree), ("root", tree, degree), ("function", name, tree),
("series", index, from, to, body). Nothing here computes with them; no text is ever evaluated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from math import factorial
from typing import Any

from vlrl.verify.math.formula_tokens import ANGLES, FRACTIONS, FUNCTIONS, GREEK, INVERSES, UnreadError, tokens_of

MAX_CHARS = 300
MAX_DEPTH = MAX_FACTORIAL = 20

Tree = tuple[Any, ...]

_SKIPPED = re.compile(r"\\left(?![a-z])|\\right(?![a-z])|\\[,;:! ]|\\q?quad(?![a-z])|\\displaystyle(?![a-z])|\$")
_WORD = re.compile(r"(?<![\\A-Za-z])(?![A-Z]{3}(?![A-Za-z]))[A-Za-z]{3,}")
_PLAIN_WORD = re.compile(r"[A-Za-z]{2,}")
_SUBSCRIPT_FONT = re.compile(r"\\(?:mathrm|text|textrm|rm|mathbf)(?![a-z])|[{}\s]")
_SUBSCRIPT = re.compile(r"(?:[A-Za-z0-9,']|\\[A-Za-z]+)+")
_CALLED = frozenset("fghuvFGHCPW")  # before a bracket these may be functions, or C(n, k)


@dataclass(frozen=True)
class Formula:
    """A tree and what is known of it.

    `unknowns`: their names; `word`: three letters or more stand together, so that it may be prose; `vague`: another
    reading is possible (`n(n+1)`), so that nothing may be called different because of it.
    """

    tree: Tree
    unknowns: frozenset[str]
    word: bool
    vague: bool


def read_formula(text: str) -> Formula | None:
    """The formula that a text is; None for every other text."""
    if len(text) > MAX_CHARS:
        return None
    text = _SKIPPED.sub(" ", text).strip().rstrip(".").strip().replace("−", "-")
    word = _WORD.search(text) is not None or _PLAIN_WORD.fullmatch(text) is not None
    try:
        reader = FormulaReader(tokens_of(text))
        tree = reader.whole()
    except UnreadError:
        return None
    return Formula(tree, frozenset(reader.unknowns), word, reader.vague)


def times(one: Formula, other: Formula) -> Formula:
    """The product."""
    unknowns, word, vague = one.unknowns | other.unknowns, one.word or other.word, one.vague or other.vague
    return Formula(("product", (one.tree, other.tree)), unknowns, word, vague)


MINUS_ONE: Tree = ("number", Fraction(-1))
DEGREE: Tree = ("quotient", ("constant", "π"), ("number", Fraction(180)))


class FormulaReader:
    """Recursive descent over the tokens; one method a level of precedence."""

    max_depth = MAX_DEPTH

    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.position, self.depth = tokens, 0, 0
        self.unknowns: set[str] = set()
        self.vague = False

    def whole(self) -> Tree:
        tree = self.sum()
        if self.position != len(self.tokens):
            raise UnreadError
        return tree

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise UnreadError
        self.position += 1
        return token

    def sum(self) -> Tree:
        self.depth += 1
        if self.depth > self.max_depth:
            raise UnreadError
        terms: list[Tree] = []
        sign = self.take() if self.peek() in ("+", "-") else "+"
        while True:
            term = self.product()
            terms.append(term if sign == "+" else ("product", (MINUS_ONE, term)))
            if self.peek() not in ("+", "-"):
                break
            sign = self.take()
        self.depth -= 1
        return terms[0] if len(terms) == 1 else ("sum", tuple(terms))

    def product(self) -> Tree:
        value, divided = self.power(), False
        while token := self.peek():
            if token in ("*", "\\cdot", "\\times"):
                self.take()
                value = ("product", (value, self.power()))
            elif token in ("/", "\\div"):
                self.take()
                value, divided = ("quotient", value, self.power()), True
            elif self.starts_factor(token):
                if divided:
                    raise UnreadError  # 1/2x: x may belong to the divisor
                self.check_juxtaposition(token)
                value = ("product", (value, self.power()))
            else:
                break
        return value

    def starts_factor(self, token: str) -> bool:
        return token in ("(", "{") or token[0] == "." or token[0].isalnum() or (token[0] == "\\" and token != "\\div")

    def check_juxtaposition(self, token: str) -> None:
        """Raises UnreadError where two factors side by side may be something else than a product."""
        before = self.tokens[self.position - 1]
        digits = before[-1].isdigit() or before[-1] == "."
        if token[0].isdigit() or token[0] == ".":
            if before != "}" or not self.after_exponent:
                raise UnreadError  # "2 3", "x2"; but 2^{12} 13 is a product
        elif token in FRACTIONS and digits:
            raise UnreadError  # 1\frac12 may be a mixed number
        elif token == "(" and before[-1].isalpha() and before != "π":
            if before in _CALLED or before[0] == "\\":
                raise UnreadError  # f(x)
            self.vague = True  # n(n+1)

    @property
    def after_exponent(self) -> bool:
        """Whether the closing brace before the present token ends an exponent."""
        depth, i = 0, self.position - 1
        while i >= 0:
            depth += {"}": 1, "{": -1}.get(self.tokens[i], 0)
            if depth == 0:
                return i > 0 and self.tokens[i - 1] == "^"
            i -= 1
        return False

    def power(self) -> Tree:
        base = self.atom()
        if self.peek() == "!":
            self.take()
            if base[0] != "number" or base[1].denominator != 1 or not 0 <= base[1] <= MAX_FACTORIAL:
                raise UnreadError
            base = ("number", Fraction(factorial(int(base[1]))))
        if self.takes_degrees():
            return ("product", (base, DEGREE))
        if self.peek() == "^":
            base = ("power", base, self.exponent())
        if self.peek() in ("^", "!", "_"):
            raise UnreadError
        return base

    def takes_degrees(self) -> bool:
        r"""Whether `°`, `^\circ` or `^{\circ}` stands here, which is then behind us."""
        for written in (["°"], ["^", "\\circ"], ["^", "{", "\\circ", "}"]):
            if self.tokens[self.position : self.position + len(written)] == written:
                self.position += len(written)
                return True
        return False

    def exponent(self) -> Tree:
        self.take("^")
        return self.argument()

    def atom(self) -> Tree:
        token = self.take()
        if token[0].isdigit() or token[0] == ".":
            if self.peek() == "_":
                raise UnreadError  # another base
            return ("number", Fraction("0" + token))
        if token in ("(", "{"):
            tree = self.sum()
            self.take(")" if token == "(" else "}")
            return tree
        if token in FRACTIONS:
            return self.fraction()
        if token == "\\sqrt":
            return self.root()
        if token == "π":
            return ("constant", "π")
        if token in FUNCTIONS:
            return self.function(token)
        if token == "\\sum":
            return self.series()
        if token in ANGLES:
            return self.angle()
        if token in GREEK or (len(token) == 1 and token.isalpha()):
            return self.unknown(token)
        raise UnreadError

    def unknown(self, token: str) -> Tree:
        if self.peek() == "_":
            self.take()
            token += "_" + self.subscript()
        elif token in ("j", "I"):
            raise UnreadError  # the imaginary unit, perhaps
        elif token == "i":
            self.vague = True  # it may be an index
            return ("constant", "i")
        elif token == "e":
            return ("constant", "e")
        if token in ("C", "P") and self.peek() in ("^", "{"):
            raise UnreadError
        self.unknowns.add(token)
        return ("unknown", token)

    def angle(self) -> Tree:
        """An angle by its capital letters, as one unknown."""
        braced = self.peek() == "{"
        if braced:
            self.take()
        name = "angle "
        while len(self.peek()) == 1 and self.peek().isupper():
            name += self.take()
        if braced:
            self.take("}")
        if len(name) not in (7, 9) or self.peek() == "_":
            raise UnreadError
        self.unknowns.add(name)
        return ("unknown", name)

    def subscript(self) -> str:
        """The text of a subscript in one spelling; one that has to be computed makes the formula vague."""
        start = self.position
        if self.take() == "{":
            depth = 1
            while depth:
                depth += {"{": 1, "}": -1}.get(self.take(), 0)
        text = _SUBSCRIPT_FONT.sub("", " ".join(self.tokens[start : self.position]))
        if not _SUBSCRIPT.fullmatch(text):
            if not re.fullmatch(r"(?:[A-Za-z0-9+-]|\\[A-Za-z]+)+", text):
                raise UnreadError
            self.vague = True  # a_{n+1} is a_{1+n}
        return text

    def argument(self) -> Tree:
        """What a command or `^` takes: a group, a digit, a letter."""
        token = self.peek()
        if token == "{":
            return self.atom()
        if len(token) == 1 and token.isalnum():
            if token in ("i", "j", "I"):
                raise UnreadError
            self.take()
            if token.isdigit():
                return ("number", Fraction(token))
            if token in "eπ":
                return ("constant", token)
            self.unknowns.add(token)
            return ("unknown", token)
        raise UnreadError

    def fraction(self) -> Tree:
        token = self.peek()
        if len(token) == 2 and token.isdigit():  # \frac12
            self.take()
            return ("quotient", ("number", Fraction(token[0])), ("number", Fraction(token[1])))
        top = self.argument()
        return ("quotient", top, self.argument())

    def root(self) -> Tree:
        degree = 2
        if self.peek() == "[":
            self.take()
            written = self.take()
            self.take("]")
            if not (written.isdigit() and 2 <= int(written) <= 9):
                raise UnreadError
            degree = int(written)
        return ("root", self.argument(), degree)

    def function(self, name: str) -> Tree:
        base: Tree | None = None
        if name == "\\log":
            self.take("_")  # without a base it may be 10 or e
            base = self.argument()
        exponent: Tree | None = None
        if self.peek() == "^":
            exponent = self.exponent()
            if exponent[0] != "number":
                raise UnreadError  # \sin^{-1} is not 1/sin
        argument = self.function_argument()
        if name == "\\exp":
            tree: Tree = ("power", ("constant", "e"), argument)
        elif base is not None:
            tree = ("quotient", ("function", "ln", argument), ("function", "ln", base))
        else:
            tree = ("function", INVERSES.get(name, name[1:]), argument)
        return tree if exponent is None else ("power", tree, exponent)

    def function_argument(self) -> Tree:
        if self.peek() in ("(", "{"):
            argument = self.atom()
            if self.starts_factor(self.peek() or "+") and self.peek() not in (*FUNCTIONS, "\\cdot", "\\times"):
                raise UnreadError  # \sin(x)y
            if self.peek() in ("^", "!", "/"):
                raise UnreadError  # \sin(x)^2
            return argument
        factors: list[Tree] = []
        while True:
            token = self.peek()
            if factors and (token in ("(", "{") or token in ("\\cdot", "\\times", "*", "/")):
                raise UnreadError  # \sin x(y), \sin x/2
            if not token or not self.starts_factor(token) or token in FUNCTIONS or token == "\\sum":
                break
            if factors:
                self.check_juxtaposition(token)
            factors.append(self.power())
        if not factors:
            raise UnreadError
        return factors[0] if len(factors) == 1 else ("product", tuple(factors))

    def series(self) -> Tree:
        self.take("_")
        self.take("{")
        index = self.take()
        self.take("=")
        if len(index) != 1 or not index.isalpha():
            raise UnreadError
        start = self.sum()
        self.take("}")
        self.take("^")
        end = self.argument()
        self.vague = True
        self.unknowns.add(index)
        return ("series", index, start, end, self.product())
