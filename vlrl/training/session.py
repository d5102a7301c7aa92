"""What the stages of one run share: recipe, model, encoder, engine, held-out problems, run folder and display."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from vlrl import dist, interrupts
from vlrl.curriculum.problem_sampler import ProblemSampler, ProblemSamplerSettings
from vlrl.data.fixed_sets import check_demonstrations
from vlrl.data.mixture import Mixture, held_out_problems, recipe_texts
from vlrl.data.recipe import load_recipe
from vlrl.errors import ConfigError, DataError
from vlrl.evaluation.held_out import Answers, HeldOutResult, answer_all, twin_places
from vlrl.evaluation.protocol import EvaluationProtocol
from vlrl.model.finite import check_weights
from vlrl.model.folders.processor_compat import loads_with
from vlrl.model.load import LoadedModel, load_folder, load_model
from vlrl.model.optimization.lora import adapted_layers
from vlrl.model.optimization.parameter_groups import part_of
from vlrl.model.prompts.encode import Encoder
from vlrl.model.prompts.prompt_check import PromptCheck
from vlrl.model.training.policy import Policy
from vlrl.model.training.torch_policy import PolicySettings
from vlrl.model.vision.feature_cache import FeatureStore
from vlrl.rollout.colocated import ColocatedEngine
from vlrl.rollout.distributed_engine import open_engine
from vlrl.rollout.engine import Sampling
from vlrl.runlog.run_folder import RunFolder
from vlrl.seeding import derive_seed
from vlrl.training.lifecycle.checkpoint import save_checkpoint
from vlrl.training.lifecycle.preflight import check_machine
from vlrl.training.monitoring.benchmark_curve import BenchmarkCurve, load_curve_benchmarks
from vlrl.training.monitoring.progress import Progress
from vlrl.training.run_settings import LEARNING, RunSettings
from vlrl.training.teacher.teacher_provenance import teachers_of
from vlrl.types import Problem
from vlrl.verify.plugins import guarded

TOKENIZER_TEXTS = 4000
ENCODED_BYTES = 2**30


class Session:
    """Everything is checked and loaded here, data before model, so that a mistake costs nothing."""

    def __init__(
        self, settings: RunSettings, run: RunFolder, progress: Progress, model_folder: Path | None = None
    ) -> None:
        if settings.threads:
            torch.set_num_threads(settings.threads)
        check_machine(settings)
        guarded.configure(settings.judging)
        self.settings, self.run, self.progress = settings, run, progress
        self.seconds: dict[str, float] = {}
        self.at = ""  # the step that is being made, for errors
        self.recipe = load_recipe(settings.data)
        held_out_seed = settings.seed if settings.eval.seed is None else settings.eval.seed
        self.validation = held_out_problems(self.recipe, held_out_seed, "validation", settings.eval.curve_problems)
        self.test = held_out_problems(self.recipe, held_out_seed, settings.eval.split, settings.eval.problems)
        self.held_out = [*self.validation, *self.test]
        self._say_what_is_not_held_out()
        if "sft" in settings.stages and model_folder is None:
            for phase in settings.sft.in_order:
                check_demonstrations(self.recipe, settings.seed, phase.demonstrations, self.held_out)
        self.mixture, self.problem_sampler = self._open_mixture()
        benchmarks = load_curve_benchmarks(settings.eval.benchmarks if "rl" in settings.stages else None)
        self.loaded = self._load(model_folder)
        for _, policy in settings.policies:
            if policy.lora is not None:
                adapted_layers(self.loaded.model, policy.lora)  # a wrong name is found before an earlier stage trains
        self.taught_by = teachers_of(model_folder or settings.model.path)
        self.encoder = Encoder(self.loaded, self.recipe.image, settings.system_prompt)
        self._encoded: dict[str, Any] = {}
        self.prompt_check = PromptCheck(self.loaded, self.encoder, self.recipe.image, self._longest())
        self._check_held_out(held_out_seed)
        self.colocated = ColocatedEngine(open_engine(settings.engine, self.loaded), self.loaded.device)
        self._policy: Policy | None = None
        self.benchmarks = BenchmarkCurve(benchmarks, self.loaded, self.colocated)
        if benchmarks:
            run.note(benchmarks=self.benchmarks.described())
        run.note(
            ranks=dist.world(),
            model=describe_model(self.loaded),
            data={"recipe": settings.data, "held_out": len(self.held_out)},
        )
        if forced := list(self.recipe.forced_evaluation_sets):
            run.note(forced_evaluation_sets=forced)

    def _say_what_is_not_held_out(self) -> None:
        """A run may go without validation or test, and says so. Raises DataError where nothing is left to do."""
        stages, missing = self.settings.stages, []
        remedy = "add rows, or hold more of them out (`held_out` of a source)"
        if not self.test and "eval" in stages:
            if not {*LEARNING, "record"} & set(stages):
                raise DataError(f"{self.settings.data}, {self.settings.eval.split}", "no problem is held out", remedy)
            missing.append("no test: the model is not evaluated")
        if not self.validation and set(LEARNING) & set(stages):
            missing.append("no validation: no curve, and SFT, DPO and distillation keep their last weights")
        for one in missing:
            self.progress.say(f"{one}, as the sources hold no problem out; to have it, {remedy}")
        if missing:
            self.run.note(held_out_sets=missing)

    def _load(self, model_folder: Path | None) -> LoadedModel:
        """The model; a small one is built by the first rank, while the others wait."""
        settings, built = self.settings, self.run.path / "built_model"
        if model_folder is None and settings.model.build is not None and not dist.is_first():
            dist.barrier()
            return load_folder(str(built), settings.model, settings.engine.check)
        found = (
            load_folder(str(model_folder), settings.model, settings.engine.check)
            if model_folder
            else load_model(settings.model, settings.seed, self._texts, built, settings.engine.check)
        )
        if model_folder is None and settings.model.build is not None:
            dist.barrier()
        return found

    def _open_mixture(self) -> tuple[Mixture, ProblemSampler]:
        """Training problems, and who chooses among them."""
        mixture = Mixture(self.recipe, self.settings.seed, self.held_out, self._check_problem)
        return mixture, self._open_problem_sampler(mixture)

    def _open_problem_sampler(self, mixture: Mixture) -> ProblemSampler:
        """Who chooses problems for RL; without RL nobody chooses. Raises ConfigError or DataError as Drawing does."""
        settings = self.settings.rl.problem_sampler if "rl" in self.settings.stages else ProblemSamplerSettings()
        if settings.modality_gap is not None and not twin_places(self.validation):
            raise ConfigError(
                "rl.problem_sampler.modality_gap",
                "compares text problems with their rendered twins, and validation holds none",
                "leave it out, or give the recipe a source of kind `rendered`",
            )
        return ProblemSampler(settings, mixture)

    def _texts(self) -> list[str]:
        return recipe_texts(self.recipe, self.settings.seed, TOKENIZER_TEXTS)

    def _longest(self) -> int:
        """The most tokens that a response of any stage may take."""
        settings = self.settings
        longest = settings.eval.sampling.max_tokens
        if "rl" in settings.stages:
            longest = max(longest, settings.rl.sampling.max_tokens)
        if "record" in settings.stages and settings.record is not None:
            longest = max(longest, settings.record.sampling.max_tokens)
        return longest

    def _check_problem(self, problem: Problem) -> None:
        """What the mixture asks of every problem that it draws; the model is there by then."""
        self.prompt_check(problem)

    def _check_held_out(self, seed: int) -> None:
        """Held-out problems can be asked too; where one can't, they are drawn once more, without it if its source says
        so. Raises DataError with the row's place.
        """
        try:
            for problem in self.held_out:
                self.prompt_check(problem)
        except DataError:
            settings, check = self.settings.eval, self._check_problem
            self.validation = held_out_problems(self.recipe, seed, "validation", settings.curve_problems, check)
            self.test = held_out_problems(self.recipe, seed, settings.split, settings.problems, check)
            self.held_out = [*self.validation, *self.test]
            self.mixture, self.problem_sampler = self._open_mixture()

    def _encode_held_out(self, problems: Sequence[Problem]) -> list[Any]:
        """Held-out problems are encoded once for all evaluations of a run, where all of them fit in memory."""
        if len(self.held_out) > self._held_at_once():
            return self.encoder.encode(problems)
        missing = [p for p in problems if p.id not in self._encoded]
        self._encoded.update({p.id: e for p, e in zip(missing, self.encoder.encode(missing), strict=True)})
        return [self._encoded[p.id] for p in problems]

    def _held_at_once(self) -> int:
        """How many encoded problems fill ENCODED_BYTES with float32 patches, every pixel twice (time steps)."""
        return max(16, ENCODED_BYTES // (self.recipe.image.max_pixels * 3 * 2 * 4))

    def policy(self, settings: PolicySettings) -> Policy:
        """The policy over the session's model, as one stage trains it; an earlier stage's gives the model back, and the
        engine sleeps: it never stands beside an optimizer.
        """
        self.rest()
        self.let_go()
        policy: Policy = self.settings.backend.open(self.loaded, settings)
        self._policy = policy
        return policy

    def let_go(self) -> None:
        """The policy of a stage that is over gives the model back, and its optimiser's memory goes."""
        if self._policy is not None:
            self._policy.close()
        self._policy = None

    def refresh(self, policy: Policy, version: int) -> None:
        """The engine reads with the policy's weights as they are now; before a rollout and before an evaluation."""
        self.colocated.to_rollout(policy.weights, version)

    def forget_features(self) -> None:
        """Look at images again, as a run does that goes on from a checkpoint: the last bits of an image's features
        depend on the others in its pass.
        """
        if self.loaded.store is not None:
            self.loaded.store.clear()

    def checkpoints(self, stage: str) -> Path:
        """Where a stage's checkpoints lie."""
        return self.run.path / ("checkpoints" if stage == "rl" else f"checkpoints_{stage}")

    def checkpoint(self, stage: str, step: int, parts: Mapping[str, Any], due: bool, last: bool) -> None:
        """The end of a step: a checkpoint where one is due or a signal asks for the end. Raises Stopped for the latter,
        and NonFiniteError for weights that no checkpoint may hold.

        One that is due forgets features first, as a run does that goes on from it. One out of turn keeps them, so that
        what goes on from it computes what it would have without the break.
        """
        stops = not last and interrupts.wanted()
        if due:
            self.forget_features()
        if due or stops:
            check_weights(parts["policy"].weights(), "checkpoint, weights")
            saved = save_checkpoint(self.checkpoints(stage), step, parts)
            if stops:
                raise interrupts.stop(f"{stage} step {step} is saved in {saved}")

    @property
    def features(self) -> FeatureStore:
        """What is known of images, for a checkpoint; with several ranks each has its own, and none is kept."""
        return FeatureStore(None, 0) if self.loaded.store is None or dist.launched() else self.loaded.store

    def rest(self) -> None:
        """The engine sleeps from here on; before the policy trains."""
        self.colocated.to_training()

    def close(self) -> None:
        """End what the engine started."""
        self.colocated.engine.close()

    def answers(self, problems: Sequence[Problem], sampling: Sampling, samples: int) -> Answers:
        """Responses to held-out problems; the seed is the same at every evaluation of a run (paired figures)."""
        seed = derive_seed(self.settings.seed, "evaluation")
        room = self._held_at_once()
        parts = [
            answer_all(self._encode_held_out, self.colocated, problems[i : i + room], sampling, samples, seed)
            for i in range(0, len(problems), room)
        ]
        return Answers(tuple(g for p in parts for g in p.groups), tuple(v for p in parts for v in p.verdicts))

    def evaluate(self) -> HeldOutResult:
        """The held-out test: sampled and greedy."""
        settings = self.settings.eval
        greedy = settings.sampling.model_copy(update={"temperature": 0.0})
        return HeldOutResult(
            self.answers(self.test, settings.sampling, settings.samples),
            self.answers(self.test, greedy, 1),
            {
                "sampled": self._protocol(settings.sampling, settings.samples).hash,
                "greedy": self._protocol(greedy, 1).hash,
            },
        )

    def _protocol(self, sampling: Sampling, samples: int) -> EvaluationProtocol:
        return EvaluationProtocol(
            benchmark=f"held-out problems of {Path(self.settings.data).stem}",
            split=self.settings.eval.split,
            system=self.settings.system_prompt or "",
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            stop=sampling.stop,
            samples=samples,
            seeds=(self.settings.seed,),
            min_pixels=self.recipe.image.min_pixels,
            max_pixels=self.recipe.image.max_pixels,
        ).for_problems(self.test)

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Add the block's wall time to `seconds[phase]`."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[phase] = self.seconds.get(phase, 0.0) + time.monotonic() - started


def describe_model(loaded: LoadedModel) -> dict[str, Any]:
    """The model as the run card states it."""
    sizes: dict[str, int] = {"vision": 0, "projector": 0, "language": 0}
    for name, parameter in loaded.model.named_parameters():
        sizes[part_of(name)] += parameter.numel()
    return {
        "architecture": type(loaded.model).__name__,
        "parameters": sum(sizes.values()),
        "parameters_by_part": sizes,
        "dtype": str(loaded.model.dtype).removeprefix("torch."),
        "device": str(loaded.device),
        "context": loaded.context,
        "vocabulary": len(loaded.tokenizer),
        "loads_with": loads_with(loaded.processor),
    }
