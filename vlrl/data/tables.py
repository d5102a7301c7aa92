"""Tables on disk or on a hub, read row by row: JSONL, JSON, parquet, and whatever `datasets` loads.

Nothing is decoded and no more than an index is held: a JSONL file is remembered by the places where its lines start,
a `datasets` table stays memory-mapped.
"""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from vlrl.data.source_settings import is_local
from vlrl.errors import BadRowError, ConfigError, DataError, did_you_mean


class Table(Protocol):
    """Rows by number."""

    folder: Path  # where relative picture paths start

    def __len__(self) -> int: ...

    def row(self, index: int) -> dict[str, Any]:
        """The row as a dictionary. Raises DataError if it can't be read."""
        ...

    def place(self, index: int) -> str:
        """File and line, for messages."""
        ...


def table_state(table: Table) -> str:
    """What tells a table from the one that had its path before: path, sizes and times of its files."""
    place = str(getattr(table, "path", table.folder))
    files = sorted(Path(place).rglob("*")) if Path(place).is_dir() else [Path(place)]
    stats = [(str(file), file.stat()) for file in files if file.is_file()]
    return repr((place, len(table), [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]))


class JsonLines:
    """A JSONL file. Empty lines are passed over; line numbers in messages count them."""

    def __init__(self, path: Path) -> None:
        self.path, self.folder = path, path.parent
        self._starts, self._lengths, self._lines = array("q"), array("q"), array("q")
        start = 0
        self._file = open(path, "rb")  # noqa: SIM115  (held open: rows are read in any order while training runs)
        for number, line in enumerate(self._file, start=1):
            if line.strip():
                self._starts.append(start)
                self._lengths.append(len(line))
                self._lines.append(number)
            start += len(line)

    def __len__(self) -> int:
        return len(self._starts)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def place(self, index: int) -> str:
        """File and line."""
        return f"{self.path}, line {self._lines[index]}"

    def row(self, index: int) -> dict[str, Any]:
        """The parsed line. Raises DataError if it isn't a JSON object."""
        # a read that doesn't move the file's position, which forked processes share
        line = os.pread(self._file.fileno(), self._lengths[index], self._starts[index])
        return parse_line(line, self.place(index))


def parse_line(line: bytes | str, place: str) -> dict[str, Any]:
    """One JSON object. Raises DataError."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise BadRowError(place, f"is not valid JSON: {error}", "mend or remove the line") from error
    if not isinstance(row, dict):
        raise BadRowError(place, f"holds {type(row).__name__}, not an object", "write one {…} a line")
    return row


class JsonList:
    """A JSON file that holds one list of objects."""

    def __init__(self, path: Path) -> None:
        self.path, self.folder = path, path.parent
        try:
            rows = json.loads(path.read_bytes())
        except ValueError as error:
            raise DataError(str(path), f"is not valid JSON: {error}", "JSON lines belong in a .jsonl file") from error
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise DataError(str(path), "is not a list of objects", "write [{…}, {…}], or one object a line in .jsonl")
        self._rows: list[dict[str, Any]] = rows

    def __len__(self) -> int:
        return len(self._rows)

    def place(self, index: int) -> str:
        """File and row."""
        return f"{self.path}, row {index + 1}"

    def row(self, index: int) -> dict[str, Any]:
        """The object."""
        return self._rows[index]


class HubTable:
    """A table of the `datasets` library; pictures stay encoded, class numbers become their names."""

    def __init__(self, dataset: Any, name: str, folder: Path) -> None:
        self._dataset, self._labels = undecoded(dataset)
        self._name, self.folder = name, folder

    def __len__(self) -> int:
        return len(self._dataset)

    def place(self, index: int) -> str:
        """Table and row."""
        return f"{self._name}, row {index + 1}"

    def row(self, index: int) -> dict[str, Any]:
        """The row, pictures as {bytes, path}."""
        return with_labels(self._dataset[index], self._labels)

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        names: list[str] = self._dataset.column_names
        return names

    def batches(self, columns: list[str], rows: int = 20_000) -> Iterator[Any] | None:
        """The named columns of all rows in order as Arrow record batches; None where that isn't to be had."""
        if self._labels or self._dataset._indices is not None or not set(columns) <= set(self._dataset.column_names):
            return None
        held: list[Any] = self._dataset.data.table.select(columns).to_batches(max_chunksize=rows)
        return iter(held)


