"""Rows of JSON as they are written: one reader for all JSON files, never a library that guesses types.

Numbers keep their digits, a key stands once, and a text holds no half of a surrogate pair and no NUL, which tokenizers
and files can't carry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from vlrl.data.tables.cell_text import WrittenFloat, shortened
from vlrl.errors import BadRowError

MEND_LINE = "mend or remove the line"
_SUSPECT = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)|\x00|\xed[\xa0-\xbf]")  # may be a surrogate, or NUL
_FORBIDDEN = re.compile("[\ud800-\udfff\x00]")


class _DuplicateKeyError(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _DuplicateKeyError(f"the key {twice!r} stands twice in one object")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=WrittenFloat)


def parse_json(data: bytes | str, place: str, remedy: str = MEND_LINE, by_policy: Collection[str] = ()) -> Any:
    """What a JSON text says. Raises BadRowError for one that is no JSON, or holds what no text can carry.

    by_policy  keys of the outermost object whose texts a policy wrote: it may write NUL, and its text is kept as it is
    """
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        found = _DECODER.decode(text.strip("\ufeff \t\r\n"))
    except UnicodeDecodeError as error:
        raise BadRowError(place, f"is not UTF-8 at byte {error.start}", "save the file as UTF-8") from error
    except RecursionError as error:
        raise BadRowError(place, "is nested too deeply", remedy) from error
    except ValueError as error:
        line = getattr(error, "lineno", 1)  # of a text over several lines
        raise BadRowError(
            place if line == 1 else f"{place}, line {line}", f"is not valid JSON: {error}", remedy
        ) from error
    if _SUSPECT.search(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")):
        written = [found.get(key) for key in by_policy] if isinstance(found, dict) else []
        refuse_unreadable(_without(found, by_policy), place)
        refuse_unreadable([text.replace("\x00", "") if isinstance(text, str) else text for text in written], place)
    return found


def _without(value: Any, keys: Collection[str]) -> Any:
    return {key: item for key, item in value.items() if key not in keys} if isinstance(value, dict) else value


def parse_row(data: bytes | str, place: str, by_policy: Collection[str] = ()) -> dict[str, Any]:
    """One JSON object; `by_policy` as in `parse_json`. Raises BadRowError."""
    start = (data if isinstance(data, str) else data[:40].decode("utf-8", "replace")).strip("\ufeff \t\r\n")
    is_begun = start in ("[", "{", "[{")  # the first line of JSON that goes over several
    remedy = "write one {…} a line; a list over several lines belongs in a .json file" if is_begun else MEND_LINE
    row = parse_json(data, place, remedy, by_policy)
    if not isinstance(row, dict):
        raise BadRowError(place, f"holds {type(row).__name__}, not an object", "write one {…} a line")
    return row


def refuse_unreadable(value: Any, place: str) -> None:
    """Raises BadRowError for a text with a lone surrogate or NUL, wherever in the value it stands."""
    if isinstance(value, str):
        if match := _FORBIDDEN.search(value):
            what = "a NUL character" if match[0] == "\x00" else f"half a surrogate pair, \\u{ord(match[0]):04x}"
            raise BadRowError(place, f"holds {what}: {shortened(value)}", "mend the text")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            refuse_unreadable(key, place)
            refuse_unreadable(item, f"{place}, {shortened(key)}" if place.count(",") < 3 else place)
    elif isinstance(value, list | tuple):
        for item in value:
            refuse_unreadable(item, place)
