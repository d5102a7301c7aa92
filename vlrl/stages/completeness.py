"""A finished run has everything that a finished run has; what is missing is written again, or made again."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

from vlrl.report.report import write_report
from vlrl.runlog import RunFolder
from vlrl.stages.ending import ending, has_content, is_readable
from vlrl.stages.inputs import LEAVES
from vlrl.stages.settings import RunSettings


class RunState(Protocol):
    """What is asked of a run's state here."""

    folder: Path
    finished: list[str]
    results: dict[str, Any]
    seconds: dict[str, float]
    sealed: bool

    def has(self, stage: str) -> bool: ...
    def forget(self, stages: Collection[str], results: Collection[str]) -> None: ...
    def seal(self) -> None: ...


def complete_ends(settings: RunSettings, done: RunState) -> None:
    """A finished run gets what it lacks: files are written again, and a stage whose model or answers are gone counts as
    unfinished, so that it is taken up from its last checkpoint.
    """
    folder = done.folder
    if not settings.stages or not all(done.has(stage) for stage in settings.stages):
        return
    lost, unanswered = lost_stages(settings, done)
    if lost:
        done.forget(lost, unanswered)
        return
    wants_results = not {*settings.stages} <= {"prepare"}
    lacks = [name for name in ("report.html", "run_card.md") if not has_content(folder / name)]
    lacks += ["results.json"] if wants_results and not is_readable(folder / "results.json") else []
    lacks += ["run_card.json"] if not is_readable(folder / "run_card.json", "finished") else []
    if done.sealed and not lacks:
        return
    print(f"{folder}: {', '.join(lacks) or 'the end'} is written again")
    run = RunFolder(folder, settings.model_dump(mode="json"), sys.argv)
    with ending(run):
        if wants_results:
            run.results({**done.results, "wall_seconds": {k: round(v, 2) for k, v in done.seconds.items()}})
    write_report(folder)
    done.seal()


def lost_stages(settings: RunSettings, done: RunState) -> tuple[set[str], set[str]]:
    """Finished stages whose model folder or answers are gone, with a line for each; and results without answers."""
    lost: set[str] = set()
    unanswered: set[str] = set()
    for stage in settings.stages:
        leaf = LEAVES.get(stage)
        if leaf is not None and not is_whole_model(done.folder / leaf) and stage != "record":
            print(f"{done.folder / leaf} is not whole: {stage} is taken up from its last checkpoint")
            lost.add(stage)
    for name in done.results:
        file = done.folder / f"answers_{name}.jsonl"
        if not has_content(file):
            print(f"{file} is missing: it is answered again")
            unanswered.add(name)
            lost |= {name} if name in settings.stages else {*settings.stages}  # the start's needs the first model
    return lost, unanswered


def is_whole_model(folder: Path) -> bool:
    """Whether a folder has a configuration and every file of weights, none of them empty or cut off."""
    if not is_readable(folder / "config.json"):
        return False
    index = folder / "model.safetensors.index.json"
    names = {"model.safetensors"}
    if index.is_file():
        try:
            names = set(json.loads(index.read_bytes())["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError):
            return False
    return all(_is_whole(folder / name) for name in names)


def _is_whole(weights: Path) -> bool:
    """Whether a safetensors file is as long as its header says."""
    if not has_content(weights):
        return False
    with open(weights, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > weights.stat().st_size:
            return False
        try:
            header = json.loads(file.read(size))
            ends = [held["data_offsets"][1] for name, held in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError):
            return False
    return weights.stat().st_size == 8 + size + max(ends, default=0)
