"""The lines of a run's JSONL files: read one by one, and mended where a kill or a bad disk damaged them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vlrl.errors import RunError
from vlrl.runlog import own_files
from vlrl.runlog.atomic_files import write_atomically

SCHEMA = 2  # raise it with every key that is renamed


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a run's JSONL file. A torn last line (a killed run) is left out.

    Raises RunError with file and line for one that is no record, or is of an unknown schema.
    """
    for number, line in _lines(path):
        try:
            yield _record(path, number, line)
        except ValueError as error:
            raise RunError(
                f"{path}, line {number}",
                f"is damaged: {error}",
                "call the run's command again, which mends it; or take that line out",
            ) from error


def mend_jsonl(path: Path, say: Callable[[str], None]) -> tuple[str, int] | None:
    """Take out lines that are no records, and a last one without its end, each with a line that says so.

    Returns (phase, step) of the record before the first damaged one: what is damaged is of that step or a later one.
    None where nothing but the end was missing. Raises RunError for an unknown schema.
    """
    if not path.is_file():
        return None
    kept, damaged, before, size = [], None, ("", 0), 0
    for number, line in _lines(path):
        size += len(line)
        try:
            record = _record(path, number, line)
        except ValueError as error:
            say(f"{path}, line {number} is taken out: {error}")
            damaged = damaged or before
            continue
        before = (str(record.get("phase", "")), int(record.get("step", 0)))
        kept.append(line)
    if damaged is not None:
        write_atomically(path, b"".join(kept))
    elif size < path.stat().st_size:
        with open(path, "rb+") as file:
            file.truncate(size)
        own_files.note_grown(path)
    return damaged


def any_damaged_line(path: Path) -> bool:
    """Whether a log, where there is one, has a line that is no record of this version."""
    try:
        return path.is_file() and any(_record(path, number, line) is None for number, line in _lines(path))
    except (ValueError, RunError):
        return True


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n"):
                yield number, line


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """Raises ValueError that says what is wrong, RunError for an unknown schema."""
    if b"\0" in line:
        raise ValueError("it holds NUL bytes")
    try:
        record = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"it is not JSON ({error})") from error
    if not isinstance(record, dict) or "schema" not in record:
        raise ValueError("it is no record of a run")
    if record["schema"] != SCHEMA:
        raise RunError(
            f"{path}, line {number}",
            f"schema {record['schema']!r}, this version reads {SCHEMA}",
            "read it with the version that wrote it",
        )
    return record
