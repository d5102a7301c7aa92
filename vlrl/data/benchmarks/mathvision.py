"""MATH-Vision: competition problems with all figures of a question in one image, by level and subject."""

from __future__ import annotations

import random

from vlrl.data.benchmarks.benchmark_definition import Answer, BenchmarkDefinition, Row, RowDraft, benchmarks, verdict
from vlrl.data.benchmarks.row_cells import cell, given_options, values
from vlrl.data.rows.placeholders import LETTERS
from vlrl.types import Problem, Verdict
from vlrl.verify.official import mathvision
from vlrl.verify.official.mathvista import IntegerRule


@benchmarks.register("mathvision")
class MathVision(BenchmarkDefinition):
    """MATH-Vision."""

    also_called = ("mathv",)

    def draft(self, row: Row, place: str) -> RowDraft:
        """A row of its own schema."""
        options = given_options(row, place)
        level, subject = str(row.get("level") or ""), str(row.get("subject") or "")
        groups = {"level": values(level), "subject": values(subject)}
        if level and subject:
            groups["subject_level"] = (f"{subject}, level {level}",)
        listed = "".join(f"\n({LETTERS[i]}) {option}" for i, option in enumerate(options))
        text = str(row.get("question") or "") + listed
        return RowDraft(text, str(cell(row, place, "answer")), "mathvision", {"choices": options}, groups)

    def official(self, problem: Problem, answer: Answer, draws: random.Random, integer_rule: IntegerRule) -> Verdict:
        """As its script does."""
        extraction = answer.said if answer.use_extraction else mathvision.extract(answer.text)
        return verdict(mathvision.is_right(problem.answer, problem.metadata.get("choices", ()), extraction), extraction)
