"""Checkpoints: whole or absent. What has state has `state_dict`; a checkpoint is those, written beside and renamed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from vlrl.errors import RunError


def save_checkpoint(folder: Path, step: int, parts: Mapping[str, Any], keep: int = 2) -> Path:
    """Write checkpoints/step_000123 and keep the newest `keep`. A killed run leaves the old ones whole."""
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step_{step:06d}"
    temporary = folder / f".step_{step:06d}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    for name, part in parts.items():
        torch.save(part.state_dict(), temporary / f"{name}.pt")
    (temporary / "checkpoint.json").write_text(json.dumps({"schema": 1, "step": step, "parts": sorted(parts)}))
    for file in temporary.iterdir():
        _sync(file)
    _sync(temporary)
    _remove_whole(final)
    os.replace(temporary, final)
    _sync(folder)
    for old in sorted(folder.glob("step_*"))[:-keep]:
        _remove_whole(old)
    return final


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
        part.load_state_dict(torch.load(folder / f"{name}.pt", map_location="cpu", weights_only=True))
    return int(card["step"])


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
