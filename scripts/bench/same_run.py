"""Whether what a run left in its folder is what another left, but for times and what says how it came about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def difference(whole: Path, folder: Path) -> str | None:
    """The first thing in which a folder is not that of the undisturbed run `whole`, None where there is none."""
    for file in sorted(one for one in whole.rglob("*") if one.is_file()):
        name = file.relative_to(whole)
        if any(part.startswith((".", "checkpoints", "built_model")) for part in name.parts):
            continue
        mine = folder / name
        if not mine.is_file():
            return f"{name} is missing"
        try:
            same = _same(file, mine)
        except ValueError:
            return f"{name} can't be read"
        if not same:
            return f"{name} differs"
    return None


def _same(file: Path, mine: Path) -> bool:
    if file.suffix in (".safetensors", ".png", ".jpg"):
        return file.read_bytes() == mine.read_bytes()
    if file.suffix == ".jsonl":
        return _lines(file) == _lines(mine)
    if file.name == "results.json":
        return bool(_results(file) == _results(mine))
    return True  # cards, reports and settings hold paths, times and sessions


def _lines(file: Path) -> list[dict[str, Any]]:
    dropped = ("seconds", "tokens/rollout_per_second", "images")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return [
        {k: v for k, v in row.items() if not k.startswith(("time/", "colocated/")) and k not in dropped} for row in rows
    ]


def _results(file: Path) -> Any:
    return _without(json.loads(file.read_text()))


def _without(held: Any) -> Any:
    """Without times, and without what says how often a model was asked."""
    dropped = ("wall_seconds", "seconds", "asked_in_this_session", "answers_from_disk")
    if isinstance(held, dict):
        return {key: _without(value) for key, value in held.items() if key not in dropped}
    return [_without(value) for value in held] if isinstance(held, list) else held
