"""Problems that no stage trains on: drawn once, asked the same way at every evaluation of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.mixture import held_out_problems
from vlrl.data.recipe import Recipe
from vlrl.data.rows.bad_rows import Check
from vlrl.errors import DataError
from vlrl.evaluation.episode_metrics import episode_metrics
from vlrl.evaluation.held_out import Answers, HeldOutResult, answer_all, twin_metrics
from vlrl.evaluation.protocol import EvaluationProtocol
from vlrl.model.prompts.encode import Encoded, Encoder
from vlrl.model.prompts.observation_text import Observation
from vlrl.rollout.engine import Sampling
from vlrl.seeding import derive_seed
from vlrl.training.run_settings import LEARNING, RunSettings
from vlrl.training.session.model_runtime import ModelRuntime
from vlrl.training.session.run_context import RunContext
from vlrl.types import Problem, Segment

ENCODED_BYTES = 2**30


@dataclass(frozen=True)
class HeldOutProblems:
    """`validation` for the curve, `test` for the end."""

    validation: list[Problem]
    test: list[Problem]

    @classmethod
    def draw(cls, recipe: Recipe, settings: RunSettings, check: Check | None = None) -> HeldOutProblems:
        """As the settings say; a problem that `check` raises for is a bad row of its source."""
        wanted = settings.eval
        seed = settings.seed if wanted.seed is None else wanted.seed
        return cls(
            held_out_problems(recipe, seed, "validation", wanted.curve_problems, check),
            held_out_problems(recipe, seed, wanted.split, wanted.problems, check),
        )

    @property
    def all(self) -> list[Problem]:
        """Both."""
        return [*self.validation, *self.test]

    def say_what_is_missing(self, context: RunContext) -> None:
        """A run may go without validation or test, and says so. Raises DataError where nothing is left to do."""
        settings, missing = context.settings, []
        remedy = "add rows, or hold more of them out (`held_out` of a source)"
        if not self.test and "eval" in settings.stages:
            if not {*LEARNING, "record"} & set(settings.stages):
                raise DataError(f"{settings.data}, {settings.eval.split}", "no problem is held out", remedy)
            missing.append("no test: the model is not evaluated")
        if not self.validation and set(LEARNING) & set(settings.stages):
            missing.append("no validation: no curve, and SFT, DPO and distillation keep their last weights")
        for one in missing:
            context.say(f"{one}, as the sources hold no problem out; to have it, {remedy}")
        if missing:
            context.note(held_out_sets=missing)


class HeldOutSets:
    """The held-out problems with the model that answers them."""

    def __init__(self, problems: HeldOutProblems, settings: RunSettings, recipe: Recipe, model: ModelRuntime) -> None:
        self.problems = problems
        self._settings, self._recipe, self._model = settings, recipe, model
        self._encoder = _RememberingEncoder(model.encoder, len(problems.all) <= self._held_at_once())

    def answers(self, problems: Sequence[Problem], sampling: Sampling, samples: int) -> Answers:
        """Responses to held-out problems; the seed is the same at every evaluation of a run (paired figures)."""
        seed = derive_seed(self._settings.seed, "evaluation")
        room, engine = self._held_at_once(), self._model.engine
        environment = self._settings.environment.for_evaluation()
        parts = [
            answer_all(environment, self._encoder, engine, problems[i : i + room], sampling, samples, seed)
            for i in range(0, len(problems), room)
        ]
        return Answers(tuple(g for p in parts for g in p.groups), tuple(v for p in parts for v in p.verdicts))

    def validate(self) -> dict[str, float]:
        """Validation problems, sampled: accuracy by modality and on average, mean length, and of twins (k1.5 §2.3.5).

        Empty where no problem is held out for it.
        """
        if not self.problems.validation:
            return {}
        answers = self.answers(self.problems.validation, self._settings.eval.sampling, 1)
        found: dict[str, float] = {}
        for modality in sorted({problem.modality for problem in self.problems.validation}):
            rows = answers.correct(answers.where(modality=modality))
            found[f"accuracy/{modality}"] = sum(row[0] for row in rows) / len(rows)
        found["accuracy/mean"] = sum(found.values()) / len(found)
        lengths = [rollout.num_policy_tokens for group in answers.groups for rollout in group.rollouts]
        found["length/mean"] = sum(lengths) / len(lengths)
        pairs = zip(answers.groups, answers.verdicts, strict=True)
        played = [pair for group, verdicts in pairs for pair in zip(group.rollouts, verdicts, strict=True)]
        return found | twin_metrics(answers) | episode_metrics(played)

    def evaluate(self) -> HeldOutResult:
        """The test: sampled and greedy."""
        settings, test = self._settings.eval, self.problems.test
        greedy = settings.sampling.model_copy(update={"temperature": 0.0})
        return HeldOutResult(
            self.answers(test, settings.sampling, settings.samples),
            self.answers(test, greedy, 1),
            {
                "sampled": self._protocol(settings.sampling, settings.samples).hash,
                "greedy": self._protocol(greedy, 1).hash,
            },
        )

    def _held_at_once(self) -> int:
        """How many encoded problems fill ENCODED_BYTES with float32 patches, every pixel twice (time steps)."""
        return max(16, ENCODED_BYTES // (self._recipe.image.max_pixels * 3 * 2 * 4))

    def _protocol(self, sampling: Sampling, samples: int) -> EvaluationProtocol:
        return EvaluationProtocol(
            benchmark=f"held-out problems of {Path(self._settings.data).stem}",
            split=self._settings.eval.split,
            system=self._settings.system_prompt or "",
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            stop=sampling.stop,
            samples=samples,
            seeds=(self._settings.seed,),
            min_pixels=self._recipe.image.min_pixels,
            max_pixels=self._recipe.image.max_pixels,
        ).for_problems(self.problems.test)


class _RememberingEncoder:
    """Held-out problems are encoded once for all evaluations of a run, where all of them fit in memory."""

    def __init__(self, encoder: Encoder, all_fit: bool) -> None:
        self._encoder, self._all_fit = encoder, all_fit
        self._encoded: dict[str, Encoded] = {}

    def __call__(self, problems: Sequence[Problem]) -> list[Encoded]:
        if not self._all_fit:
            return self._encoder.encode(problems)
        missing = [p for p in problems if p.id not in self._encoded]
        self._encoded.update({p.id: e for p, e in zip(missing, self._encoder.encode(missing), strict=True)})
        return [self._encoded[p.id] for p in problems]

    def observe(self, observations: Sequence[Observation], budget: ImageBudget | None = None) -> list[Segment]:
        """As the encoder does."""
        return self._encoder.observe(observations, budget)

    def text_ids(self, text: str, place: str) -> tuple[int, ...]:
        """As the encoder does."""
        return self._encoder.text_ids(text, place)

    def text_of(self, token_ids: Sequence[int]) -> str:
        """As the encoder does."""
        return self._encoder.text_of(token_ids)

    @property
    def end_ids(self) -> frozenset[int]:
        """As the encoder knows them."""
        return self._encoder.end_ids
