"""Which splits and configurations a path can have: a `split` that is asked of one table would be dropped in silence."""

from __future__ import annotations

from pathlib import Path

from vlrl.data.tables.text_tables import METADATA
from vlrl.errors import ConfigError


def check_split(path: str, split: str, subset: str, place: str) -> None:
    """Raises ConfigError at `place` where a split or subset is asked of what has none.

    `train` and `default` are what the hub's library calls the only one.
    """
    what = _without_splits(Path(path).expanduser(), split)
    if what is None:
        return
    if split != "train":
        said = f"is {split!r}, and {path} is {what}, without splits"
        raise ConfigError(f"{place}, split", said, "leave it out, or name the path of that split")
    if subset not in ("", "default"):
        said = f"is {subset!r}, and {path} is {what}, without configurations"
        raise ConfigError(f"{place}, subset", said, "leave it out")


def _without_splits(path: Path, split: str) -> str | None:
    """What a path is that has no splits; None where it may have them."""
    if path.is_file():
        return "one file"
    if (path / "state.json").is_file():  # as `datasets` saves a single table
        return "one table"
    if any((path / name).is_file() for name in METADATA) and not (path / split).is_dir():
        return "one folder of images"
    return None
