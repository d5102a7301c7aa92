"""HR-Bench (2408.15556): options in columns A to D. Its rows ask each question four times with the options moved on by
one, and its figure is the mean over all.
"""

from __future__ import annotations

from vlrl.data.benchmarks.benchmark_definition import BenchmarkDefinition, Row, RowDraft, benchmarks
from vlrl.data.benchmarks.row_cells import cell, gold_letter, values

ASKED = "Answer with the option's letter from the given choices directly."


@benchmarks.register("hr-bench")
class HrBench(BenchmarkDefinition):
    """HR-Bench, 4K and 8K: `question`, `A` … `D`, `answer`, `category`, `cycle_category`, `image` as base64."""

    also_called = ("hrbench", "hrbench4k", "hrbench8k")

    def draft(self, row: Row, place: str) -> RowDraft:
        """A row of its own schema."""
        options = [str(cell(row, place, letter)) for letter in "ABCD"]
        question = str(cell(row, place, "question"))
        listed = "".join(f"({letter}) {option}\n" for letter, option in zip("ABCD", options, strict=True))
        groups = {"category": values(row.get("category")), "cycle": values(row.get("cycle_category"))}
        gold = gold_letter(row, place, 4, "answer")
        return RowDraft(f"{question}\n{listed}{ASKED}", gold, "choice", {"choices": options}, groups)