def undecoded(dataset: Any) -> tuple[Any, dict[str, Any]]:
    """The data set with its pictures left encoded, and by column the names of numbered classes."""
    import datasets

    labels = {}
    for column, feature in (dataset.features or {}).items():
        inner = getattr(feature, "feature", feature)
        if isinstance(inner, datasets.Image):
            encoded = datasets.Image(decode=False)
            dataset = dataset.cast_column(column, encoded if inner is feature else datasets.List(encoded))
        elif isinstance(feature, datasets.ClassLabel):
            labels[column] = feature.names
    return dataset, labels


def with_labels(row: dict[str, Any], labels: dict[str, Any]) -> dict[str, Any]:
    """The row with class numbers as names; a class that isn't known (below 0) is None."""
    for column, names in labels.items():
        number = row[column]
        row[column] = names[number] if isinstance(number, int) and number >= 0 else None
    return row


def open_table(path: str, split: str, source: str, subset: str = "") -> Table:
    """The table at a path or hub id. Raises ConfigError or DataError naming the source.

    subset  the configuration of a hub data set that has several
    """
    place = f"source {source!r}, path"
    if not is_local(path):
        return _from_library(path, split, place, subset)
    file = local_file(path, place)
    table: Table
    if file.is_dir() or file.suffix == ".parquet":
        table = _from_library(path, split, place, subset)
    elif file.suffix == ".json":
        table = JsonList(file)
    else:
        table = JsonLines(file)
    if len(table) == 0:
        raise DataError(place, f"{path} holds no rows", "check that the file was written whole")
    return table


def local_file(path: str, place: str) -> Path:
    """The file or folder of a local path. Raises ConfigError for a missing one or an unknown kind."""
    file = Path(path).expanduser()
    if not file.exists():
        raise ConfigError(place, f"no such file: {path}", "check the path")
    if not file.is_dir() and file.suffix not in (".json", ".jsonl", ".parquet"):
        raise ConfigError(place, f"{file.name} is no known kind of table", "give .jsonl, .json, .parquet or a folder")
    return file


def _from_library(path: str, split: str, place: str, subset: str) -> HubTable:
    import datasets
    import pyarrow

    datasets.disable_progress_bars()
    folder = Path(path).expanduser()
    try:
        if folder.is_file():
            loaded = datasets.Dataset.from_parquet(str(folder))
            pyarrow.default_memory_pool().release_unused()  # what the conversion to Arrow took, some 200 MB
        elif (folder / "dataset_dict.json").exists() or (folder / "state.json").exists():
            loaded = datasets.load_from_disk(str(folder))
        else:
            loaded = datasets.load_dataset(path, subset or None)
    # what the library raises for a damaged table, an unknown id or a missing network
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise ConfigError(place, f"`datasets` can't load {path!r}: {error}", "check path, name and network") from error
    if isinstance(loaded, dict):
        if split not in loaded:
            raise ConfigError(f"{place}, split", f"{path!r} has no split {split!r}", did_you_mean(split, loaded))
        loaded = loaded[split]
    return HubTable(loaded, path, folder.parent if folder.is_file() else folder)


def open_stream(path: str, split: str, source: str, subset: str = "") -> tuple[Any, Path]:
    """A data set of the `datasets` library that is read row by row as it comes, and where picture paths start.

    Nothing is converted or kept. Raises ConfigError naming the source.
    """
    import datasets

    place = f"source {source!r}, path"
    file = local_file(path, place) if is_local(path) else Path(path)
    try:
        if file.is_file():
            kind = "parquet" if file.suffix == ".parquet" else "json"
            stream = datasets.load_dataset(kind, data_files=str(file), split="train", streaming=True)
        elif (file / "dataset_dict.json").exists():
            stream = datasets.load_from_disk(str(file))[split].to_iterable_dataset()
        elif (file / "state.json").exists():
            stream = datasets.load_from_disk(str(file)).to_iterable_dataset()
        else:
            stream = datasets.load_dataset(path, subset or None, split=split, streaming=True)
    except (OSError, ValueError, RuntimeError, KeyError, datasets.exceptions.DatasetsError) as error:
        raise ConfigError(
            place, f"`datasets` can't stream {path!r}: {error}", "check path, split and network"
        ) from error
    return stream, file.parent if file.is_file() else file
