"""Where responses are judged and get their credit: verdicts, and whatever else the parts of credit need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vlrl.credit.assign import Credit
from vlrl.credit.credit_context import CreditContext
from vlrl.data.images.perturbation import MISMATCHED, mismatched, perturbed
from vlrl.model.batch.packing import PackedGroup
from vlrl.model.batch.response_steps import step_numbers
from vlrl.model.training.forward import PackedForward
from vlrl.model.training.policy import Policy
from vlrl.rollout.environments.environment import Environment
from vlrl.seeding import derive_seed, stream
from vlrl.training.rl.rl_settings import FROZEN, RlSettings
from vlrl.training.session.model_runtime import ModelRuntime
from vlrl.training.teacher.reference_model import ReferenceModel
from vlrl.types import CreditedGroup, Group, PerToken, ScoredGroup, Verdict


class GroupScorer:
    """One for a run: it remembers what stateful parts of credit remember. Raises ConfigError for an unfit teacher.

    contrast_tokens  response tokens that the latest `score` sampled for perturbed problems
    """

    def __init__(
        self, settings: RlSettings, seed: int, model: ModelRuntime, policy: Policy, environment: Environment
    ) -> None:
        self._settings, self._seed, self._model, self._policy = settings, seed, model, policy
        self._environment = environment
        self._credit = Credit(self._settings.credit)
        self._needs = self._settings.needs
        self._teacher = self._open(self._settings.teacher, "teacher")
        opened = {name: self._open(getattr(settings, name), name) for name in FROZEN}
        self._frozen = {name: model for name, model in opened.items() if model is not None}
        self.contrast_tokens = 0

    def score(self, found: Sequence[Group], step: int) -> list[ScoredGroup]:
        """The groups of one step, or of one round of it, with verdicts and whatever else credit needs, in order."""
        statistics = self._statistics(found)
        contrast = self._contrast(found, step)
        verdicts = self._verdicts(found)
        return [ScoredGroup(one, verdicts[i], statistics[i], contrast.get(i)) for i, one in enumerate(found)]

    def credit(self, scored: Sequence[ScoredGroup], step: int, remember: bool = True) -> list[CreditedGroup]:
        """Credit for all groups of a step, once; without `remember` a look at what it would be, in between rounds."""
        settings = self._settings
        context = CreditContext(
            step, settings.steps, settings.sampling_at(step).max_tokens, step, settings.loss.means_over_response
        )
        return self._credit.assign(scored, context, remember)

    @property
    def part_names(self) -> list[str]:
        """The classes of all parts of credit, in the order in which they are used."""
        return [type(part).__name__ for part in self._settings.credit.parts]

    def state_dict(self) -> dict[str, Any]:
        """What stateful parts remember, for a checkpoint."""
        return self._credit.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self._credit.load_state_dict(state)

    def _verdicts(self, found: Sequence[Group]) -> list[tuple[Verdict, ...]]:
        """Verdicts of every group's responses; where cut responses score 0, theirs say so. A fault stays a fault."""
        verdicts = self._environment.verdicts(found)
        if not self._settings.cut_scores_zero:
            return verdicts
        return [
            tuple(
                Verdict.wrong("over its limit of tokens", verdict.answer)
                if rollout.finish_reason == "length" and verdict.fault is None
                else verdict
                for rollout, verdict in zip(one.rollouts, held, strict=True)
            )
            for one, held in zip(found, verdicts, strict=True)
        ]

    def _statistics(self, found: Sequence[Group]) -> list[dict[str, PerToken]]:
        """By group, what the parts need of every token of every response; a response without tokens has none."""
        held: list[dict[str, PerToken]] = [{} for _ in found]
        if "steps" in self._needs:
            tokenizer = self._model.loaded.tokenizer
            for one, mine in zip(found, held, strict=True):
                mine["steps"] = tuple(step_numbers(r.token_ids, tokenizer) for r in one.rollouts)
        names = sorted(self._needs - {"steps", "contrast"})
        if not names:
            return held
        places = [[j for j, r in enumerate(one.rollouts) if r.num_tokens] for one in found]
        rows = [
            PackedGroup(one.encoded, tuple(one.rollouts[j].token_ids for j in some))
            for one, some in zip(found, places, strict=True)
            if some
        ]
        temperature = self._settings.sampling.temperature
        values = iter(self._policy.statistics(rows, temperature, names, self._teacher, self._frozen))
        for one, some, mine in zip(found, places, held, strict=True):
            measured = next(values) if some else {}
            for name in names:
                by_place = dict(zip(some, measured.get(name, ()), strict=True))
                mine[name] = tuple(by_place.get(j, ()) for j in range(len(one.rollouts)))
        return held

    def _contrast(self, found: Sequence[Group], step: int) -> dict[int, float]:
        """By place in `found`: the share of right responses to the problem with its images perturbed."""
        settings = self._settings.contrast
        places = [i for i, one in enumerate(found) if one.problem.images]
        self.contrast_tokens = 0
        if settings is None or not places:
            return {}
        seed = self._seed
        problems = [found[i].problem for i in places]
        if settings.perturbation == MISMATCHED:
            others = mismatched(problems)
            places = [i for i, one in zip(places, others, strict=True) if one is not None]
            problems = [one for one in others if one is not None]
        else:
            problems = [perturbed(p, settings.perturbation, stream(seed, "contrast", step, p.id)) for p in problems]
        if not problems:
            return {}
        count = settings.rollouts or max(1, self._settings.rollouts_per_problem // 2)
        asked = self._environment.roll_out(
            self._model.encoder.encode,
            self._model.engine,
            problems,
            self._settings.sampling_at(step),
            count,
            derive_seed(seed, "contrast", step),
        )
        self.contrast_tokens = sum(rollout.num_tokens for one in asked for rollout in one.rollouts)
        rates = {}
        for i, verdicts in zip(places, self._verdicts(asked), strict=True):
            usable = [v.correct for v in verdicts if v.fault is None]
            if usable:
                rates[i] = sum(usable) / len(usable)
        return rates

    def _open(self, settings: ReferenceModel | None, name: str) -> PackedForward | None:
        if settings is None:
            return None
        loaded = settings.load(self._model.loaded, f"rl.{name}")
        return PackedForward(loaded, self._settings.policy.micro_batch_tokens, vision_trains=False)
