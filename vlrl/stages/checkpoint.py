"""Checkpoints: whole or absent. What has state has `state_dict`; a checkpoint is those, written beside and renamed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from vlrl import dist
from vlrl.errors import RunError


def save_checkpoint(folder: Path, step: int, parts: Mapping[str, Any], keep: int = 2) -> Path:
    """Write checkpoints/step_000123 and keep the newest `keep`. A killed run leaves the old ones whole.

    With several ranks the first one writes; a part with `state_by_rank` has a file of every rank, in a folder that all
    ranks see.
    """
    final = folder / f"step_{step:06d}"
    temporary = folder / f".step_{step:06d}.tmp"
    if dist.is_first():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
    dist.barrier()
    for name, part in parts.items():
        if dist.is_first() or _by_rank(part):
            torch.save(part.state_dict(), temporary / _file_of(name, part))
    dist.barrier()
    if dist.is_first():
        _put_in_place(temporary, final, step, parts, keep)
    dist.barrier()
    return final


def _by_rank(part: Any) -> bool:
    return bool(getattr(part, "state_by_rank", False))


def _file_of(name: str, part: Any) -> str:
    return f"{name}_rank{dist.rank()}.pt" if _by_rank(part) else f"{name}.pt"


def _put_in_place(temporary: Path, final: Path, step: int, parts: Mapping[str, Any], keep: int) -> None:
    folder = final.parent
    (temporary / "checkpoint.json").write_text(json.dumps({"schema": 1, "step": step, "parts": sorted(parts)}))
    for file in temporary.iterdir():
        _sync(file)
    _sync(temporary)
    _remove_whole(final)
    os.replace(temporary, final)
    _sync(folder)
    for old in sorted(folder.glob("step_*"))[:-keep]:
        _remove_whole(old)


def _remove_whole(folder: Path) -> None:
    """Rename first: a kill during the removal leaves a hidden rest, never half a checkpoint."""
    if folder.is_dir():
        hidden = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(hidden, ignore_errors=True)
        os.replace(folder, hidden)
        shutil.rmtree(hidden)


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint, or None."""
    found = sorted(folder.glob("step_*"))
    return found[-1] if found else None


def step_of(folder: Path) -> int:
    """How many steps a checkpoint comes after."""
    return int(folder.name.removeprefix("step_"))


def load_checkpoint(folder: Path, parts: Mapping[str, Any]) -> int:
    """Put every part's state back; returns the step. Raises RunError if the checkpoint is of another make."""
    card = json.loads((folder / "checkpoint.json").read_text())
    if card.get("schema") != 1 or card["parts"] != sorted(parts):
        raise RunError(
            str(folder), f"holds {card}, this version reads schema 1 with {sorted(parts)}", "start a fresh run"
        )
    for name, part in parts.items():
        file = folder / _file_of(name, part)
        if not file.is_file():
            raise RunError(
                str(file), "is not there: the backend or the number of ranks was another", "start a fresh run"
            )
        part.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return int(card["step"])


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
