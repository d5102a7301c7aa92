"""Which response belongs to which row of a benchmark: joined on an id that both files carry, never by position."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlrl.data.benchmarks.benchmark_rows import KEYS, BenchmarkRow
from vlrl.data.tables.records import Record
from vlrl.errors import DataError

Key = tuple[str, ...]
_IDS = tuple(key for key in KEYS if key != "model")
_SHOWN = 5  # ids named in a message


@dataclass(frozen=True)
class Response:
    """One line of a responses file. `id` as that file gives it; `extraction` is what an earlier step took as answer."""

    id: Any
    model: str | None
    text: str | None
    extraction: Any
    has_extraction: bool
    place: str


@dataclass(frozen=True)
class Joined:
    """A row with its response, None where it is missing."""

    row: BenchmarkRow
    response: Response | None


def join_responses(
    rows: Sequence[BenchmarkRow], records: Sequence[Record], allow_missing: bool = False
) -> list[Joined]:
    """Rows in their order, each with its response.

    The key is the first of pid, id, raw_id that both files carry, and `model` where both have it. Raises DataError that
    names the ids for keys that occur twice, ids that the problems don't have, and (unless allowed) missing responses.
    """
    names = shared_key([row.keys for row in rows], [record for _, record in records])
    problems = _unique(((row_key(row.keys, names, row.place), row) for row in rows), "problems")
    responses = _unique(((row_key(r, names, place), _response(place, r, names)) for place, r in records), "responses")
    by = "+".join(names)
    unknown = [key for key in responses if key not in problems]
    if unknown:
        raise DataError("responses", f"{len(unknown)} unknown {by}: {_show(unknown)}", "score them with their problems")
    missing = [key for key in problems if key not in responses]
    if missing and not allow_missing:
        raise DataError(
            "responses",
            f"{len(missing)} of {len(problems)} rows are missing, {by}: {_show(missing)}",
            "add them, or score them as wrong with --allow-missing",
        )
    return [Joined(row, responses.get(key)) for key, row in problems.items()]


def shared_key(problems: Sequence[Mapping[str, Any]], responses: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The columns to join on. Raises DataError if the files share no id."""
    first = [{key for key in KEYS if side[0].get(key) is not None} for side in (problems, responses)]
    both = first[0] & first[1]
    name = next((key for key in _IDS if key in both), None)
    if name is None:
        raise DataError(
            "responses",
            f"problems are named by {sorted(first[0] - {'model'})}, responses by {sorted(first[1] - {'model'})}",
            f"give both one of: {', '.join(_IDS[:3])}",
        )
    return (name, "model") if "model" in both else (name,)


def row_key(row: Mapping[str, Any], names: tuple[str, ...], place: str) -> Key:
    """A row's values of the columns to join on. Raises DataError for a row without one of them."""
    absent = [name for name in names if row.get(name) is None]
    if absent:
        raise DataError(place, f"has no {absent[0]!r}", "every row needs it: rows are joined on it")
    return tuple(str(row[name]) for name in names)


def _unique(pairs: Iterable[tuple[Key, Any]], what: str) -> dict[Key, Any]:
    found: dict[Key, Any] = {}
    twice: list[Key] = []
    for key, value in pairs:
        if key in found:
            twice.append(key)
        found[key] = value
    if twice:
        distinct = list(dict.fromkeys(twice))
        raise DataError(what, f"{len(distinct)} ids occur more than once: {_show(distinct)}", "keep one row for each")
    return found


def _response(place: str, record: Mapping[str, Any], names: tuple[str, ...]) -> Response:
    text = record.get("response")
    if isinstance(text, Mapping):  # MMMU-Pro keeps a failed call as an object; its script scores it as an empty text
        text = ""
    if text is not None and not isinstance(text, str):
        raise DataError(f"{place}, response", f"is {type(text).__name__}, not text", "write the model's text")
    if "response" not in record and "extraction" not in record:
        raise DataError(place, "has no 'response'", "a responses file has an id and a response in every row")
    model = str(record["model"]) if "model" in names else None
    return Response(record[names[0]], model, text, record.get("extraction"), "extraction" in record, place)


def _show(keys: Sequence[Key]) -> str:
    shown = ", ".join(" ".join(key) for key in keys[:_SHOWN])
    return shown + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")
