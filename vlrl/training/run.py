"""`vlrl run`: the stages of one run in order, from settings to report. An interrupted run continues."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any, cast

from rich.console import Console

from vlrl import dist
from vlrl.config import load_settings
from vlrl.data.recipe import Recipe, load_recipe
from vlrl.errors import NonFiniteError, RunError
from vlrl.model.training.policy import Policy
from vlrl.report.report import write_report
from vlrl.report.tracker import open_tracker
from vlrl.runlog.run_folder import FollowedRun, RunFolder, write_atomically
from vlrl.training.distil import run_distil
from vlrl.training.dpo import run_dpo
from vlrl.training.lifecycle.checkpoint import newest_step
from vlrl.training.lifecycle.completeness import complete_ends, left_by
from vlrl.training.lifecycle.run_changes import Change, changes, described, refuse_other_results
from vlrl.training.lifecycle.run_ending import recorded_ending, settings_of
from vlrl.training.lifecycle.run_inputs import RunInputs
from vlrl.training.lifecycle.run_place import claimed
from vlrl.training.lifecycle.stage_inputs import LEAVES, check_inputs
from vlrl.training.monitoring.benchmark_curve import load_curve_benchmarks
from vlrl.training.monitoring.progress import Progress
from vlrl.training.prepare import run_prepare
from vlrl.training.rl.carried_credit import keep_credit_state
from vlrl.training.rl.run_rl import run_rl
from vlrl.training.run_settings import LEARNING, RunSettings, Stage
from vlrl.training.session.open_session import Session, open_session
from vlrl.training.sft import run_sft
from vlrl.training.teacher.record_teacher import pass_over_recorded, run_record
from vlrl.training.teacher.teacher_provenance import keep_teachers
from vlrl.types import content_digest

WORK: dict[Stage, Callable[[Session], Policy | None]] = {
    "sft": run_sft,
    "record": run_record,
    "distil": run_distil,
    "dpo": run_dpo,
    "rl": run_rl,
}


def start_run(
    config: Path, overrides: Sequence[str], stages: Sequence[Stage] | None = None, fresh: bool = False
) -> Path:
    """Run a config's stages, or `stages` in their place, and write the report; returns the run folder.

    With `fresh` a run that the folder holds is set aside, and what it wrote goes when the new one has its results.
    Raises ConfigError/DataError before a model is loaded, RunError if the folder holds a run with other settings.
    """
    if stages:
        overrides = [*overrides, f"stages=[{', '.join(stages)}]"]
    settings = load_settings(RunSettings, config, overrides)
    dist.start(patience_minutes=settings.patience_minutes)
    folder = Path(settings.folder)
    recipe = load_recipe(settings.data)  # a mistake in the recipe is found before the run folder is touched
    if {*LEARNING, "record"} & set(settings.stages):
        recipe.refuse_evaluation_sets()
    if "rl" in settings.stages:
        load_curve_benchmarks(settings.eval.benchmarks)  # and one in a benchmark
    with claimed(folder, "run", fresh) if dist.is_first() else nullcontext() as place:
        if dist.is_first():
            done = State(folder, settings)
            check_inputs(settings, done.finished)
            complete_ends(settings, done)
        dist.barrier()  # the folder is now as it is gone on from
        if not dist.is_first():
            done = State(folder, settings)
        dist.barrier()  # and every rank has read it before the first one writes
        if not all(done.has(stage) for stage in settings.stages):
            _from_start_to_report(settings, recipe, folder, done)
        elif dist.is_first():
            print(f"{folder} holds a finished run of these settings, and all of it is there; --fresh starts it again")
        if place is not None:
            place.finish()
    return folder


def _from_start_to_report(settings: RunSettings, recipe: Recipe, folder: Path, done: State) -> None:
    """Everything from the run card's first line to the report. A run that ends otherwise says why in its card."""
    if not dist.is_first():
        _follow(settings, done)
        return
    resolved = settings.model_dump(mode="json")
    inputs = RunInputs(folder, settings, recipe)
    tracker = open_tracker(settings.tracker, folder, resolved)
    done.take_changes()
    run = RunFolder(folder, resolved, sys.argv, tracker.metrics)
    with recorded_ending(run, tracker), Progress(_totals(settings)) as progress:
        inputs.write()
        if done.changes:
            run.note_session(changed=described(done.changes))
        for line in done.said():
            progress.say(line)
        _run_stages(settings, run, progress, done)
    write_report(folder)
    done.seal()


def _follow(settings: RunSettings, done: State) -> None:
    """The same run on the ranks after the first, which write nothing and say nothing."""
    with Progress(_totals(settings), Console(quiet=True)) as progress:
        _run_stages(settings, FollowedRun(settings.folder), progress, done)


def _run_stages(settings: RunSettings, run: RunFolder, progress: Progress, done: State) -> None:
    started = time.monotonic()
    if "prepare" in settings.stages and not done.has("prepare"):
        if dist.is_first():
            run_prepare(settings, run, progress)
        dist.barrier()
        done.finish("prepare", {})
    if set(settings.stages) <= {"prepare"}:
        return
    session = open_session(settings, run, progress, done.model_folder())
    with closing(session):
        _train_and_evaluate(session, done, started)


