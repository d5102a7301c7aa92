"""Rows of benchmarks, in the schemas of their own, as problems. The same reader serves `vlrl score` (answers, no images
needed) and `vlrl eval` (images read).

Images stand where the question or an option names them (`<image 2>`, `<image2>`, `<image>`), the others before the
text. Ids are kept as the benchmark gives them (`pid`, `id`, `raw_id` …), beside the problem's own content digest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlrl.data.benchmarks.benchmark_definition import BenchmarkDefinition, benchmark_named
from vlrl.data.benchmarks.benchmark_images import images_of, placed, refuse_unread_images
from vlrl.errors import DataError
from vlrl.types import Image, Problem, Text

if TYPE_CHECKING:
    from vlrl.data.tables.records import Record

COMMON_KEYS = ("pid", "id", "raw_id", "unique_id")
KEYS = (*COMMON_KEYS, "task_id", "question_id", "problem_id", "name", "model")


@dataclass(frozen=True)
class BenchmarkRow:
    """One row of a benchmark.

    keys    the ids that the row carries, as text: pid, id, raw_id, model …
    groups  grouping → this row's values in it (a row may stand in several, e.g. skills)
    place   file and line
    """

    keys: Mapping[str, str]
    problem: Problem
    groups: Mapping[str, tuple[str, ...]]
    place: str


def read_benchmark(
    name: str,
    records: Sequence[Record],
    images_from: Path | None = None,
    on_bad_row: Callable[[str, DataError], None] | None = None,
) -> list[BenchmarkRow]:
    """The rows of a benchmark in order.

    images_from  folder where image paths start; None leaves images out (placeholders stay in the text)
    on_bad_row     is told place and error of a row that can't be read, which is then left out; None: they are raised

    Raises ConfigError for an unknown benchmark, DataError with the row's place for a missing or unreadable column.
    """
    definition = benchmark_named(name)
    rows = []
    for number, (place, row) in enumerate(records):
        try:
            rows.append(_row(name, definition, number, place, row, images_from))
        except DataError as error:
            if on_bad_row is None:
                raise
            on_bad_row(place, error)
    return rows


def _row(
    name: str,
    definition: BenchmarkDefinition,
    number: int,
    place: str,
    row: dict[str, Any],
    images_from: Path | None,
) -> BenchmarkRow:
    draft = definition.draft(row, place)
    keys = {key: str(row[key]) for key in KEYS if row.get(key) is not None}
    if not keys.keys() & {*COMMON_KEYS, "model"}:
        keys["id"] = str(number)
    if images_from is None:
        pieces: tuple[Text | Image, ...] = (Text(draft.text),)
    else:
        refuse_unread_images(row, place)
        pieces = placed(draft.text, images_of(row, images_from, place), place)
    problem = Problem(
        prompt=pieces,
        answer=draft.answer,
        verifier=draft.verifier,
        modality="real" if draft.imaged else "text",
        domain=name,
        source=name,
        metadata={key: value for key, value in draft.metadata.items() if value is not None},
    )
    return BenchmarkRow(keys, problem, draft.groups, place)
