"""Tables on disk or on a hub, read row by row: text tables by ourselves, parquet and what else there is by `datasets`.

Nothing is decoded and no more than an index is held: a JSONL file is remembered by the places where its lines start,
a `datasets` table stays memory-mapped. Text tables never go through a library that guesses types.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vlrl.data.source_settings import is_local
from vlrl.data.tables.file_text import kind_of
from vlrl.data.tables.hub_data import load_hub_data, text_files_of
from vlrl.data.tables.text_tables import (
    COMPRESSED,
    TEXT_TABLES,
    ImageFolder,
    JoinedTables,
    JsonLines,
    JsonList,
    Table,
    open_text_table,
    text_files,
)
from vlrl.errors import ConfigError, DataError, did_you_mean

__all__ = ["HubTable", "JsonLines", "JsonList", "Table", "local_text", "open_stream", "open_table", "table_state"]


def table_state(table: Table) -> str:
    """What tells a table from the one that had its path before: path, sizes and times of its files."""
    place = str(getattr(table, "path", table.folder))
    files = sorted(Path(place).expanduser().rglob("*")) if Path(place).expanduser().is_dir() else [Path(place)]
    stats = [(str(file), file.stat()) for file in files if file.is_file()]
    return repr((place, len(table), [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]))


class HubTable:
    """A table of the `datasets` library; images stay encoded, class numbers become their names."""

    def __init__(self, dataset: Any, name: str, folder: Path) -> None:
        self._dataset, self._labels = undecoded(dataset)
        self._narrow = narrow_floats(self._dataset.features)
        self.path, self.folder = name, folder

    def __len__(self) -> int:
        return len(self._dataset)

    def place(self, index: int) -> str:
        """Table and row."""
        return f"{self.path}, row {index + 1}"

    def row(self, index: int) -> dict[str, Any]:
        """The row, images as {bytes, path}."""
        return with_own_digits(with_labels(self._dataset[index], self._labels), self._narrow)

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


SAVED = ("dataset_dict.json", "state.json")  # of a folder that `datasets` wrote
Digits = Callable[[Any], Any]


def narrow_floats(features: Any) -> dict[str, Digits]:
    """For every column with numbers of 16 or 32 bits: what gives them the digits that they have at that precision."""
    found = {column: _digits_of(feature) for column, feature in (features or {}).items()}
    return {column: digits for column, digits in found.items() if digits is not None}


def _digits_of(feature: Any) -> Digits | None:
    import numpy as np

    kind = str(getattr(feature, "dtype", ""))
    if kind in ("float16", "float32") and not hasattr(feature, "feature"):
        narrow = np.dtype(kind).type
        return lambda value: None if value is None else float(str(narrow(value)))
    if isinstance(feature, dict):
        inner = narrow_floats(feature)
        return (lambda value: None if value is None else with_own_digits(value, inner)) if inner else None
    of_items = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    item = None if of_items is None else _digits_of(of_items)
    if item is None:
        return None
    return lambda value: [item(one) for one in value] if isinstance(value, list | tuple) else value


def with_own_digits(row: dict[str, Any], narrow: dict[str, Digits]) -> dict[str, Any]:
    """The row with 24.23 for what a float32 holds as 24.229999542236328."""
    return {**row, **{column: digits(row[column]) for column, digits in narrow.items()}} if narrow else row


def undecoded(dataset: Any) -> tuple[Any, dict[str, Any]]:
    """The data set with its images and recordings left encoded at any depth, and by column the names of classes."""
    import datasets

    labels = {}
    for column, feature in (dataset.features or {}).items():
        encoded = _encoded(feature)
        if encoded != feature:
            dataset = dataset.cast_column(column, encoded)
        elif isinstance(feature, datasets.ClassLabel):
            labels[column] = feature.names
    return dataset, labels


def _encoded(feature: Any) -> Any:
    """The feature with all images, recordings and videos in it as {bytes, path}."""
    import datasets

    if isinstance(feature, datasets.Image | datasets.Audio | datasets.Video):
        return dataclasses.replace(feature, decode=False)
    if isinstance(feature, dict):
        return {name: _encoded(inner) for name, inner in feature.items()}
    if isinstance(feature, list):
        return [_encoded(inner) for inner in feature]
    if isinstance(feature, datasets.List | datasets.LargeList):
        return type(feature)(
            _encoded(feature.feature), **({"length": feature.length} if hasattr(feature, "length") else {})
        )
    return feature


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
    table: Table
    held = local_text(path, split, source, subset)
    if held is None:
        table = _from_library(path, split, place, subset)
    else:
        files, beside_images = held
        tables = [open_text_table(found) for found in files]
        table = tables[0] if len(tables) == 1 else JoinedTables(tables, files[0].parent)
        table = ImageFolder(table, files[0].parent) if beside_images else table
    if len(table) == 0:
        raise DataError(place, f"{path} holds no rows", "check that the file was written whole")
    return table


def local_file(path: str, place: str) -> Path:
    """The file or folder of a local path. Raises ConfigError for a missing one or an unknown kind."""
    file = Path(path).expanduser()
    if not file.exists():
        raise ConfigError(place, f"no such file: {path}", f"check the path; it was looked for at {file.absolute()}")
    if not file.is_dir() and kind_of(file) not in (*TEXT_TABLES, ".parquet"):
        kinds = ", ".join((*TEXT_TABLES, ".parquet"))
        raise ConfigError(
            place,
            f"{file.name} is no known kind of table",
            f"give {kinds} (or {', '.join(COMPRESSED)} of one) or a folder",
        )
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
            loaded = load_hub_data(path, subset or None, place)
    # what the library raises for a damaged table, an unknown id or a missing network
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise ConfigError(place, f"`datasets` can't load {path!r}: {error}", "check path, name and network") from error
    if isinstance(loaded, dict):
        if split not in loaded:
            raise ConfigError(f"{place}, split", f"{path!r} has no split {split!r}", did_you_mean(split, loaded))
        loaded = loaded[split]
    return HubTable(loaded, path, folder.parent if folder.is_file() else folder)


def open_stream(path: str, split: str, source: str, subset: str = "") -> tuple[Any, Path]:
    """A data set of the `datasets` library that is read row by row as it comes, and where image paths start.

    Nothing is converted or kept. Raises ConfigError naming the source.
    """
    import datasets

    place = f"source {source!r}, path"
    file = local_file(path, place) if is_local(path) else Path(path)
    try:
        if file.is_file():
            stream = datasets.load_dataset("parquet", data_files=str(file), split="train", streaming=True)
        elif (file / "dataset_dict.json").exists():
            stream = datasets.load_from_disk(str(file))[split].to_iterable_dataset()
        elif (file / "state.json").exists():
            stream = datasets.load_from_disk(str(file)).to_iterable_dataset()
        else:
            stream = load_hub_data(path, subset or None, place, split, streaming=True)
    except (OSError, ValueError, RuntimeError, KeyError, datasets.exceptions.DatasetsError) as error:
        raise ConfigError(
            place, f"`datasets` can't stream {path!r}: {error}", "check path, split and network"
        ) from error
    return stream, file.parent if file.is_file() else file


def local_text(
    path: str, split: str, source: str, subset: str = "", hub: bool = True
) -> tuple[list[Path], bool] | None:
    """The files of text at a path or hub id, and whether it is a folder of images; None for tables of other kinds.

    hub  whether the files of a hub id are fetched
    """
    import datasets

    place = f"source {source!r}, path"
    file = local_file(path, place) if is_local(path) else None
    if file is None and not hub:
        return None
    if file is None or file.is_dir():
        if file is not None and (found := text_files(file, split)):
            return found
        if file is not None and any((file / name).exists() for name in SAVED):
            return None
        try:
            files = text_files_of(path, subset, split, place)
        except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
            raise ConfigError(
                place, f"`datasets` can't load {path!r}: {error}", "check path, name and network"
            ) from error
        return None if files is None else (files, False)
    return ([file], False) if kind_of(file) in TEXT_TABLES else None
