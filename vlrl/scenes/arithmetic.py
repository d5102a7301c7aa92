"""Domain `arithmetic`: an expression of single digits, worked out from left to right."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vlrl.errors import ConfigError
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, check_span, pick, scaled
from vlrl.types import Draft

Step = tuple[str, int, int]  # operation, value before, digit


@domain("arithmetic", family="arithmetic", modality="text")
@dataclass(frozen=True)
class Arithmetic:
    """`4-3+5=?` with the thought `4-3=1 1+5=6`.

    terms       number of single digits at difficulty 0 and 1
    operations  which of + - * occur
    modulus     None: ordinary values; otherwise every step is taken modulo this number, e.g. 10 for last digits
    bounded     without a modulus: every value on the way stays within 0..9, and all answers are alike likely
    """

    terms: tuple[int, int] = (2, 4)
    operations: str = "+-"
    modulus: int | None = None
    bounded: bool = True

    verifier = "number"
    one_answer = "an expression has one value; parentheses stand where precedence would change it"

    def __post_init__(self) -> None:
        check_span("domain 'arithmetic', terms", self.terms, 2, 20)
        if not self.operations or set(self.operations) - set("+-*"):
            raise ConfigError("domain 'arithmetic', operations", f"got {self.operations!r}", "use some of + - *")
        if self.modulus is not None:
            check_at_least("domain 'arithmetic', modulus", self.modulus, 2)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One expression. Difficulty 0: terms[0] digits; 1: terms[1] digits."""
        count = scaled(self.terms, difficulty)
        forwards = self.modulus is None and not self.bounded
        steps = self._forwards(rng, count) if forwards else self._backwards(rng, count)
        expression = str(steps[0][1])
        for i, (operation, _, digit) in enumerate(steps):
            # parentheses, where the usual precedence would read the line in another order
            expression = f"({expression})" if i and "*" in self.operations else expression
            expression += f"{operation}{digit}"
        thought = " ".join(f"{before}{sign}{digit}={self._apply(sign, before, digit)}" for sign, before, digit in steps)
        if self.modulus is None:
            question, metadata = f"{expression}=?", {}
        else:
            question, metadata = f"{expression}=? mod {self.modulus}", {"modulus": self.modulus}
        return Draft(question=question, answer=str(self._apply(*steps[-1])), thought=thought, metadata=metadata)

    def _apply(self, operation: str, before: int, digit: int) -> int:
        return _apply(operation, before, digit, self.modulus)

    def _backwards(self, rng: np.random.Generator, count: int) -> list[Step]:
        """Answer first, then a last step that leads to it, and so on: every answer is alike likely."""
        value = int(rng.integers(self.modulus or 10))
        steps: list[Step] = []
        for _ in range(count - 1):
            steps.append(pick(rng, _steps_to(value, self.operations, self.modulus)))
            value = steps[-1][1]
        return steps[::-1]

    def _forwards(self, rng: np.random.Generator, count: int) -> list[Step]:
        value, steps = int(rng.integers(10)), []
        for _ in range(count - 1):
            operation = pick(rng, self.operations)
            digit = int(rng.integers(2 if operation == "*" else 0, 10))  # by 0 or 1 nothing would have to be worked out
            steps.append((operation, value, digit))
            value = self._apply(operation, value, digit)
        return steps


def _apply(operation: str, before: int, digit: int, modulus: int | None) -> int:
    value = before + digit if operation == "+" else before - digit if operation == "-" else before * digit
    return value if modulus is None else value % modulus


@lru_cache(maxsize=4096)
def _steps_to(value: int, operations: str, modulus: int | None) -> tuple[Step, ...]:
    """All steps from a value in 0..9 (or 0..modulus-1) that end at `value`."""
    return tuple(
        (operation, before, digit)
        for operation in operations
        for before in range(modulus or 10)
        for digit in range(10)
        if _apply(operation, before, digit, modulus) == value
    )
