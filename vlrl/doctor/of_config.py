"""A config on this host: settings, recipe, what it reads, golds, and one step at tiny size in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from vlrl.doctor.finding import Finding, note, ok, problem
from vlrl.errors import VlrlError

if TYPE_CHECKING:
    from vlrl.data.recipe import Recipe
    from vlrl.training.run_settings import RunSettings

GOLDS = 64  # problems whose golds are judged
STEP_SECONDS = 300  # after which a step is given up
SHOWN = 3  # golds that are named


def check_config(config: Path, overrides: Sequence[str], with_step: bool) -> Iterator[Finding]:
    """What shows before a run is started. Ends at the first thing without which the rest is moot."""
    from vlrl.config import load_settings
    from vlrl.data.recipe import load_recipe
    from vlrl.training.lifecycle.stage_inputs import check_inputs
    from vlrl.training.run_settings import RunSettings

    try:
        settings = load_settings(RunSettings, config, overrides)
        yield ok("settings", f"{settings.name}: stages {', '.join(settings.stages)}")
        recipe = load_recipe(settings.data)
        yield ok("recipe", f"{settings.data}: {', '.join(recipe.shares)}")
        check_inputs(settings)  # every model folder with its weights, as a run does
        yield from described_model(settings)
        yield from check_programs(recipe, settings)
    except VlrlError as error:
        yield problem(error.place, error.problem, error.remedy or "mend it there")
        return
    yield from check_golds(recipe, settings.seed)
    if with_step:
        yield from check_step(config, overrides, settings)


def check_programs(recipe: Recipe, settings: RunSettings) -> Iterator[Finding]:
    """Where programs of the model would run. Raises ConfigError where this host or the service refuses."""
    if recipe.runs_programs:
        from vlrl.code_execution import executor
        from vlrl.code_execution.languages import host_is_missing

        executor.configure(settings.sandbox)
        executor.check()
        if settings.sandbox.isolation == "rlimits":
            yield note("sandbox", "programs of the model run with limits alone, not isolated", "isolation: bubblewrap")
            return
        yield ok("sandbox", f"programs of the model run by {settings.sandbox.isolation}")
        if settings.sandbox.url is None and (missing := host_is_missing()):
            yield note("sandbox", f"languages without a toolchain: {', '.join(missing)}")


def described_model(settings: RunSettings) -> Iterator[Finding]:
    """What a configured model folder holds. Raises ConfigError as a run does for one that is no whole model."""
    from vlrl.model.folders.model_folder import open_folder

    for place, model in {"model": settings.model, "rl.teacher": settings.rl.teacher}.items():
        if model is not None and model.path is not None and Path(model.path).expanduser().is_dir():
            held = open_folder(model.path, f"{place}.path")
            kinds = f"{type(held.config).__name__.removesuffix('Config')}, {type(held.processor).__name__}"
            yield ok(place, f"{model.path}: {kinds} with {type(held.processor.image_processor).__name__}")


def check_golds(recipe: Recipe, seed: int, count: int = GOLDS) -> Iterator[Finding]:
    """Whether the verifiers accept the golds of a sample of problems."""
    from vlrl.data.inspection.recipe_sample import draw_sample
    from vlrl.verify.gold_check import gold_problem

    try:
        items = [item.problem for item in draw_sample(recipe, seed, count).items]
    except VlrlError as error:
        yield problem(error.place, error.problem, error.remedy or "mend it there")
        return
    refused = [(one, said) for one in items if (said := gold_problem(one)) is not None]
    if not refused:
        yield ok("golds", f"all {len(items)} of a sample are accepted by their verifiers")
        return
    shown = "; ".join(f"{one.id}: {said}" for one, said in refused[:SHOWN])
    yield problem(
        "golds",
        f"{len(refused)} of {len(items)} can't be earned: {shown}",
        "mend these rows or their verifier; `vlrl data stats` counts them",
    )


def check_step(config: Path, overrides: Sequence[str], settings: RunSettings) -> Iterator[Finding]:
    """One step of the config's model with its engine, then with the other engine where it is installed."""
    from vlrl.rollout.engine_registry import name_of

    own = name_of(settings.engine)
    yield from _one_step(config, overrides, settings, own, ())
    if own == "transformers" and find_spec("vllm") is not None and "rl" in settings.stages:
        for found in _one_step(config, overrides, settings, "vllm", ("engine={name: vllm}",)):
            yield (
                found
                if found.level != "problem"
                else note(found.name, found.said, "engine: transformers, as the config says")
            )


