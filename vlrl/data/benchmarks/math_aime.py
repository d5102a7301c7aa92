"""MATH and AIME: text with one answer, compared as mathematics."""

from __future__ import annotations

from vlrl.data.benchmarks.benchmark_definition import BenchmarkDefinition, Row, RowDraft, benchmarks
from vlrl.data.benchmarks.row_cells import cell, values


@benchmarks.register("math")
class Math(BenchmarkDefinition):
    """MATH, also MATH-500."""

    evaluation_only = False

    def draft(self, row: Row, place: str) -> RowDraft:
        """A row of its own schema."""
        groups = {"subject": values(row.get("subject") or row.get("type")), "level": values(row.get("level"))}
        text = str(cell(row, place, "problem", "question", "Problem", "Question"))
        answer = str(cell(row, place, "answer", "Answer"))
        return RowDraft(text, answer, "math", {}, {k: v for k, v in groups.items() if v}, imaged=False)


@benchmarks.register("aime")
class Aime(Math):
    """AIME: the same columns. `vlrl score` takes `math` for it."""

    scored = False
