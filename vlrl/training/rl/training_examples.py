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
    """Groups as update examples. Unused rollouts (faults) are left out of the row.

    The policy's log-probabilities at the step's start (k1.5 §2.3.2) are needed only where the step makes more than one
    update: for a first update they are the policy's own. They are computed where no part of credit has asked for them.
    """
    places = [trained_places(group) for group in groups]
    kept = [(group, some) for group, some in zip(groups, places, strict=True) if some]
    rows = [PackedGroup(group.encoded, tuple(group.rollouts[i].token_ids for i in some)) for group, some in kept]
    references: list[PerToken | None] = [None] * len(rows)
    if settings.updates_per_step * settings.epochs_per_step > 1:
        references = [_at(group.old_logprobs, some) for group, some in kept]
        if rows and None in references:
            references = list(policy.logprobs(rows, settings.sampling.temperature))
    return [
        Example(
            row,
            tuple(group.advantages[i] for i in some),
            reference,
            tuple(group.rollouts[i].sampler_logprobs for i in some),
            _at(group.token_weights, some),
            _at(group.token_advantages, some),
            tuple(origins(group.problem.modality, group.rollouts[i], step) for i in some),
            None if group.teacher_token_ids is None else tuple(group.teacher_token_ids[i] for i in some),
            _at(group.scored.statistics.get("reference"), some),
        )
        for row, (group, some), reference in zip(rows, kept, references, strict=True)
    ]


def trained_places(group: CreditedGroup) -> list[int]:
    """Places of the rollouts that an update reads: judged, and not empty."""
    return [i for i, use in enumerate(group.used) if use and group.rollouts[i].num_tokens]


def _at(values: PerToken | None, places: Sequence[int]) -> PerToken | None:
    return None if values is None else tuple(values[i] for i in places)


def origins(modality: str, rollout: Rollout, step: int) -> tuple[tuple[str, int], ...]:
    """Runs of tokens by where they come from: their modality, or `stale` where an earlier policy wrote them."""
    runs: list[tuple[str, int]] = []
    for segment in rollout.segments:
        age = staleness((segment,), step)
        if age:
            runs.append(("stale" if age[0] > 0 else modality, len(age)))
    return tuple(runs)


def skipped(kept: Sequence[CreditedGroup], drawn: Sequence[CreditedGroup], settings: RlSettings) -> LossNormalizers:
    """Responses and tokens of one update that were skipped because they have no advantage.

    They stay in the averages as they would have stood there: tokens are those of weight above 0. So skipping leaves the
    gradient of a first update as it is. With over-sampling the informative groups themselves are the batch, and nothing
    is skipped from it.
    """
    if settings.over_sampling is not None:
        return NOTHING
    rest = {id(group) for group in kept}
    responses = tokens = 0
    for group in (g for g in drawn if id(g) not in rest):
        places = trained_places(group)
        weights = _at(group.token_weights, places)
        responses += len(places)
        if weights is None:
            tokens += sum(group.rollouts[i].num_tokens for i in places)
        else:
            tokens += sum(weight > 0 for response in weights for weight in response)
    return LossNormalizers(responses / settings.updates_per_step, tokens / settings.updates_per_step)
