"""Benchmarks are for evaluation: a recipe that trains on one is refused unless it says `force: true`."""

from __future__ import annotations

from pathlib import PurePath

from vlrl.data.benchmarks.benchmark_definition import benchmark_named, benchmarks
from vlrl.errors import ConfigError


def is_evaluation_set(path: str, layout: str | None) -> bool:
    """Whether a layout or a part of a path or hub id is that of a benchmark that is for evaluation only."""
    known = {name: benchmark_named(name) for name in benchmarks}
    if layout in known and known[layout].evaluation_only:
        return True
    names = {_bare(one) for name, held in known.items() if held.evaluation_only for one in (name, *held.also_called)}
    parts = [
        PurePath(part).stem if part.endswith((".jsonl", ".json", ".parquet")) else part for part in path.split("/")
    ]
    return any(_bare(part) in names for part in parts)


def _bare(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def refused(source: str) -> ConfigError:
    """The error for training on an evaluation set."""
    return ConfigError(
        f"source {source!r}",
        "is an evaluation set: training on it makes every later figure on it meaningless",
        "take it out of the training recipe; `force: true` in the source trains all the same, and the run card says so",
    )
