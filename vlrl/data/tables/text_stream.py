"""Text tables that are read as they come: lines in order, mixed among a buffer, parsed only when their turn comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from vlrl.data.tables.file_text import kind_of, open_text
from vlrl.data.tables.json_rows import parse_row
from vlrl.data.tables.text_tables import JsonList, csv_rows, holds_lines, named_cells, with_file_names
from vlrl.errors import BadRowError

T = TypeVar("T")


class TextStream:
    """The rows of files of text, in an order of its own every epoch.

    buffer         rows among which the next one is drawn; 1 keeps the order
    beside_images  whether it is the table of a folder of images
    """

    def __init__(self, files: Sequence[Path], beside_images: bool, buffer: int, seed: int) -> None:
        self._files, self._beside_images, self._buffer, self._seed = files, beside_images, buffer, seed

    def rows(self, epoch: int) -> Iterator[tuple[dict[str, Any] | BadRowError, str]]:
        """Row and place; what can't be parsed comes as its error, so that those behind it still come."""
        items: Iterable[tuple[Any, str]] = (item for file in self._files for item in _items(file))
        if self._buffer > 1:
            items = mixed(items, self._buffer, np.random.default_rng((self._seed, epoch)))
        for raw, place in items:
            try:
                row = _parsed(raw, place)
            except BadRowError as error:
                yield error, place
            else:
                yield with_file_names(row) if self._beside_images else row, place


def _items(file: Path) -> Iterator[tuple[Any, str]]:
    """Unparsed rows with their places."""
    kind = kind_of(file)
    if kind in (".csv", ".tsv"):
        yield from csv_rows(file)
    elif kind == ".json" and not holds_lines(file):
        table = JsonList(file)
        yield from ((table.row(index), table.place(index)) for index in range(len(table)))
    else:
        for number, line in enumerate(open_text(file).lines(), start=1):
            if line.strip():
                yield line, f"{file}, line {number}"


def _parsed(raw: Any, place: str) -> dict[str, Any]:
    if isinstance(raw, bytes):
        return parse_row(raw, place)
    return named_cells(raw, place) if isinstance(raw, tuple) else raw


def mixed(items: Iterable[T], buffer: int, rng: np.random.Generator) -> Iterator[T]:
    """The items, each drawn from those that wait; what waits at the end is shuffled."""
    waiting: list[T] = []
    for item in items:
        if len(waiting) < buffer:
            waiting.append(item)
            continue
        place = int(rng.integers(buffer))
        yield waiting[place]
        waiting[place] = item
    yield from (waiting[int(place)] for place in rng.permutation(len(waiting)))
