"""V* Bench (2312.14135): the options stand in the text, a line each, the gold's letter in `label`."""

from __future__ import annotations

import re

from vlrl.data.benchmarks.benchmark_definition import BenchmarkDefinition, Row, RowDraft, benchmarks
from vlrl.data.benchmarks.row_cells import cell, gold_letter, values
from vlrl.data.rows.placeholders import LETTERS
from vlrl.errors import DataError

_OPTION = re.compile(r"^\s*\(([A-J])\)\s*(.*?)\s*$", re.MULTILINE)


@benchmarks.register("vstar")
class VStarBench(BenchmarkDefinition):
    """V* Bench, by its own file: `image`, `text` with options and instruction, `label`, `category`."""

    also_called = ("vstarbench", "vbench")

    def draft(self, row: Row, place: str) -> RowDraft:
        """A row of its own schema."""
        text = str(cell(row, place, "text", "question"))
        options = _OPTION.findall(text)
        if [letter for letter, _ in options] != list(LETTERS[: len(options)]) or len(options) < 2:
            raise DataError(
                f"{place}, text", "has no options (A), (B) … a line each", "is the benchmark the right one?"
            )
        gold = gold_letter(row, place, len(options), "label", "answer")
        groups = {"category": values(row.get("category"))}
        return RowDraft(text, gold, "choice", {"choices": [option for _, option in options]}, groups)
