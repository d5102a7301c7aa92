r"""The value of a LaTeX expression without letters, as the published MATH-Vision rules compute it with latex2sympy.

The grammar is `math/formula.py`'s with latex2sympy's readings: `-`s in a row, `:` and `\div` as `/`, thousands commas,
`2\frac{1}{2}` as a product, powers from the left (2^2^3 is 64), `\binom`, `\%`, `\log` to base 10, `\sin^{-1}` as
arcsine, and whatever follows a complete expression and can't continue it is ignored ("17)" is 17). Nothing is
evaluated as text.

Not read: variables, absolute values, matrices, inequalities. Bounded: 1,000 characters, 40 levels, factorials of 400.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

from vlrl.verify.math.formula import MINUS_ONE, FormulaReader, Tree
from vlrl.verify.math.formula_tokens import UnreadError, tokens_of
from vlrl.verify.math.formula_value import NoValueError, real_at, value_at

MAX_CHARS = 1_000
MAX_DEPTH = 40
MAX_WHOLE = 400  # of factorials and binomials
MAX_DIGITS = 400

_TOKEN = re.compile(
    r"(?:[\s$~]|\\,|\\q?quad|\\left(?![a-z])|\\right(?![a-z]))*(?:"
    r"(?P<number>[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?|\.[0-9]+)|(?P<command>\\[a-zA-Z]+|\\%)"
    r"|(?P<sign>[-+*/:^!_()\[\]{},;=<>|.])|(?P<letter>[a-zA-Z])|(?P<end>\Z))"
)
_FUNCTIONS = {
    rf"\{arc}{name}": ("a" if arc else "") + name for name in ("sin", "cos", "tan") for arc in ("", "arc")
} | {r"\log": "log10"}
_TIMES = ("*", r"\cdot", r"\times")
_OVER = ("/", ":", r"\div")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_NOT_AFTER = frozenset(",;=<>|")  # a list, a relation or an absolute value is no number


def latex_to_number(text: str) -> float | None:
    """The value of the expression; None where the text is none, or has no real value within floats."""
    if len(text) > MAX_CHARS:
        return None
    try:
        value = real_at(_PublishedReader(tokens_of(text, _TOKEN)).whole())
    except (UnreadError, NoValueError, ArithmeticError):
        return None
    return value if math.isfinite(value) else None


class _PublishedReader(FormulaReader):
    """latex2sympy's precedences."""

    max_depth = MAX_DEPTH

    def whole(self) -> Tree:
        if len(self.tokens) > 2 and re.fullmatch("[A-Za-z]", self.tokens[0]) and self.tokens[1] == "=":
            self.position = 2  # "x=3" is 3
        tree = self.sum()
        if self.peek() in _NOT_AFTER:
            raise UnreadError
        return tree

    def product(self) -> Tree:
        tree = self.signed()
        while self.peek() in _TIMES or self.peek() in _OVER:
            times = self.take() in _TIMES
            tree = ("product", (tree, self.signed())) if times else ("quotient", tree, self.signed())
        return tree

    def signed(self) -> Tree:
        negative = False
        while self.peek() in ("+", "-"):
            negative ^= self.take() == "-"
        tree = self.power()
        while (token := self.peek()) and self.starts_factor(token) and token not in (*_TIMES, *_OVER):
            tree = ("product", (tree, self.power()))
        return ("product", (MINUS_ONE, tree)) if negative else tree

    def starts_factor(self, token: str) -> bool:
        return token[0].isalnum() or token[0] in "([{\\" or (token[0] == "." and len(token) > 1)

    def power(self) -> Tree:
        tree = self.atom()
        while self.peek() == "^":
            self.take()
            tree = ("power", tree, self.exponent())
        while self.peek() == "!":
            self.take()
            tree = ("number", Fraction(math.factorial(_whole(tree))))
        return tree

    def exponent(self) -> Tree:
        return self.bracket() if self.peek() == "{" else self.atom()

    def bracket(self, *opening: str) -> Tree:
        if self.peek() not in (opening or _CLOSING):
            raise UnreadError
        closing = _CLOSING[self.take()]
        tree = self.sum()
        self.take(closing)
        return tree

    def atom(self) -> Tree:
        token = self.peek()
        if token in _CLOSING:
            return self.bracket()
        self.take()
        if token[0].isdigit() or (token[0] == "." and len(token) > 1):
            return self.number(token.replace(",", ""))
        if token == "π":
            return ("constant", "π")
        if token == "e" and self.peek() == "^":
            self.take()
            return ("power", ("constant", "e"), self.exponent())
        if token in (r"\frac", r"\dfrac", r"\tfrac"):
            return ("quotient", self.bracket("{"), self.bracket("{"))
        if token == r"\sqrt":
            degree: Tree = self.bracket() if self.peek() == "[" else ("number", Fraction(2))
            return ("power", self.bracket("{"), ("quotient", ("number", Fraction(1)), degree))
        if token == r"\binom":
            return ("number", Fraction(math.comb(_whole(self.bracket("{")), _whole(self.bracket("{")))))
        if token in _FUNCTIONS:
            return self.called(token)
        raise UnreadError

    def number(self, digits: str) -> Tree:
        if len(digits) > MAX_DIGITS:
            raise UnreadError
        value = Fraction("0" + digits)
        if self.peek() == r"\%":
            self.take()
            value /= 100
        return ("number", value)

    def called(self, name: str) -> Tree:
        base: Tree | None = None
        if name == r"\log" and self.peek() == "_":
            self.take()
            base = self.exponent()
        exponent: Tree | None = None
        if self.peek() == "^":
            self.take()
            exponent = self.exponent()
        argument = self.bracket() if self.peek() in _CLOSING else self.signed()
        if exponent is not None and value_at(exponent, lambda _: Fraction(0)) == -1:
            name, exponent = name.replace("\\", "\\arc"), None
            if name not in _FUNCTIONS:
                raise UnreadError
        tree: Tree = ("function", _FUNCTIONS[name], argument)
        if base is not None:
            tree = ("quotient", ("function", "ln", argument), ("function", "ln", base))
        return tree if exponent is None else ("power", tree, exponent)


def _whole(tree: Tree) -> int:
    value = value_at(tree, lambda _: Fraction(0))
    if not isinstance(value, Fraction) or value.denominator != 1 or not 0 <= value <= MAX_WHOLE:
        raise UnreadError
    return int(value)
