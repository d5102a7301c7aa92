"""From settings to everything that the stages of a run share; data before model, so that a mistake costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from vlrl import dist
from vlrl.code_execution import executor
from vlrl.curriculum.problem_sampler import ProblemSampler, ProblemSamplerSettings
from vlrl.data.fixed_sets import check_demonstrations
from vlrl.data.mixture import Mixture, recipe_texts
from vlrl.data.recipe import Recipe, load_recipe
from vlrl.errors import ConfigError, DataError
from vlrl.evaluation.held_out import twin_places
from vlrl.model.folders.processor_compat import loads_with
from vlrl.model.load import LoadedModel, load_folder, load_model
from vlrl.model.optimization.lora import adapted_layers
from vlrl.model.optimization.parameter_groups import part_of
from vlrl.model.prompts.encode import Encoder
from vlrl.model.prompts.prompt_check import PromptCheck
from vlrl.model.tiny import build_tiny
from vlrl.reward_models.learned_verifier import configure_reward_model
from vlrl.rollout.colocated import ColocatedEngine
from vlrl.rollout.distributed_engine import open_engine
from vlrl.runlog.run_folder import RunFolder
from vlrl.training.lifecycle.preflight import check_machine
from vlrl.training.monitoring.benchmark_curve import BenchmarkCurve, CurveBenchmark, load_curve_benchmarks
from vlrl.training.monitoring.data_overlap import DataOverlap
from vlrl.training.monitoring.progress import Progress
from vlrl.training.run_settings import RunSettings
from vlrl.training.session.held_out_sets import HeldOutProblems, HeldOutSets
from vlrl.training.session.model_runtime import ModelRuntime
from vlrl.training.session.run_context import RunContext
from vlrl.training.teacher.teacher_provenance import teachers_of
from vlrl.types import Problem
from vlrl.verify.learned.reward_model import NAME
from vlrl.verify.plugins import guarded

TOKENIZER_TEXTS = 4000


@dataclass(frozen=True)
class Session:
    """What the stages of one run share.

    mixture, problem_sampler  the training problems, and who chooses among them
    benchmarks                those on the training curve
    overlap                   holds what stages train on against what the run is tested on
    """

    context: RunContext
    recipe: Recipe
    mixture: Mixture
    problem_sampler: ProblemSampler
    runtime: ModelRuntime
    held_out: HeldOutSets
    benchmarks: BenchmarkCurve
    overlap: DataOverlap = field(default_factory=DataOverlap)

    @property
    def settings(self) -> RunSettings:
        """Those of the run."""
        return self.context.settings

    def close(self) -> None:
        """End what the engine started."""
        self.runtime.close()


def open_session(
    settings: RunSettings, run: RunFolder, progress: Progress, model_folder: Path | None = None
) -> Session:
    """Read the recipe, draw what is held out, load the model and start the engine.

    model_folder  the model that the run goes on with; None: the one that the settings name
    Raises ConfigError or DataError before the model is loaded, wherever that can be known.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    check_machine(settings)
    guarded.configure(settings.judging)
    context = RunContext(settings, run, progress)
    recipe = load_recipe(settings.data)
    executor.configure(settings.sandbox)
    if recipe.runs_programs:
        executor.check()
    _open_judge(settings, recipe)
    held_out = HeldOutProblems.draw(recipe, settings)
    held_out.say_what_is_missing(context)
    if "sft" in settings.stages and settings.sft.rollouts is None and model_folder is None:
        for phase in settings.sft.in_order:
            check_demonstrations(recipe, settings.seed, phase.demonstrations, held_out.all)
    mixture, problem_sampler = _training_problems(settings, recipe, held_out)
    benchmarks = load_curve_benchmarks(settings.eval.benchmarks if "rl" in settings.stages else None, settings.engine)
    harness = settings.eval.harness if "rl" in settings.stages else None
    loaded = _load(context, recipe, model_folder)
    for _, policy in settings.policies:
        if policy.lora is not None:
            adapted_layers(loaded.model, policy.lora)  # a wrong name is found before an earlier stage trains
    taught_by = teachers_of(model_folder or settings.model.path)
    encoder = Encoder(loaded, recipe.image, settings.system_prompt, settings.environment.tool_schemas())
    check = PromptCheck(loaded, encoder, recipe.image, _longest_response(settings))
    try:
        for problem in held_out.all:
            check(problem)
    except DataError:  # drawn once more, without those that can't be asked if their source says so
        held_out = HeldOutProblems.draw(recipe, settings, check)
        mixture, problem_sampler = _training_problems(settings, recipe, held_out)
    mixture.check = check
    engine = ColocatedEngine(open_engine(settings.engine, loaded), loaded.device)
    model = ModelRuntime(loaded, encoder, engine, settings.backend, taught_by)
    curve = BenchmarkCurve(benchmarks, loaded, engine, harness, run.path / "harness.log")
    _note_in_card(context, recipe, held_out, loaded, curve)
    sets = HeldOutSets(held_out, settings, recipe, model)
    fresh = [source.name for source in mixture.sources if source.fresh]
    overlap = DataOverlap(evaluation_sets(held_out, benchmarks), fresh)
    return Session(context, recipe, mixture, problem_sampler, model, sets, curve, overlap)


