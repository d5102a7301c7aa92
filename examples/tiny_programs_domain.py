"""A domain whose answers are programs: what is right is what passes the problem's tests in the sandbox."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from vlrl.errors import ConfigError
from vlrl.scenes.domain import domain
from vlrl.seeding import stream
from vlrl.types import Draft

WORDS = {"+": "add", "-": "subtract", "*": "multiply by"}
OPERANDS = ("a", "b", "2", "3", "4", "5", "6", "7", "8", "9")
PROGRAM = "```python\na,b=map(int,input().split())\nprint({})\n```"
Step = tuple[str, str]  # operation, operand


@domain("tiny_programs", family="programs", modality="text")
@dataclass(frozen=True)
class TinyPrograms:
    """`Read a and b. Start with a, add b, multiply by 3.`, for which `print((a+b)*3)` is one of many right programs.

    steps  operations at difficulty 0 and 1
    cases  tests of a problem, each a line with two whole numbers from 11 to 99 and what has to be printed
    """

    steps: tuple[int, int] = (2, 4)
    cases: int = 2

    verifier = "code"
    one_answer = "operations come one after another, and tests say what is right, whatever the program looks like"

    def __post_init__(self) -> None:
        if not 1 <= self.steps[0] <= self.steps[1] <= 8:
            raise ConfigError("domain 'tiny_programs', steps", f"got {list(self.steps)}", "give two numbers in 1..8")

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One program to write. Difficulty 0: steps[0] operations; 1: steps[1]."""
        count = self.steps[0] + round(difficulty * (self.steps[1] - self.steps[0]))
        start = OPERANDS[int(rng.integers(2))]
        steps = [(str(rng.choice(list(WORDS))), OPERANDS[int(rng.integers(len(OPERANDS)))]) for _ in range(count)]
        said = [f"{WORDS[operation]} {operand}" for operation, operand in steps]
        question = f"Read a and b. Start with {start}, {', '.join(said)}."
        # the same question always has the same tests, so that it is the same problem wherever it is drawn
        of_question = stream(0, "tiny programs", question)
        inputs = [of_question.choice(range(11, 100), 2, replace=False).tolist() for _ in range(self.cases)]
        cases = [{"input": f"{a} {b}\n", "output": f"{result(start, steps, a, b)}\n"} for a, b in inputs]
        response = PROGRAM.format(expression(start, steps))
        return Draft(question, json.dumps({"cases": cases}), response=response)


def result(start: str, steps: list[Step], a: int, b: int) -> int:
    """What the operations give, one after another."""
    names = {"a": a, "b": b}
    value = names[start]
    for operation, operand in steps:
        number = names[operand] if operand in names else int(operand)
        value = value + number if operation == "+" else value - number if operation == "-" else value * number
    return value


def expression(start: str, steps: list[Step]) -> str:
    """The operations as Python writes them, with no parenthesis that isn't needed."""
    written, is_sum = start, False
    for operation, operand in steps:
        written = f"({written})" if operation == "*" and is_sum else written
        written, is_sum = f"{written}{operation}{operand}", operation != "*"
    return written