def _train_and_evaluate(session: Session, done: State, started: float) -> None:
    settings, context = session.settings, session.context
    run, seconds = context.run, context.seconds
    seconds.update(done.seconds)
    seconds["setup"] = seconds.get("setup", 0.0) + time.monotonic() - started
    wants_eval = "eval" in settings.stages
    compares = "sft" not in settings.stages and bool({"rl", "distil"} & set(settings.stages))
    if wants_eval and compares and "start" not in done.results:
        record_evaluation(session, done, "start")
    for stage in settings.stages:
        if done.has(stage) and stage == "record":
            pass_over_recorded(session)
        if stage not in WORK or done.has(stage):
            continue
        with session.context.timed(stage):
            policy = _work(session, stage)
        if policy is not None:
            policy.save(run.path / LEAVES[stage])
            del policy
            session.model.release_policy()
            keep_teachers(run.path / LEAVES[stage], session.model.taught_by)
            keep_credit_state(run.path / LEAVES[stage], session.model.credit_state)
            if wants_eval:
                record_evaluation(session, done, stage)
        done.finish(stage, seconds)
    if wants_eval and not done.results:
        record_evaluation(session, done, "model")
    if wants_eval:
        done.finish("eval", seconds)
    run.results({**done.results, "wall_seconds": {k: round(v, 2) for k, v in seconds.items()}})


def _work(session: Session, stage: Stage) -> Policy | None:
    """The stage's work. Raises NonFiniteError with the step and the problem that it was found at."""
    try:
        return WORK[stage](session)
    except NonFiniteError as error:
        raise error.at(session.context.at or stage) from error


def record_evaluation(session: Session, done: State, name: str) -> None:
    """Evaluate on the held-out test and keep the table under `name`; nothing where no problem is held out."""
    if not session.held_out.problems.test:
        return
    session.context.progress.start(f"eval {name}", 1)
    with session.context.timed("eval"):
        result = session.held_out.evaluate()
    table = done.results[name] = result.table()
    if dist.is_first():
        lines = "".join(json.dumps(row) + "\n" for row in result.rows())
        write_atomically(session.context.run.path / f"answers_{name}.jsonl", lines)
    session.context.progress.step(f"eval {name}", 1, {"accuracy/mean": table["average"]["sampled"]})


def _totals(settings: RunSettings) -> dict[str, int]:
    steps = {"sft": settings.sft.total_steps, "rl": settings.rl.steps}
    steps |= {
        name: None if one.epochs else one.steps for name, one in (("distil", settings.distil), ("dpo", settings.dpo))
    }
    if settings.record is not None:
        steps["record"] = settings.record.problems
    return {stage: count for stage in settings.stages if (count := steps.get(stage)) is not None}


class State:
    """Which stages of a run are finished (state.json), so that a second call continues and refuses other settings.

    changes  settings that this call has other values of than the one before, none of which the result depends on
    A state that can't be read counts as none: every stage then goes on from its last checkpoint, which is its end.
    """

    def __init__(self, folder: Path, settings: RunSettings) -> None:
        self.folder = folder
        self._file = folder / "state.json"
        self.finished: list[str] = []
        self.results: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}
        self.left: dict[str, str] = {}  # digests of the files that finished stages left to others
        self.sealed = False  # whether the report was written after everything else
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
            held = json.loads(self._file.read_bytes())
            if held.pop("digest", None) not in (None, _digest(held)):
                raise ValueError("its digest is another")
            self.left = {str(name): str(digest) for name, digest in held.get("left", {}).items()}
            self.finished, self.results = [str(one) for one in held["finished"]], dict(held["results"])
            self.seconds, self.sealed = dict(held["seconds"]), bool(held.get("sealed", False))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if dist.is_first():
                print(f"{self._file} is damaged ({error}): every stage goes on from its last checkpoint")
            self.finished, self.results, self.seconds, self.sealed, self.left = [], {}, {}, False, {}

    def _lengthen(self, change: Change) -> None:
        """A stage goes on for longer or ends sooner than was said. Raises RunError where that comes too late."""
        stage = cast(Stage, change.stage)
        later = [one for one in LEARNING[LEARNING.index(stage) + 1 :] if one in self.finished or self._steps_of(one)]
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
            self.finished = [one for one in self.finished if one not in (stage, "eval")]
            self.results.pop(stage, None)
            self._reopened, self.sealed = True, False

    def _steps_of(self, stage: str) -> int:
        """Steps that the stage's newest checkpoint comes after; 0 without one."""
        return newest_step(self.folder / ("checkpoints" if stage == "rl" else f"checkpoints_{stage}"))

    def take_changes(self) -> None:
        """Stages that go on behind their end are unfinished on disk, too; before run.yaml says the new length."""
        if self._reopened:
            self._write()

    def said(self) -> list[str]:
        """What changed since the call before, in words."""
        lines = [
            f"goes on with another {one}" for one in self.changes if one.key.split(".")[0] not in ("stages", "threads")
        ]
        if any(one.effect == "length" for one in self.changes):
            lines.append("schedules that depend on the length go by the new one from here on; the run card says since")
        if any(one.key == "threads" for one in self.changes):
            lines.append("threads changed: from here on last bits differ from a run with one number of threads")
        return lines

    def has(self, stage: str) -> bool:
        """Whether a stage is finished."""
        return stage in self.finished

    def model_folder(self) -> Path | None:
        """The model to go on from: the result of the last finished stage, None before any."""
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
        """These stages count as unfinished again, on disk, and these results as not there: what they left is gone."""
        self.finished = [stage for stage in self.finished if stage not in stages]
        self.results = {name: held for name, held in self.results.items() if name not in results}
        self.left = {name: one for name, one in self.left.items() if (self.folder / name).is_file()}
        self.sealed = False
        self._write()

    def seal(self) -> None:
        """Everything that a finished run has is there."""
        self.sealed = True
        self._write()

    def _write(self) -> None:
        held: dict[str, Any] = {"finished": self.finished, "results": self.results, "seconds": self.seconds}
        held |= {"sealed": self.sealed, "left": self.left}
        if dist.is_first():
            write_atomically(self._file, json.dumps({**held, "digest": _digest(held)}))


def _digest(held: Mapping[str, Any]) -> str:
    return content_digest(json.dumps(held))
