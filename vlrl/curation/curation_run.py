"""A whole curation from problems to files: funnel, warm-up set, what is written. The engine is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vlrl.curation.curation_report import write_curation_report
from vlrl.curation.curation_settings import CurateSettings
from vlrl.curation.funnel import Funnel, StageResult, run_funnel
from vlrl.curation.model_answers import EngineAsk
from vlrl.curation.recipe_rows import write_with_recipe
from vlrl.curation.selection.balance import balance_report
from vlrl.curation.selection.difficulty import HARD_POOL
from vlrl.curation.selection.hint_tuning import STAGE as HINTS
from vlrl.curation.selection.hint_tuning import HintSet, tune_hints
from vlrl.curation.selection.long_cot_warmup import STAGE, WarmupSet, sample_demonstrations
from vlrl.curation.stage import Context
from vlrl.curation.test_cases.written_generators import counts_said
from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.problem_files import write_problem_file
from vlrl.runlog.own_files import remove_own
from vlrl.runlog.run_folder import RunFolder, write_atomically
from vlrl.types import Problem


@dataclass(frozen=True)
class Shown:
    """What is told while it goes on: a stage and its number of problems, how many are done, a line."""

    start: Callable[[str, int], None] = lambda name, count: None
    step: Callable[[str, int], None] = lambda name, done: None
    say: Callable[[str], None] = lambda text: None


@dataclass(frozen=True)
class Curated:
    """The funnel, the warm-up set and the hints of a finished curation."""

    funnel: Funnel
    warmup: WarmupSet | None
    hints: HintSet | None = None


def curate(
    problems: Sequence[Problem],
    settings: CurateSettings,
    run: RunFolder,
    ask: EngineAsk | None,
    budget: ImageBudget,
    shown: Shown | None = None,
    plugins: Sequence[str] = (),
) -> Curated:
    """Run all stages and write everything into the run folder:

    curated.jsonl (+ images/, curated_recipe.yaml), dropped.jsonl, pass_rates.jsonl, hard.jsonl, faults.jsonl,
    demonstrations.jsonl and hints.jsonl (+ recipe, provenance), preferences.jsonl, results.json and curation.html.
    Raises what the stages raise.
    """
    shown = shown or Shown()
    now = ""

    def started(name: str, count: int) -> None:
        nonlocal now
        now = name
        shown.start(name, count)

    def ended(result: StageResult) -> None:
        shown.step(result.name, result.entered)
        shown.say(_line(result))

    context = Context(settings.seed, ask, lambda done: shown.step(now, done))
    funnel = run_funnel(problems, settings.stages, context, started, ended)
    warmup = None
    if settings.warmup is not None:
        started(STAGE, len(funnel.kept[: settings.warmup.problems]))
        warmup = sample_demonstrations(funnel.kept, settings.warmup, context.model)
        shown.say(f"{STAGE}: {warmup.sampled} responses → {len(warmup.demonstrations)} demonstrations")
    hints = None
    if settings.hints is not None:
        started(HINTS, len(funnel.kept))
        hints = tune_hints(funnel.kept, settings.hints, context.model)
        shown.say(
            f"{HINTS}: {hints.problems} problems → {len(hints.demonstrations)} demonstrations ({dict(hints.cases)})"
        )
        share, writer = settings.recipe_held_out, context.model.model_hash
        write_with_recipe(run.path, HINTS, hints.demonstrations, budget, share, plugins, writer)
        write_atomically(run.path / f"{HINTS}_provenance.jsonl", _lines(hints.provenance))
    _write(funnel, warmup, settings, run, budget, plugins, None if ask is None else ask.model_hash)
    results = results_of(funnel, warmup, ask) | ({} if hints is None else {"hints": hints.record()})
    run.results(results)
    write_curation_report(run.path, settings, funnel, warmup, results)
    return Curated(funnel, warmup, hints)


def results_of(funnel: Funnel, warmup: WarmupSet | None, ask: EngineAsk | None) -> dict[str, Any]:
    """What results.json holds."""
    read = [d.problem for d in funnel.stages[0].decisions]
    return {
        "read": len(read),
        "kept": len(funnel.kept),
        "faults": sum(sum(stage.faults.values()) for stage in funnel.stages),
        "stages": [stage.record() for stage in funnel.stages],
        "balance": {"read": balance_report(read), "kept": balance_report(funnel.kept)},
        "warmup": None if warmup is None else warmup.record(),
        "model_hash": None if ask is None else ask.model_hash,
        "asked_in_this_session": 0 if ask is None else ask.asked,
        "answers_from_disk": 0 if ask is None else ask.reused,
    }


def _line(result: StageResult) -> str:
    reasons = [f"{count} {reason}" for reason, count in result.dropped.items()]
    reasons += [f"{count} FAULT: {reason}" for reason, count in result.faults.items()]
    reasons += [said] if (said := counts_said(result.totals)) else []
    return f"{result.name}: {result.entered} → {result.out}" + (f" ({', '.join(reasons)})" if reasons else "")


def _write(
    funnel: Funnel,
    warmup: WarmupSet | None,
    settings: CurateSettings,
    run: RunFolder,
    budget: ImageBudget,
    plugins: Sequence[str],
    model_hash: str | None,
) -> None:
    folder, share = run.path, settings.recipe_held_out
    write_with_recipe(folder, "curated", funnel.kept, budget, share, plugins)
    write_atomically(folder / "dropped.jsonl", _lines(_dropped(funnel)))
    write_atomically(folder / "pass_rates.jsonl", _lines(_pass_rates(funnel, settings)))
    for name, members in {HARD_POOL: [], **funnel.pools, "faults": funnel.faulted}.items():
        remove_own(folder / f"{name}.jsonl")  # of an earlier call with other settings
        if members:
            write_problem_file(folder / f"{name}.jsonl", members)
    if warmup is not None:
        write_with_recipe(folder, "demonstrations", warmup.demonstrations, budget, share, plugins, model_hash)
        write_atomically(folder / "demonstrations_provenance.jsonl", _lines(warmup.provenance))
        remove_own(folder / "preferences.jsonl")
        if warmup.preferences:
            write_problem_file(folder / "preferences.jsonl", warmup.preferences)


def _dropped(funnel: Funnel) -> list[dict[str, Any]]:
    return [
        {
            "id": decision.problem.id,
            "stage": stage.name,
            "outcome": decision.outcome,
            "reason": decision.reason,
            "detail": decision.detail,
            "measured": dict(decision.measured),
        }
        for stage in funnel.stages
        for decision in stage.decisions
        if decision.outcome != "kept"
    ]


def _pass_rates(funnel: Funnel, settings: CurateSettings) -> list[dict[str, Any]]:
    """Every rate with what it was measured with: model hash, sampling, seed."""
    return [
        {
            "id": decision.problem.id,
            "stage": stage.name,
            **decision.measured,
            "sampling": stage.settings["sampling"],
            "seed": settings.seed,
        }
        for stage in funnel.stages
        for decision in stage.decisions
        if "pass_rate" in decision.measured
    ]


def _lines(rows: Sequence[Any]) -> str:
    return "".join(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)
