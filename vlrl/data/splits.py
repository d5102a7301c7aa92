"""Which split a row belongs to: by its images or question alone, never by seed or place, so that it holds in all runs.

Rows that share a key (`RowReader.keys`: an image's content, a question, a group) fall on one side, also by way of other
rows. Large tables are read column by column, not row by row.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vlrl.data.rows.layouts import IMAGES
from vlrl.data.rows.row_to_problem import RowReader
from vlrl.data.tables.table_files import HubTable, Table
from vlrl.errors import BadRowError
from vlrl.types import Image, content_digest

CONTENT_ROWS = 100_000  # longer tables are parted by the paths of their images: reading all of them first takes hours
_MARK = "held out"


def split_of(key: str, held_out: float, held: Sequence[str]) -> str:
    """The split of a row with this key: each of `held` gets the share `held_out`, the rest is "train"."""
    return _side(content_digest(_MARK, key)[:12], held_out, held)


def _side(digits: str, held_out: float, held: Sequence[str]) -> str:
    number = int(int(digits, 16) / 16**12 / held_out)  # the fraction is uniform in [0, 1)
    return held[number] if number < len(held) else "train"


def part_rows(table: Table, reader: RowReader, held_out: float, held: Sequence[str]) -> dict[str, array[int]]:
    """Row numbers by split, in order. Raises BadRowError unless such rows are left out."""
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


class _Linked:
    """Keys that belong together because a row has both. `first` gives one name to all that are linked."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def link(self, keys: Sequence[str]) -> str:
        """Link a row's keys; returns one of them."""
        if len(set(keys)) > 1:
            roots = {self.first(key) for key in keys}
            least = min(roots)
            for root in roots - {least}:
                self._parents[root] = least
        return keys[0]

    def first(self, key: str) -> str:
        """The least of all keys that are linked with this one."""
        root = key
        while (parent := self._parents.get(root)) is not None:
            root = parent
        while key != root:
            self._parents[key], key = root, self._parents[key]
        return root


def _keys(table: Table, reader: RowReader) -> Iterator[Sequence[str]]:
    """The rows' keys in order, some at a time."""
    settings = reader.settings
    if isinstance(table, HubTable) and settings.layout is None:
        columns = settings.columns
        images = _image_columns(reader, table)
        name = columns.group or (columns.question if settings.modality == "text" else images[0] if images else "")
        batches = table.batches([name]) if name else None
        found = None if batches is None else _column_keys(batches, is_image=not columns.group and name in images)
        if found is not None:
            yield from found
            return
    if len(table) > CONTENT_ROWS:
        yield from _keys_by_path(table, reader)
        return
    linked = _Linked()
    firsts = []
    for index in range(len(table)):
        try:
            firsts.append(linked.link(reader.keys(table.row(index), table.place(index))))
        except BadRowError:
            if (settings.on_bad_image or settings.on_bad_row) == settings.on_bad_row == "error":
                raise
            firsts.append("")  # said, or left out, where the row is read
    yield [linked.first(key) for key in firsts]


def _image_columns(reader: RowReader, table: HubTable) -> list[str]:
    """The column of images whose cells alone tell the rows' keys; none where several columns are named."""
    named = reader.settings.columns.images
    if named is None or named == "":
        return [name for name in IMAGES if name in table.columns]
    return [named] if isinstance(named, str) and named in table.columns else []


def _keys_by_path(table: Table, reader: RowReader) -> Iterator[list[str]]:
    """For tables too long to read all of their images first: the first image's path, or the question."""
    settings = reader.settings
    if isinstance(table, HubTable) and settings.layout is None and not settings.columns.group:
        names = _image_columns(reader, table)
        batches = table.batches(names[:1]) if names else None
        found = None if batches is None else _first_texts(batches)
        if found is not None:
            yield from found
            return
    for index in range(len(table)):
        try:
            yield [reader.key_by_path(table.row(index), table.place(index))]
        except BadRowError:
            if settings.on_bad_row == "error":
                raise
            yield [""]


def _first_texts(batches: Iterator[Any]) -> Iterator[list[str]] | None:
    """The texts of a column, or of the first of its lists, where every row has one."""
    import pyarrow.compute as pc
    import pyarrow.types as kinds

    held = [batch.column(0) for batch in batches]
    for number, column in enumerate(held):
        if kinds.is_list(column.type) or kinds.is_large_list(column.type):
            if column.null_count or (len(column) and pc.min(pc.list_value_length(column)).as_py() < 1):
                return None
            held[number] = column = pc.list_slice(column, 0, 1).flatten()
        if column.null_count or not (kinds.is_string(column.type) or kinds.is_large_string(column.type)):
            return None
    return (column.to_pylist() for column in held)


def _column_keys(batches: Iterator[Any], is_image: bool) -> Iterator[list[str]] | None:
    """Keys straight from a column where every row has a text, or one encoded image, in it."""
    import pyarrow.compute as pc
    import pyarrow.types as kinds

    held = list(batches)
    for batch in held:
        column = batch.column(0)
        if column.null_count:
            return None
        if kinds.is_list(column.type) or kinds.is_large_list(column.type):
            lengths = pc.list_value_length(column)
            if not is_image or (len(column) and (pc.min(lengths).as_py(), pc.max(lengths).as_py()) != (1, 1)):
                return None
            column = column.flatten()
        if is_image:
            if kinds.is_struct(column.type):
                names = [column.type.field(i).name for i in range(column.type.num_fields)]
                if "bytes" not in names or pc.any(pc.is_null(pc.struct_field(column, "bytes"))).as_py():
                    return None
            elif not kinds.is_binary(column.type) or column.null_count:
                return None
        elif not kinds.is_string(column.type) and not kinds.is_large_string(column.type):
            return None

    def keys() -> Iterator[list[str]]:
        for batch in held:
            column = batch.column(0)
            if kinds.is_list(column.type) or kinds.is_large_list(column.type):
                column = column.flatten()
            values = column.to_pylist()
            yield [_digest(value) for value in values] if is_image else values

    return keys()


def _digest(given: bytes | Mapping[str, Any]) -> str:
    return Image.from_bytes(given["bytes"] if isinstance(given, Mapping) else given).digest
