"""Which split a row belongs to: by its picture or question alone, never by seed or place, so that it holds in all runs.

Rows with one key (`RowReader.group`) fall on one side. Large tables are read column by column, not row by row.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

from vlrl.data.rows import RowReader, picture_key
from vlrl.data.tables import HubTable, Table
from vlrl.types import content_digest

_MARK = "held out"


def split_of(key: str, held_out: float, held: Sequence[str]) -> str:
    """The split of a row with this key: each of `held` gets the share `held_out`, the rest is "train"."""
    return _side(content_digest(_MARK, key)[:12], held_out, held)


def _side(digits: str, held_out: float, held: Sequence[str]) -> str:
    number = int(int(digits, 16) / 16**12 / held_out)  # the fraction is uniform in [0, 1)
    return held[number] if number < len(held) else "train"


def part_rows(table: Table, reader: RowReader, held_out: float, held: Sequence[str]) -> dict[str, array[int]]:
    """Row numbers by split, in order. Raises DataError for a row that lacks its columns."""
    rows = {name: array("q") for name in ("train", *held)}
    if not held or held_out == 0:
        rows["train"] = array("q", range(len(table)))
        return rows
    bound = int(held_out * len(held) * 2**32) + 2  # most rows are training rows: seen from the first four bytes
    start = (len(_MARK)).to_bytes(8, "little") + _MARK.encode()
    index = 0
    digest = hashlib.blake2b
    for keys in _keys(table, reader):
        for key in keys:
            data = key.encode()
            found = digest(start + len(data).to_bytes(8, "little") + data, digest_size=16)  # = content_digest
            bytes_ = found.digest()
            if int.from_bytes(bytes_[:4], "big") > bound:
                rows["train"].append(index)
            else:
                rows[_side(bytes_.hex()[:12], held_out, held)].append(index)
            index += 1
    return rows


def _keys(table: Table, reader: RowReader) -> Iterator[Sequence[str]]:
    """The rows' keys in order, some at a time."""
    settings = reader.settings
    if isinstance(table, HubTable) and settings.layout is None:
        columns = settings.columns
        pictures = [columns.images] if columns.images else [] if columns.images == "" else ["images", "image"]
        for name in [columns.group] if columns.group else [*pictures, columns.question]:
            batches = table.batches([name])
            if batches is None:
                continue  # no such column: the next one decides, as for single rows
            found = _column_keys(batches, name, is_picture=name in pictures)
            if found is not None:
                yield from found
                return
            break
    for index in range(len(table)):
        yield (reader.group(table.row(index), table.place(index)),)


def _column_keys(batches: Iterator[Any], name: str, is_picture: bool) -> Iterator[list[str]] | None:
    """Keys straight from a column, where every row has a text (or a list that begins with a picture) in it."""
    import pyarrow.compute as pc
    import pyarrow.types as kinds

    held = list(batches)
    for batch in held:
        column = batch.column(0)
        if column.null_count:
            return None
        if kinds.is_list(column.type) or kinds.is_large_list(column.type):
            if not is_picture or (len(column) and pc.min(pc.list_value_length(column)).as_py() < 1):
                return None
            column = pc.list_slice(column, 0, 1).flatten()
        simple = kinds.is_string(column.type) or kinds.is_large_string(column.type)
        if not simple and not (is_picture and (kinds.is_struct(column.type) or kinds.is_binary(column.type))):
            return None
        if simple and is_picture and pc.any(pc.equal(column, "")).as_py():
            return None

    def keys() -> Iterator[list[str]]:
        for batch in held:
            column = batch.column(0)
            if kinds.is_list(column.type) or kinds.is_large_list(column.type):
                column = pc.list_slice(column, 0, 1).flatten()
            values = column.to_pylist()
            yield [picture_key(value) for value in values] if is_picture else values

    return keys()
