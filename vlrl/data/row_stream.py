"""Rows that are read one after another and never kept: for tables larger than the disk, or on a hub.

The rows of a split are numbered in the order in which they come; behind the last one the stream begins again, mixed
anew. Going back means reading from the start, so a resumed run reads up to its place once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from vlrl.data.rows import RowReader
from vlrl.data.source_settings import FileSourceSettings
from vlrl.data.splits import split_of
from vlrl.data.tables import open_stream, undecoded, with_labels
from vlrl.errors import BadRowError, DataError

MIXING_SEED = 0  # a stream's order is part of the data, not of the run: splits and positions hold whatever the seed


class RowStream:
    """The rows of one streamed source by split and number. `folder` is where picture paths start.

    Raises ConfigError if it can't be opened, DataError if a split has no row at all.
    """

    def __init__(self, settings: FileSourceSettings, held: tuple[str, ...]) -> None:
        stream, self.folder = open_stream(settings.path, settings.split, settings.name, settings.subset)
        self._stream, self._labels = undecoded(stream)
        if settings.shuffle_buffer > 1:
            self._stream = self._stream.shuffle(seed=MIXING_SEED, buffer_size=settings.shuffle_buffer)
        self._settings, self._held = settings, held
        self._reader = RowReader(settings, self.folder)
        self._cursors: dict[str, _Cursor] = {}

    def row(self, split: str, index: int) -> tuple[dict[str, Any], str]:
        """The split's row number `index`, from 0 on without end, and its place for messages."""
        cursor = self._cursors.get(split)
        if cursor is None or index < cursor.index:
            cursor = self._cursors[split] = _Cursor(self._rows(split))
        return cursor.go(index)

    def _rows(self, split: str) -> Iterator[tuple[dict[str, Any], str]]:
        settings, epoch = self._settings, 0
        while True:
            self._stream.set_epoch(epoch)
            found = 0
            for number, raw in enumerate(self._stream, start=1):
                row = with_labels(dict(raw), self._labels)
                place = f"{settings.path}, streamed row {number}"
                try:
                    key = min(self._reader.keys(row, place)) if self._held and settings.held_out else None
                except BadRowError:
                    key = None  # what is wrong with it is said where it is read
                if split == ("train" if key is None else split_of(key, settings.held_out, self._held)):
                    found += 1
                    yield row, place
            if not found:
                raise DataError(
                    f"source {settings.name!r}", f"the stream has no row for {split}", "change `held_out` or add rows"
                )
            epoch += 1


class _Cursor:
    """A place in an endless sequence that goes forward only; the row it stands on may be read again."""

    def __init__(self, rows: Iterator[tuple[dict[str, Any], str]]) -> None:
        self._rows = rows
        self.index = -1
        self._current: tuple[dict[str, Any], str] = ({}, "")

    def go(self, index: int) -> tuple[dict[str, Any], str]:
        if index > self.index:
            self._current = next(islice(self._rows, index - self.index - 1, None))
            self.index = index
        return self._current
