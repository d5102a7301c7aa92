"""`vlrl curate CONFIG`: problems in, a set worth training on out, with a funnel. An interrupted run continues."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import torch

from vlrl.code_execution import executor
from vlrl.config import load_settings
from vlrl.curation.answer_journal import Journal
from vlrl.curation.curation_run import Curated, Shown, curate
from vlrl.curation.curation_settings import CurateSettings
from vlrl.curation.funnel import Funnel
from vlrl.curation.matching.text_words import typed_text
from vlrl.curation.model_answers import EngineAsk, model_hash
from vlrl.curation.stage import stage_name
from vlrl.curation.test_cases.written_generators import counts_said
from vlrl.data.fixed_sets import held_out_problems, ids_of, usable_items
from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.mixture import Mixture
from vlrl.data.problem_files import read_problems
from vlrl.data.recipe import Recipe, load_recipe
from vlrl.data.rows.bad_rows import Check, SkippedRows
from vlrl.data.rows.prompt_template import wrapped
from vlrl.data.sources import build_sources
from vlrl.errors import ConfigError, DataError, RunError
from vlrl.installation.shipped import locate
from vlrl.model.folders.model_folder import check_folder
from vlrl.model.load import LoadedModel, load_model
from vlrl.model.prompts.control_tokens import control_tokens
from vlrl.model.prompts.encode import Encoder
from vlrl.model.prompts.prompt_check import PromptCheck
from vlrl.rollout.distributed_engine import check_engine, open_engine
from vlrl.runlog.run_folder import RunFolder
from vlrl.training.lifecycle.run_claim import claimed
from vlrl.training.lifecycle.run_ending import recorded_ending, settings_of
from vlrl.training.monitoring.progress import Progress
from vlrl.training.session.open_session import describe_model
from vlrl.types import Problem


def start_curation(config: Path, overrides: Sequence[str] = (), fresh: bool = False) -> Curated:
    """Curate as a config says and print the funnel. With `fresh` what the folder holds is set aside until it is done.

    Raises ConfigError or DataError before a model is loaded, RunError if the folder holds another kind of run.
    """
    settings = load_settings(CurateSettings, config, overrides)
    executor.configure(settings.sandbox)
    for stage in settings.stages:
        stage.check()
    folder = Path(settings.folder)
    _refuse_other_runs(folder)
    if settings.model is not None and settings.model.path is not None and settings.needs_model:
        check_folder(settings.model.path, "model.path")
    if settings.hints is not None:
        settings.hints.check_traces()
    problems, budget, recipe = read_input(settings)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    with claimed(folder, "curation", fresh) as claim:
        curated = _curated(settings, problems, budget, recipe)
        claim.finish()
    print(funnel_table(curated.funnel))
    print(f"{folder / 'curated.jsonl'}: {len(curated.funnel.kept)} problems; report: {folder / 'curation.html'}")
    return curated


def _curated(
    settings: CurateSettings, problems: Sequence[Problem], budget: ImageBudget, recipe: Recipe | None
) -> Curated:
    loaded = load_asked(settings, problems) if settings.needs_model else None  # one that can't be used leaves no folder
    if loaded is not None:
        problems = that_can_be_asked(problems, settings, loaded, budget, recipe)
    run = RunFolder(settings.folder, settings.as_written(), sys.argv)
    with recorded_ending(run):
        with ExitStack() as held:
            progress = held.enter_context(Progress({stage_name(stage): len(problems) for stage in settings.stages}))
            ask = asking(settings, loaded, budget, run, progress) if loaded is not None else None
            if ask is not None:
                held.callback(ask.close)
            shown = Shown(progress.start, lambda name, done: progress.step(name, done, {}), progress.say)
            curated = curate(problems, settings, run, ask, budget, shown, plugins_of(recipe, settings))
        run.note(data={"from": settings.data, "problems": len(problems)})
    return curated


def plugins_of(recipe: Recipe | None, settings: CurateSettings) -> tuple[str, ...]:
    """Plugin files that the problems which are kept may need: the recipe's, and those of the config."""
    own = (str(locate(one, "example").resolve()) for one in settings.plugins)
    return tuple(dict.fromkeys((*(recipe.plugins if recipe else ()), *own)))


