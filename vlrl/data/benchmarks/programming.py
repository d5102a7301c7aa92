"""Benchmarks that are judged by running programs: LiveCodeBench, HumanEval, MBPP, MultiPL-E, APPS, TACO, CodeContests.

Their rule is their tests, so reward and official mode are one; `vlrl.data.rows.code_rows` reads their rows.
"""

from __future__ import annotations

from typing import ClassVar

from vlrl.data.benchmarks.benchmark_definition import BenchmarkDefinition, Row, RowDraft, benchmarks
from vlrl.data.benchmarks.row_cells import values
from vlrl.data.rows.code_rows import read_code_row


class ProgrammingBenchmark(BenchmarkDefinition):
    """A benchmark whose rows hold tests; `layout` names their reader."""

    layout: ClassVar[str]

    def draft(self, row: Row, place: str) -> RowDraft:
        """A row of its own schema; figures by difficulty, platform and language where rows have them."""
        question, gold, metadata = read_code_row(self.layout, row, place, {})
        named = {name: row.get(name) for name in ("difficulty", "platform", "language")}
        groups = {name: values(given) for name, given in named.items() if isinstance(given, str) and given}
        return RowDraft(question, gold, "code", metadata, groups, imaged=False)


@benchmarks.register("livecodebench")
class LiveCodeBench(ProgrammingBenchmark):
    """LiveCodeBench, code generation."""

    layout = "livecodebench"
    also_called = ("codegeneration", "codegenerationlite")


@benchmarks.register("humaneval")
class HumanEval(ProgrammingBenchmark):
    """HumanEval."""

    layout = "humaneval"
    also_called = ("openaihumaneval", "humanevalplus")


@benchmarks.register("multipl-e")
class MultiplE(ProgrammingBenchmark):
    """MultiPL-E: HumanEval and MBPP in other languages."""

    layout = "multipl-e"


@benchmarks.register("mbpp")
class Mbpp(ProgrammingBenchmark):
    """MBPP."""

    evaluation_only = False
    layout = "mbpp"


@benchmarks.register("apps")
class Apps(ProgrammingBenchmark):
    """APPS."""

    evaluation_only = False
    layout = "apps"


@benchmarks.register("taco")
class Taco(ProgrammingBenchmark):
    """TACO."""

    evaluation_only = False
    layout = "taco"


@benchmarks.register("code_contests")
class CodeContests(ProgrammingBenchmark):
    """CodeContests."""

    evaluation_only = False
    layout = "code_contests"
