"""DynaMath: seed questions in variants; a question counts as right in the worst case if all of its variants are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vlrl.data.benchmarks.benchmark_definition import (
    BenchmarkDefinition,
    RecordedVerdicts,
    Row,
    RowDraft,
    Sets,
    benchmarks,
)
from vlrl.data.benchmarks.row_cells import cell, values
from vlrl.errors import DataError, some_of
from vlrl.types import Problem

if TYPE_CHECKING:
    from vlrl.data.tables.records import Record


@benchmarks.register("dynamath")
class DynaMath(BenchmarkDefinition):
    """DynaMath."""

    evaluation_only = False

    def draft(self, row: Row, place: str) -> RowDraft:
        """A row of its own schema."""
        groups = {name: values(row.get(name)) for name in ("subject", "level", "answer_type")}
        metadata = {"answer_type": row.get("answer_type"), "seed_question": str(cell(row, place, "seed_question"))}
        answer = str(cell(row, place, "answer", "ground_truth"))
        return RowDraft(
            str(row.get("question") or ""), answer, "dynamath", metadata, {k: v for k, v in groups.items() if v}
        )

    def sets(self, problems: Sequence[Problem], rights: Sequence[bool]) -> Sets:
        """Variants by their seed question."""
        by_seed: dict[str, list[bool]] = {}
        for problem, right in zip(problems, rights, strict=True):
            by_seed.setdefault(str(problem.metadata["seed_question"]), []).append(right)
        return _figures(by_seed)

    def recorded(
        self, asked: Sequence[Record], given: Sequence[Record], allow_missing: bool
    ) -> RecordedVerdicts | None:
        """The published files: one row a seed question, `correct` lists its variants."""
        if "correct" not in given[0][1]:
            return None
        known = {str(_seed(place, row)): row for place, row in asked}
        lists: dict[str, tuple[bool, ...]] = {}
        for place, row in given:
            seed, rights = str(_seed(place, row)), row.get("correct")
            if not isinstance(rights, list) or not rights or not all(isinstance(right, bool) for right in rights):
                raise DataError(f"{place}, correct", f"got {rights!r}", "give a list of true and false, one a variant")
            if seed in lists:
                raise DataError(place, f"seed_question {seed} occurs more than once", "keep one row for each")
            lists[seed] = tuple(rights)
        unknown, missing = [s for s in lists if s not in known], [s for s in known if s not in lists]
        if unknown:
            raise DataError("responses", f"unknown seed_question: {some_of(unknown)}", "score them with their problems")
        if missing and not allow_missing:
            remedy = "add them, or score them as wrong with --allow-missing"
            raise DataError("responses", f"missing seed_question: {some_of(missing)}", remedy)
        variants = max(map(len, lists.values()))
        lists |= dict.fromkeys(missing, (False,) * variants)
        flat = [(known[seed], right) for seed, rights in lists.items() for right in rights]
        groups = tuple({name: (str(row[name]),) for name in ("subject", "level") if row.get(name)} for row, _ in flat)
        lines = tuple(
            {"id": f"{seed}_v{number}", "correct": right, "answer": None, "note": "recorded verdict"}
            for seed, rights in lists.items()
            for number, right in enumerate(rights, 1)
        )
        each = tuple(right for _, right in flat)
        return RecordedVerdicts(each, groups, lines, _figures(lists), len(missing))


def _figures(by_seed: Mapping[str, Sequence[bool]]) -> Sets:
    """`average` over all variants, and `worst_case`: right on every variant."""
    flat = [right for rights in by_seed.values() for right in rights]
    return {"seed_question": {"average": flat, "worst_case": [all(rights) for rights in by_seed.values()]}}


def _seed(place: str, row: Mapping[str, Any]) -> Any:
    if row.get("seed_question") is None:
        raise DataError(place, "has no 'seed_question'", "DynaMath groups its variants by it")
    return row["seed_question"]
