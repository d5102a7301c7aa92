"""A data set as a folder: data/*.parquet that `datasets` loads, README.md with its card, recipe.yaml that trains on it.

data/train-photos.parquet  one file for each split and each source, modality, domain and system prompt
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from vlrl.data.exported.dataset_card import dataset_card
from vlrl.data.exported.table_rows import METADATA, Item, features, problem_of, row_of
from vlrl.errors import ConfigError, DataError
from vlrl.runlog.atomic_files import whole_folder, write_atomically
from vlrl.types import Demonstration, Problem

ROWS = 200  # of one piece that is in memory
_Key = tuple[str, str, str, str | None]


def write_dataset(out: Path, splits: Mapping[str, Sequence[Item]], name: str, image: Mapping[str, Any]) -> Path:
    """Write the splits (train, validation, test) that hold something; returns `out`.

    name   of the recipe or file that they come from
    image  the recipe's image budget, for recipe.yaml

    Raises ConfigError for a folder that is there, DataError for a problem that a row can't hold or an empty train.
    """
    if out.exists():
        raise ConfigError(str(out), "is there already", "choose another folder")
    if not splits.get("train"):
        raise DataError(name, "has no problem to export", "check its sources")
    groups = {split: _grouped(items) for split, items in splits.items() if items}
    labels = _labels([key for held in groups.values() for key in held])
    with whole_folder(out) as folder:
        (folder / "data").mkdir()
        for split, held in groups.items():
            for key, members in held.items():
                _write_table(folder / "data" / f"{split}-{labels[key]}.parquet", members)
        sources = [_source(key, labels[key], groups) for key in groups["train"]]
        recipe = yaml.safe_dump({"image": dict(image), "sources": sources}, sort_keys=False, allow_unicode=True)
        write_atomically(folder / "recipe.yaml", f"# The problems of this folder, each source at its weight.\n{recipe}")
        counts = {split: Counter(_problem(item).modality for item in items) for split, items in splits.items() if items}
        first = next(_problem(item) for item in splits["train"])
        write_atomically(folder / "README.md", dataset_card(out.name, name, counts, first))
    return out


def read_dataset(folder: Path, split: str = "train") -> Iterator[Item]:
    """The problems and demonstrations of an exported split as they were. Raises DataError where there is none."""
    import pyarrow.parquet as parquet

    files = sorted((folder / "data").glob(f"{split}-*.parquet"))
    if not files:
        raise DataError(str(folder), f"has no split {split!r}", "name a folder that `vlrl data export` wrote")
    for file in files:
        number = 0
        for batch in parquet.ParquetFile(file).iter_batches(ROWS):
            for row in batch.to_pylist():
                number += 1
                yield problem_of(row, f"{file}, row {number}")


def _write_table(file: Path, items: Sequence[Item]) -> None:
    import pyarrow
    import pyarrow.parquet as parquet

    schema = features().arrow_schema
    with parquet.ParquetWriter(file, schema) as writer:
        for start in range(0, len(items), ROWS):
            rows = [row_of(item) for item in items[start : start + ROWS]]
            writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))


def _problem(item: Item) -> Problem:
    return item.problem if isinstance(item, Demonstration) else item


def _key(item: Item) -> _Key:
    problem = _problem(item)
    return problem.source or problem.domain, problem.modality, problem.domain, problem.system


def _grouped(items: Sequence[Item]) -> dict[_Key, list[Item]]:
    found: dict[_Key, list[Item]] = {}
    for item in items:
        found.setdefault(_key(item), []).append(item)
    return found


def _labels(keys: Sequence[_Key]) -> dict[_Key, str]:
    """A name for each group: that of its source, with a number where several share it."""
    found: dict[_Key, str] = {}
    for key in keys:
        if key not in found:
            plain = re.sub(r"[^\w]+", "_", key[0]).strip("_") or "source"
            taken = sum(name == plain or name.startswith(f"{plain}_") for name in found.values())
            found[key] = plain if not taken else f"{plain}_{taken + 1}"
    return found


def _source(key: _Key, label: str, groups: Mapping[str, Mapping[_Key, Sequence[Item]]]) -> dict[str, Any]:
    """The entry of recipe.yaml that reads a group, held-out rows from files of their own."""
    members = groups["train"][key]
    columns = {"verifier": "verifier", "choices": "", "metadata_json": METADATA}
    if all(_problem(item).difficulty is not None for item in members):
        columns["difficulty"] = "difficulty"
    if all(isinstance(item, Demonstration) for item in members):
        columns["response"] = "response"
    found = {
        "name": label,
        "kind": "file",
        "path": f"data/train-{label}.parquet",
        "modality": key[1],
        "domain": key[2],
        "columns": columns,
        "weight": len(members),
        "held_out": 0.0,
        "tags": [tag for tag in _problem(members[0]).tags if all(tag in _problem(item).tags for item in members)],
    }
    for split in ("validation", "test"):
        if key in groups.get(split, {}):
            found[f"{split}_path"] = f"data/{split}-{label}.parquet"
    return found | ({} if key[3] is None else {"system_prompt": key[3]})
