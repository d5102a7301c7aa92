"""`vlrl run`: the stages of one run in order, from settings to report. An interrupted run continues."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from pathlib import Path

from rich.console import Console

from vlrl import dist
from vlrl.config import load_settings
from vlrl.data.recipe import Recipe, load_recipe
from vlrl.errors import NonFiniteError
from vlrl.evaluation.harness.harness_settings import CALLED, check_tasks
from vlrl.model.folders.hub import is_local
from vlrl.model.training.policy import Policy
from vlrl.report.model_cards.card_files import write_model_cards
from vlrl.report.report import write_report
from vlrl.report.trackers.tracker import open_tracker
from vlrl.runlog.run_folder import FollowedRun, RunFolder, write_atomically
from vlrl.training.distil import run_distil
from vlrl.training.dpo import run_dpo
from vlrl.training.lifecycle.completeness import complete_ends
from vlrl.training.lifecycle.run_accounts import token_account, weight_digests
from vlrl.training.lifecycle.run_changes import described
from vlrl.training.lifecycle.run_claim import claimed
from vlrl.training.lifecycle.run_ending import recorded_ending
from vlrl.training.lifecycle.run_inputs import RunInputs
from vlrl.training.lifecycle.run_state import RunState
from vlrl.training.lifecycle.stage_inputs import LEAVES, check_inputs
from vlrl.training.monitoring.benchmark_curve import load_curve_benchmarks
from vlrl.training.monitoring.integrity import integrity_checks
from vlrl.training.monitoring.progress import Progress
from vlrl.training.prepare import run_prepare
from vlrl.training.rl.carried_credit import keep_credit_state
from vlrl.training.rl.rl_settings import FROZEN
from vlrl.training.rl.run_rl import run_rl
from vlrl.training.run_settings import LEARNING, RunSettings, Stage
from vlrl.training.session.open_session import Session, open_session
from vlrl.training.sft import run_sft
from vlrl.training.teacher.record_teacher import pass_over_recorded, run_record
from vlrl.training.teacher.teacher_provenance import keep_teachers

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
        load_curve_benchmarks(settings.eval.benchmarks, settings.engine)  # and one in a benchmark
        if settings.eval.harness is not None:
            check_tasks(settings.eval.harness, "eval.harness")
    with claimed(folder, "run", fresh) if dist.is_first() else nullcontext() as claim:
        if dist.is_first():
            done = RunState(folder, settings)
            check_inputs(settings, done.finished)
            complete_ends(settings, done)
        dist.barrier()  # from here on the folder is as the run finds it
        if not dist.is_first():
            done = RunState(folder, settings)
        dist.barrier()  # and every rank has read it before the first one writes
        if not all(done.has(stage) for stage in settings.stages):
            _from_start_to_report(settings, recipe, folder, done)
        elif dist.is_first():
            print(f"{folder} holds a finished run of these settings, and all of it is there; --fresh starts it again")
        if claim is not None:
            claim.finish()
    return folder


def _from_start_to_report(settings: RunSettings, recipe: Recipe, folder: Path, done: RunState) -> None:
    """Train, evaluate and report; the run card says from the first second what runs, and in the end how it ended."""
    if not dist.is_first():
        _follow(settings, done)
        return
    resolved = settings.model_dump(mode="json")
    inputs = RunInputs(folder, settings, recipe)
    tracker = open_tracker(settings.tracker, folder, resolved)
    done.take_changes()
    run = RunFolder(folder, resolved, sys.argv, tracker.metrics, shown=tracker.rollouts)
    with recorded_ending(run, tracker), Progress(_totals(settings)) as progress:
        run.refuse_lost_images(done.finished)  # stages to come see to their own
        inputs.write()
        if done.changes:
            run.note_session(changed=described(done.changes))
        for line in done.said():
            progress.say(line)
        _run_stages(settings, run, progress, done)
    write_report(folder)
    done.seal()


def _follow(settings: RunSettings, done: RunState) -> None:
    """Run the same stages on a rank after the first, which writes and prints nothing."""
    with Progress(_totals(settings), Console(quiet=True)) as progress:
        _run_stages(settings, FollowedRun(settings.folder), progress, done)


def _run_stages(settings: RunSettings, run: RunFolder, progress: Progress, done: RunState) -> None:
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


def _train_and_evaluate(session: Session, done: RunState, started: float) -> None:
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
            session.runtime.release_policy()
            keep_teachers(run.path / LEAVES[stage], session.runtime.taught_by)
            keep_credit_state(run.path / LEAVES[stage], session.runtime.credit_state)
            if dist.is_first():
                write_model_cards(run.path)
            if wants_eval:
                record_evaluation(session, done, stage)
        done.finish(stage, seconds)
    if wants_eval and not done.results:
        record_evaluation(session, done, "model")
    if wants_eval:
        done.finish("eval", seconds)
    run.results({**done.results, "wall_seconds": {k: round(v, 2) for k, v in seconds.items()}})
    if dist.is_first():
        _note_accounts(session)


def _note_accounts(session: Session) -> None:
    """Tokens by kind, overlap of data, integrity checks and digests of weights into the run card."""
    settings, run = session.settings, session.context.run
    judge = settings.reward_model
    read = {
        "model": settings.model.path,
        "reward_model": None if judge is None or judge.endpoint is not None else str(judge.weights),
        **{f"rl.{name}": one.path for name in ("teacher", *FROZEN) if (one := getattr(settings.rl, name)) is not None},
    }
    local = {name: Path(path).expanduser() for name, path in read.items() if path is not None and is_local(path)}
    written = {name: run.path / name for name in LEAVES.values()}
    metrics = run.path / "metrics.jsonl"
    run.note(
        tokens=token_account(metrics),
        data_overlap=session.overlap.described(run.path, _harness_tasks(settings)),
        integrity=integrity_checks(metrics, settings.rl.model_dump(mode="json")),
        weights={
            "read": {
                name: {"folder": str(local[name].resolve()), "files": files}
                for name, files in weight_digests(local).items()
            },
            "written": weight_digests(written),
        },
    )


def _harness_tasks(settings: RunSettings) -> list[str]:
    """Evaluation sets whose problems their harnesses keep to themselves."""
    harness = settings.eval.harness if "rl" in settings.stages else None
    return [] if harness is None else [f"{CALLED[name]} {task}" for name, task in harness.names]


def _work(session: Session, stage: Stage) -> Policy | None:
    """Train one stage. Raises NonFiniteError with the step and the problem at which a number wasn't finite."""
    try:
        return WORK[stage](session)
    except NonFiniteError as error:
        raise error.at(session.context.at or stage) from error


def record_evaluation(session: Session, done: RunState, name: str) -> None:
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
    steps: dict[str, int | None] = {"sft": settings.sft.total_steps, "rl": settings.rl.steps}
    for name, stage_settings in (("distil", settings.distil), ("dpo", settings.dpo)):
        steps[name] = None if stage_settings.epochs else stage_settings.steps
    if settings.record is not None:
        steps["record"] = settings.record.problems
    return {stage: count for stage in settings.stages if (count := steps.get(stage)) is not None}
