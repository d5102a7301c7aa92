"""Rows of a table file as its benchmark wrote it, with the place of each for messages: JSONL, JSON, parquet, folders.

A JSON file may hold a list of objects, or one object that maps ids to rows; such an id becomes the row's `pid`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vlrl.data.source_settings import is_local
from vlrl.data.tables.hub_data import load_hub_data
from vlrl.data.tables.json_rows import parse_json
from vlrl.data.tables.table_files import HubTable, JsonLines, Table, open_table
from vlrl.errors import ConfigError, DataError

Record = tuple[str, dict[str, Any]]  # (place, row)


def read_records(path: str, what: str, split: str = "test", hub: bool = False, subset: str = "") -> list[Record]:
    """All rows in file order. `what` names the file's part in messages, e.g. "--problems".

    hub     whether a path that is no file may be the id of a data set on a hub
    subset  the configuration of a hub data set that has several, e.g. "main"

    Raises ConfigError if there is no such file, DataError with file and line for malformed contents.
    """
    file = Path(path).expanduser()
    if not file.exists() and (is_local(path) or not hub):
        raise ConfigError(what, f"no such file: {path}", "check the path")
    if file.is_file() and file.suffix not in (".jsonl", ".parquet"):
        return _whole_json(file)
    table: Table
    if not file.exists() and subset:
        table = _subset(path, subset, split, what)
    elif file.is_dir() and (shards := sorted(file.rglob(f"{split}-*-of-*.parquet"))):
        table = _shards(shards, file, what)
    else:
        table = JsonLines(file) if file.suffix == ".jsonl" else open_table(path, split, what)
    records = [(table.place(index), table.row(index)) for index in range(len(table))]
    if not records:
        raise DataError(path, "holds no rows", "check that the file was written whole")
    return records


def _subset(path: str, subset: str, split: str, what: str) -> HubTable:
    import datasets

    try:
        loaded = load_hub_data(path, subset, what, split)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        place = f"{path!r}, subset {subset!r}, split {split!r}"
        raise ConfigError(what, f"`datasets` can't load {place}: {error}", "check the names and the network") from error
    return HubTable(loaded, f"{path} {subset}", Path.cwd())


def _shards(shards: list[Path], folder: Path, what: str) -> HubTable:
    """The parquet files of one split, as hubs name them, in all subfolders (MMMU has one a subject), in order of path.

    `datasets` would take `dev-…` for validation rows too.
    """
    import datasets

    try:
        loaded = datasets.Dataset.from_parquet([str(shard) for shard in shards])
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise ConfigError(what, f"`datasets` can't load {shards[0]}: {error}", "check that it is whole") from error
    return HubTable(loaded, str(folder), folder)


def _whole_json(file: Path) -> list[Record]:
    loaded = parse_json(file.read_bytes(), str(file), "one object a line belongs in a .jsonl file")
    if isinstance(loaded, dict) and loaded and all(isinstance(row, dict) for row in loaded.values()):
        return [(f"{file}, row {key!r}", {"pid": key, **row}) for key, row in loaded.items()]
    if isinstance(loaded, list) and loaded and all(isinstance(row, dict) for row in loaded):
        return [(f"{file}, row {number}", row) for number, row in enumerate(loaded, 1)]
    raise DataError(str(file), "is neither a list of objects nor an object of rows", "write [{…}, …] or {id: {…}, …}")
