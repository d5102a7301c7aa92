"""GSM8K: school arithmetic in words; the gold stands behind `####`."""

from __future__ import annotations

import random

from vlrl.data.benchmarks.benchmark_definition import Answer, BenchmarkDefinition, Row, RowDraft, benchmarks, verdict
from vlrl.data.benchmarks.row_cells import cell, values
from vlrl.types import Problem, Verdict
from vlrl.verify.official import gsm8k
from vlrl.verify.official.mathvista import IntegerRule


@benchmarks.register("gsm8k")
class Gsm8k(BenchmarkDefinition):
    """GSM8K."""

    evaluation_only = False

    def draft(self, row: Row, place: str) -> RowDraft:
        """A row of its own schema."""
        answer = str(cell(row, place, "answer")).rpartition("####")[2].strip()
        groups = {"model": values(row.get("model"))} if row.get("model") else {}
        return RowDraft(str(row.get("question") or ""), answer.replace(",", ""), "number", {}, groups, imaged=False)

    def official(self, problem: Problem, answer: Answer, draws: random.Random, integer_rule: IntegerRule) -> Verdict:
        """As its script does."""
        number = gsm8k.extract(answer.said)
        return verdict(gsm8k.is_right(problem.answer, number), None if number is None else str(number))