def evaluation_sets(held_out: HeldOutProblems, benchmarks: Sequence[CurveBenchmark]) -> dict[str, Sequence[Problem]]:
    """By name, all problems that a run is tested on."""
    named = {f"benchmark {one.name}": one.benchmark.problems for one in benchmarks}
    return {"validation": held_out.validation, "test": held_out.test, **named}


def _open_judge(settings: RunSettings, recipe: Recipe) -> None:
    """The reward model that verdicts ask. Raises ConfigError where one is needed and none is named, or the folder holds
    none.
    """
    audit = settings.rl.audit if "rl" in settings.stages else None
    seconds = () if audit is None else audit.asked
    if settings.reward_model is None and NAME in (*recipe.verifiers, *seconds):
        raise ConfigError(
            "reward_model",
            f"is missing, and {'the audit' if NAME in seconds else 'a source'} names the verifier {NAME}",
            "name the folder of a trained one: `reward_model: {path: …}`, or a served one by `endpoint`",
        )
    if settings.reward_model is not None and NAME not in (*recipe.verifiers, *seconds):
        raise ConfigError(
            "reward_model",
            "is given, and neither a source nor the audit names it",
            f"write `verifier: {NAME}` in the recipe, or leave it out",
        )
    if settings.reward_model is not None and audit is not None and audit.process == NAME:
        kind = settings.reward_model.kind or settings.reward_model.card().kind
        if kind == "classic":
            raise ConfigError(
                "rl.audit, process",
                "is reward_model, and a classic one reads no reasoning",
                "name a chain_of_thought one",
            )
    configure_reward_model(settings.reward_model)


def _training_problems(
    settings: RunSettings, recipe: Recipe, held_out: HeldOutProblems
) -> tuple[Mixture, ProblemSampler]:
    """Without RL nobody chooses among the problems. Raises ConfigError or DataError as the sampler does."""
    mixture = Mixture(recipe, settings.seed, held_out.all)
    chooses = settings.rl.problem_sampler if "rl" in settings.stages else ProblemSamplerSettings()
    if chooses.modality_gap is not None and not twin_places(held_out.validation):
        raise ConfigError(
            "rl.problem_sampler.modality_gap",
            "compares text problems with their rendered twins, and validation holds none",
            "leave it out, or give the recipe a source of kind `rendered`",
        )
    general = settings.rl.general if "rl" in settings.stages else None
    return mixture, ProblemSampler(chooses, mixture, settings.rl.steps, general or ())


def _load(context: RunContext, recipe: Recipe, model_folder: Path | None) -> LoadedModel:
    """The model; a small one is built by the first rank, while the others wait."""
    settings, built = context.settings, context.run.path / "built_model"
    check, in_shards = settings.check_model, settings.backend.in_shards
    if model_folder is not None:
        return load_folder(str(model_folder), settings.model, check, in_shards=in_shards)
    if settings.model.build is not None and dist.launched():
        if dist.is_first():
            texts = recipe_texts(recipe, settings.seed, TOKENIZER_TEXTS)
            build_tiny(settings.model.build, texts, built, settings.seed, settings.model.shape)
        dist.barrier()
        return load_folder(str(built), settings.model, check, in_shards=in_shards)
    texts_of_recipe = lambda: recipe_texts(recipe, settings.seed, TOKENIZER_TEXTS)  # noqa: E731
    return load_model(settings.model, settings.seed, texts_of_recipe, built, check, in_shards)


def _longest_response(settings: RunSettings) -> int:
    """The most tokens that a response of any stage may take."""
    longest = settings.eval.sampling.max_tokens
    if "rl" in settings.stages:
        longest = max(longest, settings.rl.sampling.max_tokens)
    if "record" in settings.stages and settings.record is not None:
        longest = max(longest, settings.record.sampling.max_tokens)
    return longest


def _note_in_card(
    context: RunContext, recipe: Recipe, held_out: HeldOutProblems, loaded: LoadedModel, curve: BenchmarkCurve
) -> None:
    if described := curve.described():
        context.note(benchmarks=described)
    context.note(
        ranks=dist.world(),
        model=describe_model(loaded),
        data={"recipe": context.settings.data, "held_out": len(held_out.all)},
    )
    if recipe.runs_programs:
        sandbox = context.settings.sandbox
        weak = sandbox.isolation == "rlimits"
        said = "rlimits: limits alone, programs of the model were not isolated" if weak else sandbox.isolation
        service = {"url": sandbox.url, "interface": sandbox.interface} if sandbox.url else {}
        context.note(sandbox={"isolation": said, **service})
    if forced := list(recipe.forced_evaluation_sets):
        context.note(forced_evaluation_sets=forced)


def describe_model(loaded: LoadedModel) -> dict[str, Any]:
    """The model as the run card states it."""
    sizes: dict[str, int] = {"vision": 0, "projector": 0, "language": 0}
    for name, parameter in loaded.model.named_parameters():
        sizes[part_of(name)] += parameter.numel()
    return {
        "architecture": type(loaded.model).__name__,
        "parameters": sum(sizes.values()),
        "parameters_by_part": sizes,
        "dtype": str(loaded.dtype).removeprefix("torch."),
        "device": str(loaded.device),
        "context": loaded.context,
        "vocabulary": len(loaded.tokenizer),
        "loads_with": loads_with(loaded.processor),
    }
