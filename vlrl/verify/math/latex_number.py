r"""The value of a LaTeX expression without letters: a small parser that computes, and never evaluates text.

Reads decimal numbers with thousands commas, `+ - * / : ! ^ ( ) [ ] { }`, products without a sign, `\frac`, `\sqrt[n]`,
`\cdot`, `\times`, `\div`, `\pi`, `\binom`, `\sin … \arctan` (radians), `\log` (base 10 or `_b`), `\%`, `e^x`. What
follows a complete expression and can't continue it is ignored ("17)" is 17), as latex2sympy does, whose place it takes
in the published MATH-Vision rules; powers are read from the left (2^2^3 is 64), also as there.

Not read: variables, absolute values, matrices, inequalities. Bounded: 1,000 characters, 40 levels, 4,000-bit integers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

MAX_CHARS = 1_000
MAX_DEPTH = 40
MAX_BITS = 4_000

Value = int | float

_TOKEN = re.compile(
    r"(?P<number>[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?|\.[0-9]+)"
    r"|(?P<space>(?:[\s$~]|\\,|\\quad|\\qquad|\\left(?![a-z])|\\right(?![a-z]))+)"
    r"|(?P<command>\\[a-zA-Z]+|\\%)"
    r"|(?P<sign>[-+*/:^!_()\[\]{},;=<>|.])"
    r"|(?P<letter>[a-zA-Z])"
)
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    r"\sin": math.sin,
    r"\cos": math.cos,
    r"\tan": math.tan,
    r"\arcsin": math.asin,
    r"\arccos": math.acos,
    r"\arctan": math.atan,
}
_TIMES = ("*", r"\cdot", r"\times")
_OVER = ("/", ":", r"\div")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_NOT_AFTER = frozenset(",;=<>|")  # a list, a relation or an absolute value is no number


class _UnreadableError(ValueError):
    """The text is no expression that this parser reads."""


def latex_to_number(text: str) -> Value | None:
    """The value of the expression; None where the text is none, or has no real value within bounds."""
    if len(text) > MAX_CHARS:
        return None
    try:
        value = _Reader(_tokens(text)).whole()
        return value if math.isfinite(value) else None  # which a whole number beyond floats does not answer
    except (_UnreadableError, ArithmeticError, ValueError):
        return None


def _tokens(text: str) -> list[str]:
    tokens = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _UnreadableError
        if match.lastgroup != "space":
            tokens.append(match[0])
        position = match.end()
    return tokens


class _Reader:
    """Recursive descent; one method a level of precedence."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.position, self.depth = tokens, 0, 0

    def whole(self) -> Value:
        if len(self.tokens) > 2 and self.tokens[0].isalpha() and self.tokens[1] == "=":
            self.position = 2  # "x=3" is 3
        value = self.sum()
        if self.next in _NOT_AFTER:
            raise _UnreadableError
        return value

    @property
    def next(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self, *expected: str) -> str:
        token = self.next
        if not token or (expected and token not in expected):
            raise _UnreadableError
        self.position += 1
        return token

    def sum(self) -> Value:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _UnreadableError
        value = self.product()
        while self.next in ("+", "-"):
            value = value + self.product() if self.take() == "+" else value - self.product()
        self.depth -= 1
        return value

    def product(self) -> Value:
        value = self.signed()
        while self.next in _TIMES or self.next in _OVER:
            value = value * self.signed() if self.take() in _TIMES else value / self.signed()
            _bounded(value)
        return value

    def signed(self) -> Value:
        negative = False
        while self.next in ("+", "-"):
            negative ^= self.take() == "-"
        value = self.power()
        while self.starts_atom():
            value = _bounded(value * self.power())
        return -value if negative else value

    def starts_atom(self) -> bool:
        """Whether the next token continues a product without a sign; a letter does, and is then refused."""
        token = self.next
        return bool(token) and (
            token[0].isalnum()
            or token in "([{"
            or (token[0] == "." and len(token) > 1)
            or (token[0] == "\\" and token not in _TIMES and token not in _OVER)
        )

    def power(self) -> Value:
        value = self.atom()
        while self.next == "^":
            self.take()
            value = _power(value, self.exponent())
        while self.next == "!":
            self.take()
            if not isinstance(value, int) or not 0 <= value <= 400:
                raise _UnreadableError
            value = math.factorial(value)
        return value

    def exponent(self) -> Value:
        return self.bracket() if self.next == "{" else self.atom()

    def bracket(self) -> Value:
        opening = self.take("(", "[", "{")
        value = self.sum()
        self.take(_CLOSING[opening])
        return value

    def atom(self) -> Value:
        token = self.next
        if token in ("(", "[", "{"):
            return self.bracket()
        self.take()
        if token[0].isdigit() or (token[0] == "." and len(token) > 1):
            value = _literal(token)
            if self.next == r"\%":
                self.take()
                return value / 100
            return value
        if token == r"\pi":
            return math.pi
        if token == "e" and self.next == "^":
            self.take()
            return math.exp(self.exponent())
        if token in (r"\frac", r"\dfrac", r"\tfrac"):
            return self.braced() / self.braced()
        if token == r"\sqrt":
            degree: Value = 2
            if self.next == "[":
                degree = self.bracket()
            return _power(self.braced(), 1 / degree) if degree != 2 else math.sqrt(self.braced())
        if token == r"\binom":
            n, k = self.braced(), self.braced()
            if not isinstance(n, int) or not isinstance(k, int) or n > 400:
                raise _UnreadableError
            return math.comb(n, k)
        if token in _FUNCTIONS or token == r"\log":
            return self.function(token)
        raise _UnreadableError

    def braced(self) -> Value:
        if self.next != "{":
            raise _UnreadableError
        return self.bracket()

    def function(self, name: str) -> Value:
        base: Value = 10
        if name == r"\log" and self.next == "_":
            self.take()
            base = self.exponent()
        exponent: Value = 1
        if self.next == "^":
            self.take()
            exponent = self.exponent()
        argument = self.bracket() if self.next in ("(", "[", "{") else self.signed()
        if exponent == -1:
            name, exponent = name.replace("\\", "\\arc"), 1
            if name not in _FUNCTIONS:
                raise _UnreadableError
        value = math.log(argument, base) if name == r"\log" else _FUNCTIONS[name](argument)
        return _power(value, exponent)


def _literal(token: str) -> Value:
    digits = token.replace(",", "")
    if len(digits) > 400:
        raise _UnreadableError
    value = float(digits)
    return int(digits.partition(".")[0] or 0) if value.is_integer() else value


def _bounded(value: Value) -> Value:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise _UnreadableError
    return value


def _power(base: Value, exponent: Value) -> Value:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * abs(exponent) > MAX_BITS:
        raise _UnreadableError
    value = base**exponent
    if isinstance(value, complex):
        raise _UnreadableError
    return _bounded(value)
