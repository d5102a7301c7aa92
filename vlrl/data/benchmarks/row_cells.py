"""Cells of a benchmark's rows, as schemas write them: columns of several names, lists written as text, options."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from vlrl.data.benchmarks.benchmark_definition import Row
from vlrl.data.rows.placeholders import LETTERS
from vlrl.errors import DataError, did_you_mean


def cell(row: Row, place: str, *columns: str) -> Any:
    """The first of these columns that holds something. Raises DataError where none does."""
    for column in columns:
        if row.get(column) is not None:
            return row[column]
    raise DataError(place, f"has no {' or '.join(map(repr, columns))}", did_you_mean(columns[0], row))


def values(value: Any) -> tuple[str, ...]:
    """A grouping's value or values as texts; empty where there is none."""
    if value is None or value == "":
        return ()
    return tuple(map(str, value)) if isinstance(value, list | tuple) else (str(value),)


def texts(value: Any) -> list[str] | None:
    """The items of a list as texts; None for anything else."""
    return [str(item) for item in value] if isinstance(value, list | tuple) else None


def as_list(value: Any) -> Any:
    """A list that is written as a Python literal, read without running it; anything else as it is."""
    if isinstance(value, str) and value.strip().startswith("[") and value.strip().endswith("]"):
        try:
            return ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value
    return value


def given_options(row: Row, place: str) -> list[str]:
    """The option texts: a list, a list as a string, or MMMU's letter → text mapping."""
    given = as_list(row.get("options"))
    if given is None and isinstance(row.get("index2ans"), Mapping):
        given = list(row["index2ans"].values())
    if given is None or given == "":
        return []
    found = texts(given)
    if found is None:
        raise DataError(f"{place}, options", f"got {given!r}", "give a list of texts")
    return found


def gold_letter(row: Row, place: str, count: int, *columns: str) -> str:
    """The letter of the gold among `count` options. Raises DataError for one that names none of them."""
    letter = str(cell(row, place, *columns)).strip().strip("().").upper()
    if letter not in list(LETTERS[:count]):
        raise DataError(f"{place}, {columns[0]}", f"is {letter!r}", f"give a letter from A to {LETTERS[count - 1]}")
    return letter
