"""How far a run has come: its finished stages and what they left, kept in state.json."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, cast

from vlrl import dist
from vlrl.errors import RunError
from vlrl.report.model_cards.base_model import README
from vlrl.runlog.atomic_files import file_digest
from vlrl.runlog.run_folder import write_atomically
from vlrl.training.lifecycle.checkpoint import newest_step
from vlrl.training.lifecycle.run_changes import Change, changes, refuse_other_results
from vlrl.training.lifecycle.run_ending import settings_of
from vlrl.training.lifecycle.stage_inputs import LEAVES
from vlrl.training.rl.exports import EXPORT
from vlrl.training.run_settings import LEARNING, RunSettings, Stage
from vlrl.types import content_digest


class RunState:
    """Which stages of a run are finished, with what they left: `state.json` in the run folder.

    A second call continues from it, and refuses settings that would change the result. A file that can't be read counts
    as none: every stage then goes on from its last checkpoint.

    finished  stages, in the order in which they ended
    results   tables of the held-out test, by the stage that they come after
    seconds   of wall time, by phase
    left      digests of the files that finished stages left, by path in the run folder
    sealed    whether the report was written after everything else
    changes   settings that differ from those of the call before, none of which the result depends on
    """

    def __init__(self, folder: Path, settings: RunSettings) -> None:
        self.folder = folder
        self._file = folder / "state.json"
        self.finished: list[str] = []
        self.results: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}
        self.left: dict[str, str] = {}
        self.sealed = False
        if self._file.is_file():
            self._read()
        self.changes: list[Change] = []
        self._reopened = False
        before = settings_of(folder)
        if before is not None:
            self.changes = changes(before, settings)
            refuse_other_results(str(folder), self.changes)
            for change in self.changes:
                if change.effect == "length":
                    self._lengthen(change)

    def _read(self) -> None:
        try:
            values = json.loads(self._file.read_bytes())
            if values.pop("digest", None) not in (None, _digest(values)):
                raise ValueError("its digest is another")
            self.left = {str(name): str(digest) for name, digest in values.get("left", {}).items()}
            self.finished, self.results = [str(stage) for stage in values["finished"]], dict(values["results"])
            self.seconds, self.sealed = dict(values["seconds"]), bool(values.get("sealed", False))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if dist.is_first():
                print(f"{self._file} is damaged ({error}): every stage goes on from its last checkpoint")
            self.finished, self.results, self.seconds, self.sealed, self.left = [], {}, {}, False, {}

    def _lengthen(self, change: Change) -> None:
        """Reopen a finished stage whose length has changed. Raises RunError where the change comes too late."""
        stage = cast(Stage, change.stage)
        later = [
            name for name in LEARNING[LEARNING.index(stage) + 1 :] if name in self.finished or self._steps_of(name)
        ]
        if later and (stage in self.finished or self._steps_of(stage)):
            raise RunError(
                f"{self.folder}, {change}",
                f"the stage {later[0]!r} has begun with what {stage!r} left",
                f"take the change back, or start a run of its own with model.path={self.folder / LEAVES[stage]}",
            )
        done = self._steps_of(stage)
        shorter = isinstance(change.old, (int, float)) and isinstance(change.new, (int, float))
        shorter = shorter and change.new < change.old
        if shorter and (stage in self.finished or (change.key == f"{stage}.steps" and change.new < done)):
            raise RunError(
                f"{self.folder}, {change}",
                f"{done} steps of the stage are done",
                "a stage can be lengthened, or shortened to what lies ahead; earlier models are those of export_every",
            )
        if stage in self.finished:
            self.finished = [name for name in self.finished if name not in (stage, "eval")]
            self.results.pop(stage, None)
            self._reopened, self.sealed = True, False

    def _steps_of(self, stage: str) -> int:
        """Steps that a stage had done at its newest checkpoint; 0 without one."""
        return newest_step(self.folder / ("checkpoints" if stage == "rl" else f"checkpoints_{stage}"))

    def take_changes(self) -> None:
        """Write reopened stages to disk as unfinished; before run.yaml says the new length."""
        if self._reopened:
            self._write()

    def said(self) -> list[str]:
        """What changed since the call before, in words."""
        lines = [
            f"goes on with another {change}"
            for change in self.changes
            if change.key.split(".")[0] not in ("stages", "threads")
        ]
        if any(change.effect == "length" for change in self.changes):
            lines.append("schedules that depend on the length go by the new one from here on; the run card says since")
        if any(change.key == "threads" for change in self.changes):
            lines.append("threads changed: from here on last bits differ from a run with one number of threads")
        return lines

    def has(self, stage: str) -> bool:
        """Whether a stage is finished."""
        return stage in self.finished

    def model_folder(self) -> Path | None:
        """The model to go on from: that of the last finished stage; None before the first."""
        for stage in reversed(LEARNING):
            if self.has(stage):
                return self.folder / LEAVES[stage]
        return None

    def finish(self, stage: str, seconds: dict[str, float]) -> None:
        """Mark a stage as finished, on disk."""
        self.finished.append(stage)
        self.seconds, self.sealed = dict(seconds), False
        if dist.is_first():
            self.left |= left_by(self.folder, stage)
        self._write()

    def forget(self, stages: Collection[str], results: Collection[str]) -> None:
        """Count these stages as unfinished again, and drop these results: what they left is gone. Writes to disk."""
        self.finished = [stage for stage in self.finished if stage not in stages]
        self.results = {name: table for name, table in self.results.items() if name not in results}
        self.left = {name: digest for name, digest in self.left.items() if (self.folder / name).is_file()}
        self.sealed = False
        self._write()

    def seal(self) -> None:
        """Note on disk that the finished run is complete, report included."""
        self.sealed = True
        self._write()

    def _write(self) -> None:
        values: dict[str, Any] = {"finished": self.finished, "results": self.results, "seconds": self.seconds}
        values |= {"sealed": self.sealed, "left": self.left}
        if dist.is_first():
            write_atomically(self._file, json.dumps({**values, "digest": _digest(values)}))


def left_by(folder: Path, stage: str) -> dict[str, str]:
    """Digests of the files that a stage leaves, by path in the run folder: its models, and all answers."""
    leaf = LEAVES.get(cast(Stage, stage)) if stage != "record" else None
    files = [file for file in (folder / leaf).rglob("*") if file.is_file()] if leaf is not None else []
    files += folder.glob("answers_*.jsonl")
    if stage == "rl":
        files += [file for export in folder.glob(f"{EXPORT}*") for file in export.rglob("*") if file.is_file()]
    cards = {file for file in files if file.name == README}  # written again as the run goes on
    return {str(file.relative_to(folder)): file_digest(file) for file in sorted({*files} - cards)}


def _digest(values: Mapping[str, Any]) -> str:
    return content_digest(json.dumps(values))
