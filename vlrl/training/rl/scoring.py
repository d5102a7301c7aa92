"""Where responses are judged and get their credit: verdicts, and whatever else the parts of credit need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vlrl.credit.assign import Credit
from vlrl.credit.credit_context import CreditContext
from vlrl.data.images.perturbation import FRAME_ORDER, MISMATCHED, in_another_order, mismatched, perturbed
from vlrl.model.batch.example import read_rollouts
from vlrl.model.batch.response_steps import step_numbers
from vlrl.model.training.forward import PackedForward
from vlrl.model.training.policy import Policy
from vlrl.rollout.environments.environment import Environment
from vlrl.seeding import derive_seed, stream
from vlrl.training.rl.rl_settings import FROZEN, NO_STATISTICS, RlSettings
from vlrl.training.rl.self_teacher import NAMES, read_as_teacher
from vlrl.training.session.model_runtime import ModelRuntime
from vlrl.training.teacher.reference_model import ReferenceModel
from vlrl.types import Group, PerToken, ScoredGroup, Verdict


class GroupScorer:
    """Judges groups and assigns credit. A run has one, since it keeps what stateful parts of credit remember.

    Raises ConfigError for a teacher, or another frozen model, that doesn't fit the policy.

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

    def score(self, groups: Sequence[Group], step: int) -> list[ScoredGroup]:
        """Judge the groups of a step, or of one round of it, and measure what credit needs besides, in order."""
        statistics = self._statistics(groups)
        contrast = self._contrast(groups, step)
        verdicts = self._verdicts(groups)
        if self._settings.self_teacher is not None:
            temperature = self._settings.sampling.temperature
            taught = read_as_teacher(
                self._settings.self_teacher, self._model, self._policy, temperature, groups, verdicts
            )
            statistics = [own | more for own, more in zip(statistics, taught, strict=True)]
        return [ScoredGroup.of(group, verdicts[i], statistics[i], contrast.get(i)) for i, group in enumerate(groups)]

    def credit(self, scored: Sequence[ScoredGroup], step: int, remember: bool = True) -> list[ScoredGroup]:
        """All groups of a step with credit: once with `remember`; without it, to see what credit would be."""
        settings = self._settings
        context = CreditContext(
            step=step,
            steps=settings.steps,
            max_tokens=settings.sampling_at(step).max_tokens,
            version=step,
            mean_over_response=settings.loss.means_over_response,
            general=frozenset(settings.general or ()),
        )
        return self._credit.assign(scored, context, remember)

    def state_dict(self) -> dict[str, Any]:
        """What stateful parts remember, for a checkpoint."""
        return self._credit.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self._credit.load_state_dict(state)

    def _verdicts(self, groups: Sequence[Group]) -> list[tuple[Verdict, ...]]:
        """The environment's verdicts; with `cut_scores_zero`, cut responses are wrong. A fault stays a fault."""
        verdicts = self._environment.verdicts(groups)
        if not self._settings.cut_scores_zero:
            return verdicts
        return [
            tuple(
                Verdict.wrong("over its limit of tokens", verdict.answer)
                if rollout.finish_reason == "length" and verdict.fault is None
                else verdict
                for rollout, verdict in zip(group.rollouts, group_verdicts, strict=True)
            )
            for group, group_verdicts in zip(groups, verdicts, strict=True)
        ]

    def _statistics(self, groups: Sequence[Group]) -> list[dict[str, PerToken]]:
        """By group and by name, what parts of credit need: per response (T_j,)."""
        statistics: list[dict[str, PerToken]] = [{} for _ in groups]
        if "steps" in self._needs:
            tokenizer = self._model.loaded.tokenizer
            for group, of_group in zip(groups, statistics, strict=True):
                of_group["steps"] = tuple(step_numbers(r.token_ids, tokenizer) for r in group.rollouts)
        names = sorted(self._needs - NO_STATISTICS - {"steps", *NAMES})
        if not names:
            return statistics
        written = [[j for j, r in enumerate(group.rollouts) if r.num_tokens] for group in groups]  # not empty
        rows = [
            read_rollouts(group.encoded, [group.rollouts[j] for j in indices])
            for group, indices in zip(groups, written, strict=True)
            if indices
        ]
        temperature = self._settings.sampling.temperature
        values = iter(self._policy.statistics(rows, temperature, names, self._teacher, self._frozen))
        for group, indices, of_group in zip(groups, written, statistics, strict=True):
            measured = next(values) if indices else {}
            for name in names:
                by_index = dict(zip(indices, measured.get(name, ()), strict=True))
                of_group[name] = tuple(by_index.get(j, ()) for j in range(len(group.rollouts)))
        return statistics

    def _contrast(self, groups: Sequence[Group], step: int) -> dict[int, float]:
        """By index in `groups`: the share of right responses to the problem with its images perturbed."""
        settings = self._settings.contrast
        asked_of = [i for i, group in enumerate(groups) if group.problem.images]
        self.contrast_tokens = 0
        if settings is None or not asked_of:
            return {}
        seed = self._seed
        problems = [groups[i].problem for i in asked_of]
        if settings.perturbation in (MISMATCHED, FRAME_ORDER):
            others = (
                mismatched(problems)
                if settings.perturbation == MISMATCHED
                else [in_another_order(p, stream(seed, "contrast", step, p.id)) for p in problems]
            )
            asked_of = [i for i, other in zip(asked_of, others, strict=True) if other is not None]
            problems = [other for other in others if other is not None]
        else:
            problems = [perturbed(p, settings.perturbation, stream(seed, "contrast", step, p.id)) for p in problems]
        if not problems:
            return {}
        count = settings.rollouts or max(1, self._settings.rollouts_per_problem // 2)
        asked = self._environment.roll_out(
            self._model.encoder,
            self._model.engine,
            problems,
            self._settings.sampling_at(step),
            count,
            derive_seed(seed, "contrast", step),
        )
        self.contrast_tokens = sum(rollout.num_policy_tokens for group in asked for rollout in group.rollouts)
        rates = {}
        for i, verdicts in zip(asked_of, self._verdicts(asked), strict=True):
            usable = [v.correct for v in verdicts if v.fault is None]
            if usable:
                rates[i] = sum(usable) / len(usable)
        return rates

    def _open(self, settings: ReferenceModel | None, name: str) -> PackedForward | None:
        if settings is None:
            return None
        loaded = settings.load(self._model.loaded, f"rl.{name}")
        return PackedForward(loaded, self._settings.policy.micro_batch_tokens, vision_trains=False)
