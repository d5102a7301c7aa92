"""Rows that are read one after another and never kept: for tables larger than the disk, or on a hub.

The rows of a split are numbered in the order in which they come; behind the last one the stream begins again, mixed
again. Going back means reading from the start, so a resumed run reads up to its place once.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any

from vlrl.data.rows.row_to_problem import RowReader
from vlrl.data.source_settings import FileSourceSettings
from vlrl.data.splits import split_of
from vlrl.data.tables.hub_data import TEXT_BUILDERS
from vlrl.data.tables.table_files import local_text, narrow_floats, open_stream, undecoded, with_labels, with_own_digits
from vlrl.data.tables.text_stream import TextStream
from vlrl.errors import BadRowError, DataError

log = logging.getLogger(__name__)
_Row = tuple[dict[str, Any] | BadRowError, str]
MIXING_SEED = 0  # a stream's order is part of the data, not of the run: splits and positions hold whatever the seed


class RowStream:
    """The rows of one streamed source by split and number. `folder` is where image paths start.

    Raises ConfigError if it can't be opened, DataError if a split has no row at all.
    """

    def __init__(self, settings: FileSourceSettings, held: tuple[str, ...]) -> None:
        self._text: TextStream | None = None
        held_text = local_text(settings.path, settings.split, settings.name, settings.subset, hub=False)
        if held_text is not None:
            files, beside_images = held_text
            self.folder = files[0].parent
            self._text = TextStream(files, beside_images, settings.shuffle_buffer, MIXING_SEED)
        else:
            stream, self.folder = open_stream(settings.path, settings.split, settings.name, settings.subset)
            self._stream, self._labels = undecoded(stream)
            self._narrow = narrow_floats(self._stream.features)
            if (self._stream.info.builder_name or "") in TEXT_BUILDERS:
                log.warning(
                    "source %r: rows of text streamed from a hub get one type a column, so 7 may be 7.0; without "
                    "`streaming` they are fetched and read as they are written",
                    settings.name,
                )
            if settings.shuffle_buffer > 1:
                self._stream = self._stream.shuffle(seed=MIXING_SEED, buffer_size=settings.shuffle_buffer)
        self._settings, self._held = settings, held
        self._reader = RowReader(settings, self.folder)
        self._cursors: dict[str, _Cursor] = {}

    def row(self, split: str, index: int) -> tuple[dict[str, Any], str]:
        """The split's row number `index`, from 0 on without end, and its place for messages.

        Raises BadRowError for a row that can't be parsed; those behind it can be asked for all the same.
        """
        cursor = self._cursors.get(split)
        if cursor is None or index < cursor.index:
            cursor = self._cursors[split] = _Cursor(self._rows(split))
        row, place = cursor.go(index)
        if isinstance(row, BadRowError):
            raise row
        return row, place

    def _rows(self, split: str) -> Iterator[_Row]:
        settings, epoch = self._settings, 0
        while True:
            found = 0
            for row, place in self._text.rows(epoch) if self._text else self._library_rows(epoch):
                key = None
                if self._held and settings.held_out and not isinstance(row, BadRowError):
                    with contextlib.suppress(BadRowError):  # what is wrong with a row is said where it is read
                        key = min(self._reader.keys(row, place))
                if split == ("train" if key is None else split_of(key, settings.held_out, self._held)):
                    found += 1
                    yield row, place
            if not found:
                raise DataError(
                    f"source {settings.name!r}", f"the stream has no row for {split}", "change `held_out` or add rows"
                )
            epoch += 1

    def _library_rows(self, epoch: int) -> Iterator[_Row]:
        self._stream.set_epoch(epoch)
        for number, raw in enumerate(self._stream, start=1):
            row = with_own_digits(with_labels(dict(raw), self._labels), self._narrow)
            yield row, f"{self._settings.path}, streamed row {number}"


class _Cursor:
    """A place in an endless sequence that goes forward only; the row it stands on may be read again."""

    def __init__(self, rows: Iterator[_Row]) -> None:
        self._rows = rows
        self.index = -1
        self._current: _Row = ({}, "")

    def go(self, index: int) -> _Row:
        if index > self.index:
            self._current = next(islice(self._rows, index - self.index - 1, None))
            self.index = index
        return self._current
