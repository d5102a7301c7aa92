"""The verifier `number`: one number, compared by value."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from vlrl.errors import DataError
from vlrl.types import Problem, Verdict
from vlrl.verify.judge import verifier
from vlrl.verify.reading.committed_answer import Statement, committed
from vlrl.verify.reading.gold import gold_text, golds_of
from vlrl.verify.reading.sentence_number import number_reader
from vlrl.verify.values.compare import differs
from vlrl.verify.values.quantity import Quantity, read_quantity


@verifier("number")
def number(problem: Problem, response: str) -> Verdict:
    """One number, compared by value.

    Accepts integers, decimals, thousands separators, fractions (also LaTeX and mixed), scientific notation, number
    words, words of scale ("1.2 million"), currency signs, `%`, a unit (converted to the gold's), `$…$`, `x = …`. By
    default the values must be exactly equal (1/2 = 0.5, 1/3 ≠ 0.33). Rejects no answer, two answers, hedges ("3 or 4",
    "about 3", "3+", "3-4"), expressions (2+3), a wrong unit, what is neither a unit nor a noun of the question, "%"
    where the gold is none and the question asks for none, NaN and infinity.

    metadata:
    tolerance           absolute, ≥ 0: |answer − gold| ≤ tolerance, boundary included, computed exactly
    relative_tolerance  share of |gold|
    precision           decimals: the answer, rounded, equals the gold, rounded
    unit                of the gold; an answer may leave the unit away but may not have one of another kind
    percent_sign        "optional": "%" after the answer means nothing (a bare gold read off a chart of percentages)
    accepted            further golds, each as good as the first

    Raises DataError if the gold is no number (the verdict is then a fault).
    """
    return compared(problem, committed_number(response, problem, rough=False), problem.metadata)


def compared(problem: Problem, statement: Statement[Quantity], metadata: Mapping[str, Any]) -> Verdict:
    """The verdict on the number that a response states, by metadata as `number` has them. Raises DataError as there."""
    alternatives, found = golds(problem), statement.value
    if found is None:
        return Verdict.wrong(statement.note, statement.text)
    question = problem.question
    notes = [differs(found, gold, question, metadata) for gold in alternatives]
    return Verdict.right(statement.text) if None in notes else Verdict.wrong(str(notes[-1]), statement.text)


def committed_number(response: str, problem: Problem, rough: bool = True) -> Statement[Quantity]:
    """The number that a response commits to; `rough`: "about 6" is 6."""
    question = problem.question
    counted = f"{question} {problem.answer} {problem.metadata.get('unit') or ''}"
    return committed(response, number_reader(question, rough, counted))


@lru_cache(maxsize=1024)
def read_gold(text: str) -> Quantity | None:
    """The number that a gold is, or that it declares at the end of a worked solution; None where there is none."""
    return read_quantity(text, text) or read_quantity(gold_text(text), text)


def golds(problem: Problem) -> list[Quantity]:
    """The gold and its alternatives as quantities. Raises DataError if one is no number."""
    found = []
    for text in golds_of(problem):
        if (quantity := read_gold(text)) is None:
            raise DataError(
                f"problem {problem.id}", f"the gold answer {text!r} is not a number", "use another verifier"
            )
        found.append(quantity)
    return found