def _refuse_other_runs(folder: Path) -> None:
    held = settings_of(folder)
    if held is not None and "stages" in held and "examples" not in held:
        raise RunError(str(folder), "holds a training run", "give another run_folder=…")


def load_asked(settings: CurateSettings, problems: Sequence[Problem]) -> LoadedModel:
    """The model that is asked; a small one is trained on the problems' text and built in the run folder."""
    assert settings.model is not None, "the settings refuse a stage that asks without a model"
    check_engine(settings.engine)
    return load_model(
        settings.model,
        settings.seed,
        lambda: [typed_text(p) for p in problems],
        Path(settings.folder) / "built_model",
        settings.engine.check,
    )


def asking(
    settings: CurateSettings, loaded: LoadedModel, budget: ImageBudget, run: RunFolder, progress: Progress
) -> EngineAsk:
    """The model's engine and the journal of the run folder."""
    encoder = Encoder(loaded, budget, settings.system_prompt)
    name = model_hash(loaded)
    run.note(model={**describe_model(loaded), "hash": name})
    return EngineAsk(
        encoder.encode,
        open_engine(settings.engine, loaded),
        Journal(run.path / "answers.jsonl"),
        name,
        settings.seed,
        {"system": settings.system_prompt or "", "image": budget.model_dump(), "context": loaded.context},
        settings.batch,
        settings.max_fault_rate,
        lambda stage, done, _, figures: progress.step(stage, done, figures),
        control_tokens(loaded.tokenizer, (*loaded.placeholder_ids, *loaded.stop_ids)).read,
    )


def read_input(settings: CurateSettings) -> tuple[list[Problem], ImageBudget, Recipe | None]:
    """The problems, the image budget, and the recipe, if they are of one. Raises ConfigError or DataError."""
    if Path(settings.data).suffix == ".jsonl":
        return read_problems(settings.data)[: settings.problems], settings.image or ImageBudget(), None
    recipe = load_recipe(settings.data)
    return drawn(recipe, settings), settings.image or recipe.image, recipe


def that_can_be_asked(
    problems: Sequence[Problem],
    settings: CurateSettings,
    loaded: LoadedModel,
    budget: ImageBudget,
    recipe: Recipe | None,
) -> Sequence[Problem]:
    """The problems, or where the model can't be asked one of them, those that are drawn once more without such rows.

    Raises BadRowError with the row's place where its source stops for it, DataError for a problem of a problem file.
    """
    encoder = Encoder(loaded, budget, settings.system_prompt)
    checks = [(template, PromptCheck(loaded, encoder, budget, most)) for template, most in settings.asked]

    def check(problem: Problem) -> None:
        for template, fits in checks:
            fits(wrapped(problem, template))

    try:
        for problem in problems:
            check(problem)
    except DataError:
        if recipe is None:
            raise
        return drawn(recipe, settings, check)
    return problems


def drawn(recipe: Recipe, settings: CurateSettings, check: Check | None = None) -> list[Problem]:
    """Training problems of a recipe, none of them held out: a number by weight, or every one of finite sources once.

    A problem that `check` raises for is a bad row of its source.
    """
    banned = [
        problem
        for split in ("validation", "test")
        for problem in (
            held_out_problems(recipe, settings.seed, split, settings.held_out) if settings.held_out else []  # type: ignore[arg-type]
        )
    ]
    if settings.problems is not None:
        return Mixture(recipe, settings.seed, banned, check).draw(settings.problems)
    sources, skipped, ids = build_sources(recipe, settings.seed), SkippedRows(recipe), ids_of(banned)
    for source in sources:
        if source.size is None:
            raise ConfigError(
                "problems", f"is missing, and source {source.name!r} is endless", "say how many are to be drawn"
            )
    return [problem for source in sources for problem, _ in usable_items(source, "train", skipped, ids, check=check)]


def funnel_table(funnel: Funnel) -> str:
    """One line a stage: in, out, reasons; faults by name."""
    lines = []
    for stage in funnel.stages:
        reasons = [f"{count} {reason}" for reason, count in stage.dropped.items()]
        reasons += [f"{count} FAULT {reason}" for reason, count in stage.faults.items()]
        reasons += [said] if (said := counts_said(stage.totals)) else []
        lines.append(f"{stage.name:<18} {stage.entered:>7} → {stage.out:<7} {', '.join(reasons)}".rstrip())
    return "\n".join(lines)
