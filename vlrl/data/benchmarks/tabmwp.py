"""TabMWP: questions on tables, which are shown as images; options, numbers, times and texts."""

from __future__ import annotations

import random

from vlrl.data.benchmarks.benchmark_definition import Answer, BenchmarkDefinition, Row, RowDraft, benchmarks, verdict
from vlrl.data.benchmarks.row_cells import cell, texts, values
from vlrl.data.rows.placeholders import LETTERS
from vlrl.types import Problem, Verdict
from vlrl.verify.official import tabmwp
from vlrl.verify.official.mathvista import IntegerRule


@benchmarks.register("tabmwp")
class TabMwp(BenchmarkDefinition):
    """TabMWP."""

    evaluation_only = False

    def draft(self, row: Row, place: str) -> RowDraft:
        """A row of its own schema."""
        choices = texts(row.get("choices"))
        groups = {}
        for name, columns in (
            ("question_type", ("question_type", "ques_type")),
            ("answer_type", ("answer_type", "ans_type")),
        ):
            value = next((row[column] for column in columns if row.get(column)), None)
            groups[name] = values(value)
        groups["grade"] = values(row.get("grade"))
        listed = "".join(f"\n({LETTERS[i]}) {choice}" for i, choice in enumerate(choices or ()))
        unit = row.get("unit")
        text = str(row.get("question") or "") + (f" (Unit: {unit})" if unit else "") + listed
        metadata = {"choices": choices, "unit": unit or None}
        return RowDraft(
            text, str(cell(row, place, "answer")), "tabmwp", metadata, {k: v for k, v in groups.items() if v}
        )

    def official(self, problem: Problem, answer: Answer, draws: random.Random, integer_rule: IntegerRule) -> Verdict:
        """As its script does."""
        prediction = tabmwp.extract(answer.said, problem.metadata.get("choices", ()))
        if prediction is None:
            return Verdict.wrong("a letter beyond the options; the published script draws one")
        return verdict(tabmwp.is_right(problem.answer, prediction, problem.metadata.get("unit")), prediction)
