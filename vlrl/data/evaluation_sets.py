"""Benchmarks are for evaluation: a recipe that trains on one is refused unless it says `force: true`."""

from __future__ import annotations

from pathlib import PurePath

from vlrl.errors import ConfigError

EVALUATION_LAYOUTS = frozenset({"mathvista", "mmmu", "mmmu-pro", "mathvision"})
_NAMES = frozenset({"mathvista", "mmmu", "mmmupro", "mathvision", "mathv"})


def is_evaluation_set(path: str, layout: str | None) -> bool:
    """Whether a layout or a part of a path or hub id is that of MathVista, MMMU, MMMU-Pro or MATH-Vision."""
    if layout in EVALUATION_LAYOUTS:
        return True
    parts = [
        PurePath(part).stem if part.endswith((".jsonl", ".json", ".parquet")) else part for part in path.split("/")
    ]
    return any(part.lower().replace("-", "").replace("_", "") in _NAMES for part in parts)


def refused(source: str) -> ConfigError:
    """The error for training on an evaluation set."""
    return ConfigError(
        f"source {source!r}",
        "is an evaluation set: training on it makes every later figure on it meaningless",
        "take it out of the training recipe; `force: true` in the source trains all the same, and the run card says so",
    )
