"""Responses with a teacher's log-probabilities, written once: distillation without the teacher and without an engine.

FOLDER/problems.jsonl   the problems, images beside them (problem_files.py)
FOLDER/teacher.jsonl    for each in turn: what was read (`content_hash`), what was written, its log-probabilities
FOLDER/teacher.json     by which models and how; written last, so that a folder with it is whole

teacher_recording.py writes them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from vlrl.data.problem_files import read_problems
from vlrl.errors import DataError
from vlrl.types import Problem

SCHEMA = 3  # raise it, too, when content hashes are made in another way
NUMBERS = ("token_ids", "writer_logprobs", "teacher_logprobs", "divergences")  # (T,) each


@dataclass(frozen=True)
class TeacherRecord:
    """One response.

    content_hash      of prompt tokens and pixels as teacher and writer read them
    token_ids         (T,) of the response
    writer_logprobs   (T,) natural log, under the sampling distribution, by the model that wrote it
    teacher_logprobs  (T,) the same by the teacher
    divergences       (T,) KL(writer‖teacher) in nats at every place
    """

    problem: Problem
    content_hash: str
    token_ids: tuple[int, ...]
    writer_logprobs: tuple[float, ...]
    teacher_logprobs: tuple[float, ...]
    divergences: tuple[float, ...]


@dataclass(frozen=True)
class RecordsHead:
    """What all records of a folder have in common.

    tokenizer    digest of the vocabulary that token ids count in
    teacher      digest of the teacher's weights
    writer       digest of the weights that wrote the responses
    temperature  of the sampling distribution
    """

    tokenizer: str
    teacher: str
    writer: str
    temperature: float


def read_records(folder: Path) -> tuple[RecordsHead, list[TeacherRecord]]:
    """Head and records. Raises DataError for a folder without them, of another make, or whose parts don't fit."""
    file = folder / "teacher.json"
    if not file.is_file():
        raise DataError(str(folder), "holds no teacher.json", "run the stage `record`, which writes it")
    card = json.loads(file.read_text())
    if card.pop("schema", None) != SCHEMA:
        raise DataError(str(file), "is of another make", "write the records again")
    count = card.pop("records")
    problems = read_problems(folder / "problems.jsonl")
    lines = [json.loads(line) for line in (folder / "teacher.jsonl").read_text().splitlines()]
    if not count == len(problems) == len(lines) or not count:
        raise DataError(
            str(folder), f"{len(problems)} problems, {len(lines)} records, {count} by teacher.json", "write them again"
        )
    found = []
    for number, (problem, line) in enumerate(zip(problems, lines, strict=True), start=1):
        numbers = {name: tuple(line[name]) for name in NUMBERS}
        if line["problem"] != problem.id or len({len(values) for values in numbers.values()}) != 1:
            raise DataError(
                f"{folder / 'teacher.jsonl'}, line {number}", "does not fit its problem or itself", "write them again"
            )
        found.append(TeacherRecord(problem, line["content_hash"], **numbers))
    return RecordsHead(**card), found


def holds_records(folder: Path) -> bool:
    """Whether a folder has whole records."""
    return (folder / "teacher.json").is_file()