def tiny(settings: RunSettings) -> list[str]:
    """Overrides that make one small step of the first stage that trains: the last of its kind that the config names."""
    stage = next((one for one in ("rl", "sft", "dpo", "distil") if one in settings.stages), "eval")
    small = [f"stages=[{stage}]", "tracker=none", "eval.problems=2", "eval.curve_problems=2", "eval.benchmarks=null"]
    small += ["eval.harness=null", "eval.benchmarks_every=null"]
    if stage == "rl":
        small += [
            "rl.steps=1",
            "rl.problems_per_step=4",
            f"rl.rollouts_per_problem={max(2, settings.rl.credit.advantage.least)}",
        ]
        small += [f"rl.sampling.max_tokens={min(16, settings.rl.sampling.max_tokens)}", "rl.max_tokens_from_step={}"]
        small += ["rl.agreement.probe_every=1", "rl.agreement.groups=1", "rl.agreement.min_shift=1.0e-30"]
    elif stage == "sft" and not settings.sft.phases:
        small += ["sft.steps=1", "sft.epochs=null", "sft.batch=2", "sft.validate_every=1"]
        if isinstance(settings.sft.demonstrations, int):
            small += ["sft.demonstrations=8"]
    elif stage in ("dpo", "distil"):
        small += [f"{stage}.steps=1", f"{stage}.epochs=null", f"{stage}.batch=2"]
    return small


def _one_step(
    config: Path, overrides: Sequence[str], settings: RunSettings, engine: str, more: Sequence[str]
) -> Iterator[Finding]:
    name = f"one step, engine {engine}"
    with tempfile.TemporaryDirectory(prefix="vlrl_doctor_") as place:
        given = [*overrides, *tiny(settings), *more, f"run_folder={place}/run"]
        command = [sys.executable, "-m", "vlrl", "run", str(config), *given]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=STEP_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            yield note(
                name,
                f"took more than {STEP_SECONDS} seconds",
                "`vlrl plan CONFIG` says what it needs; --no-step leaves it out",
            )
            return
        if done.returncode:
            said = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["nothing was said"]
            start = next((i for i, line in enumerate(said) if line.startswith("error: ")), len(said) - 1)
            ended = f"signal {-done.returncode}: " if done.returncode < 0 else ""
            remedy = next(
                (line.strip(" →") for line in said[start + 1 :] if "→" in line), "run it alone to see all that it says"
            )
            yield problem(name, ended + said[start].removeprefix("error: "), remedy)
            return
        yield ok(name, f"{len(done.stdout.splitlines())} lines of output, ended well")
        yield from _probe(Path(place) / "run" / "metrics.jsonl", settings, engine)


def _probe(file: Path, settings: RunSettings, engine: str) -> Iterator[Finding]:
    """What the step's sees-the-image probe measured: how far answers move where the image is exchanged."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []
    shifts = [
        value for line in lines for key, value in line.items() if key.startswith("probe/") and key.endswith("_shift")
    ]
    if not shifts:
        yield ok("sees the image", "no problem with an image was among those of the step")
        return
    least = settings.rl.agreement.min_shift
    said = f"another image moves a token's log-probability by {shifts[0]:.2g} nats (engine {engine})"
    if shifts[0] >= least:
        yield ok("sees the image", said)
    elif settings.model.path is None:
        yield note("sees the image", f"{said}, less than {least:g}", "a built model learns it in its warm-up")
    else:
        yield problem(
            "sees the image",
            f"{said}, less than {least:g}: the model doesn't see it",
            "check its projector and processor; a model without vision needs a warm-up",
        )
