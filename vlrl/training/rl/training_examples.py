"""Groups → what an update learns from: which responses, against which reference."""

from __future__ import annotations

from collections.abc import Sequence

from vlrl.credit.tokens.token_weights import staleness
from vlrl.losses.loss_inputs import NOTHING, LossNormalizers
from vlrl.model.batch.packing import PackedGroup
from vlrl.model.training.policy import Example, Policy
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.types import CreditedGroup, PerToken, Rollout


def to_examples(groups: Sequence[CreditedGroup], policy: Policy, settings: RlSettings, step: int = 0) -> list[Example]:
    """Groups as update examples; a group without a response to train on gives none.

    The policy's log-probabilities at the step's start (k1.5 §2.3.2) are needed only where the step makes more than one
    update: for a first update they are the policy's own. They are computed where no part of credit has asked for them.
    """
    kept = [(group, places) for group in groups if (places := trained_places(group))]
    rows = [PackedGroup(group.encoded, tuple(group.rollouts[i].token_ids for i in places)) for group, places in kept]
    old: list[PerToken | None] = [None] * len(rows)
    if settings.updates_per_step * settings.epochs_per_step > 1:
        old = [_at(group.old_logprobs, places) for group, places in kept]
        if rows and None in old:
            old = list(policy.logprobs(rows, settings.sampling.temperature))
    return [
        _example(group, places, row, old_logprobs, step)
        for (group, places), row, old_logprobs in zip(kept, rows, old, strict=True)
    ]


def _example(
    group: CreditedGroup, places: Sequence[int], row: PackedGroup, old_logprobs: PerToken | None, step: int
) -> Example:
    """The example of a group's responses at `places`."""
    teacher = group.teacher_token_ids
    return Example(
        row=row,
        advantages=tuple(group.advantages[i] for i in places),
        old_logprobs=old_logprobs,
        sampler_logprobs=tuple(group.rollouts[i].sampler_logprobs for i in places),
        token_weights=_at(group.token_weights, places),
        token_advantages=_at(group.token_advantages, places),
        origins=tuple(origins(group.problem.modality, group.rollouts[i], step) for i in places),
        teacher_token_ids=None if teacher is None else tuple(teacher[i] for i in places),
        ref_logprobs=_at(group.scored.statistics.get("reference"), places),
    )


def trained_places(group: CreditedGroup) -> list[int]:
    """Indices of the responses that are trained on: judged, and not empty."""
    return [i for i, use in enumerate(group.used) if use and group.rollouts[i].num_tokens]


def _at(values: PerToken | None, places: Sequence[int]) -> PerToken | None:
    return None if values is None else tuple(values[i] for i in places)


def origins(modality: str, rollout: Rollout, step: int) -> tuple[tuple[str, int], ...]:
    """(where they come from, how many) of a response's tokens in order: `stale` if an earlier policy wrote them, else
    the modality.
    """
    runs: list[tuple[str, int]] = []
    for segment in rollout.segments:
        age = staleness((segment,), step)
        if age:
            runs.append(("stale" if age[0] > 0 else modality, len(age)))
    return tuple(runs)


def skipped(kept: Sequence[CreditedGroup], drawn: Sequence[CreditedGroup], settings: RlSettings) -> LossNormalizers:
    """Count the responses and tokens of one update that are skipped because they have no advantage.

    They stay in the averages as they would have stood there: tokens are those of weight above 0. So skipping leaves the
    gradient of a first update as it is. With over-sampling the informative groups themselves are the batch, and nothing
    is skipped from it.
    """
    if settings.over_sampling is not None:
        return NOTHING
    kept_ids = {id(group) for group in kept}
    responses = tokens = 0
    for group in (g for g in drawn if id(g) not in kept_ids):
        places = trained_places(group)
        weights = _at(group.token_weights, places)
        responses += len(places)
        if weights is None:
            tokens += sum(group.rollouts[i].num_tokens for i in places)
        else:
            tokens += sum(weight > 0 for response in weights for weight in response)
    return LossNormalizers(responses / settings.updates_per_step, tokens / settings.updates_per_step)
