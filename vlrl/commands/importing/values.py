"""How values of another trainer's config are read: numbers, truths, words, data files. ValueError for what is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Reading = Callable[[Any], Any]
NOTHING = (None, "", "null", "None", "none", "~")


def number(value: Any) -> float:
    """A number, however it is written."""
    if isinstance(value, bool) or value is None:
        raise ValueError(f"{value!r} is no number")
    return float(value)


def whole(value: Any) -> int:
    """A whole number, as 1e3 and 1000.0, too."""
    found = number(value)
    if found != int(found):
        raise ValueError(f"{value!r} is no whole number")
    return int(found)


def counted(value: Any) -> int | None:
    """A whole number above 0; None for what trainers write for none: null, −1, 0."""
    if value in NOTHING:
        return None
    found = whole(value)
    return found if found > 0 else None


def maybe(reading: Reading) -> Reading:
    """The same reading, None where nothing is said."""
    return lambda value: None if value in NOTHING else reading(value)


def truth(value: Any) -> bool:
    """A truth value, as the command lines of trainers write it."""
    known = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}
    found = known.get(str(value).lower())
    if found is None:
        raise ValueError(f"{value!r} is neither true nor false")
    return found


def text(value: Any) -> str:
    """A text that isn't empty."""
    if value in NOTHING:
        raise ValueError("is empty")
    return str(value)


def words(value: Any) -> list[str]:
    """A list of words: a list, or one text with commas."""
    if value in NOTHING:
        return []
    items: Sequence[Any] = value if isinstance(value, list | tuple) else re.split(r"[,\s]+", str(value).strip(" []()"))
    return [str(item).strip().strip("'\"") for item in items if str(item).strip()]


def numbers(value: Any) -> list[float]:
    """A list of numbers; one number is a list of it."""
    if isinstance(value, int | float):
        return [number(value)]
    return [number(item) for item in (value if isinstance(value, list | tuple) else words(value))]


def one_of(known: Mapping[str, Any]) -> Reading:
    """What a word of a trainer's means. ValueError for one that isn't known."""

    def read(value: Any) -> Any:
        word = str(value).lower()
        if word not in known:
            raise ValueError(f"{value!r} has no counterpart; those with one: {', '.join(known)}")
        return known[word]

    return read


def data_files(value: Any) -> list[tuple[str, str]]:
    """(path or hub id, split) of each file: `name@train` (EasyR1), `hf::name:train`, `name#1000` (ms-swift), lists."""
    if value in NOTHING:
        return []
    items = value if isinstance(value, list | tuple) else [value]
    return [_data_file(str(item).strip()) for item in items]


def _data_file(given: str) -> tuple[str, str]:
    given = re.sub(r"^(hf|ms|huggingface|modelscope)::?", "", given, flags=re.IGNORECASE)
    given, _, _ = given.partition("#")
    for mark in ("@", ":"):
        path, found, split = given.rpartition(mark)
        if found and path and re.fullmatch(r"[\w\[\]%-]+", split) and not path.endswith(("http", "https", "${HOME")):
            return path, split
    return given, ""


def rows_taken(value: Any) -> int | None:
    """How many rows of a data set are taken: `name#1000` (ms-swift)."""
    items = value if isinstance(value, list | tuple) else [value]
    taken = [re.search(r"#(\d+)$", str(item)) for item in items]
    return sum(int(match[1]) for match in taken if match) if taken and all(taken) else None
