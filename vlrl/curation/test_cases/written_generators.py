"""Generators of test inputs that a model writes (k1.5 §2.3.4): how it is asked, which of its responses are programs.

The paper gives a base model CYaRon's manual and the problem; the template below holds what of that manual a generator
needs. A seed comes from standard input, so that one program gives all inputs of a problem.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from vlrl.config import Settings
from vlrl.curation.asked_prompts import check_template, wrapped
from vlrl.curation.stage import Answered, Ask, Question
from vlrl.rollout.engine import Sampling
from vlrl.types import Problem, Verdict
from vlrl.verify.code.program_text import program_text

PROMPT = """Write a generator of test inputs for this programming problem.

{question}

The generator is a Python program. It reads one integer from standard input and seeds `random` with it. Then it prints \
one valid input of the problem, in exactly the format of the problem, and nothing else. Other seeds give other inputs: \
short and long ones, small and large values, edge cases; all keep to the limits of the problem.

Besides Python's own modules it may use CYaRon, which draws from `random`:

import random
from cyaron import Graph, Sequence, String, Vector
random.seed(int(input()))
values = [v[0] for v in Vector.random(n, [(low, high)])]  # n whole numbers from low to high; Vector.random_unique
points = Vector.random(n, [(0, 9), (0, 9)])  # n lists of two numbers
word = String.random(n, charset="abc")
tree = Graph.tree(n)  # vertices 1 to n; Graph.graph(n, m), Graph.DAG(n, m), weight_limit=(low, high)
edges = [(e.start, e.end, e.weight) for e in tree.iterate_edges()]
terms = Sequence(lambda i, f: 2 * i + 1).get(0, n)

Give the whole program in one ```python block."""


class WrittenGenerators(Settings):
    """How a model is asked for a generator."""

    samples: int = Field(default=4, ge=1, description="responses a problem; the first generator that serves is taken")
    sampling: Sampling = Sampling(temperature=1.0, max_tokens=2048)
    prompt: str = Field(default=PROMPT, description="template that asks for a generator; must hold {question}")
    _template = check_template("prompt")

    def ask(self, problems: Sequence[Problem], ask: Ask, stage: str) -> list[Written]:
        """What is written for each problem, in order."""
        questions = [Question(problem, wrapped(problem, self.prompt), has_program) for problem in problems]
        return [Written.of(one) for one in ask(stage, questions, self.sampling, self.samples)]


@dataclass(frozen=True)
class Written:
    """Different programs of a problem's responses, in order; responses; those of them without one program."""

    sources: tuple[str, ...]
    asked: int
    unreadable: int

    @classmethod
    def of(cls, answered: Answered) -> Written:
        """The programs of n responses. One that is cut before its end is unreadable, whatever stands in it."""
        found = [
            program_text(rollout.text, "python").source if rollout.finish_reason == "stop" else None
            for rollout in answered.rollouts
        ]
        sources = tuple(dict.fromkeys(source for source in found if source is not None))
        return cls(sources, len(found), found.count(None))


def has_program(response: str) -> Verdict:
    """Right where there is one fenced Python program; whether it generates anything is seen in the sandbox."""
    found = program_text(response, "python")
    return Verdict.wrong(found.note) if found.source is None else Verdict.right()


COUNTS = ("asked", "unreadable", "failing", "disagreed", "used")


def counts_said(totals: Mapping[str, float]) -> str:
    """`generators: 8 asked, 1 unreadable, …` of a stage's totals; "" where none was asked for."""
    if not totals.get("generators_asked"):
        return ""
    return "generators: " + ", ".join(f"{int(totals.get(f'generators_{name}', 0))} {name}" for name in COUNTS)
