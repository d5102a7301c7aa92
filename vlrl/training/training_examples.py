"""Groups → what an update learns from: which responses, against which reference."""

from __future__ import annotations

from collections.abc import Sequence

from vlrl.credit.tokens.token_weights import staleness
from vlrl.losses.loss_inputs import NOTHING, LossNormalizers
from vlrl.model.batch.packing import PackedGroup
from vlrl.model.training.policy import Example, Policy
from vlrl.rollout.collector import Collected
from vlrl.training.run_settings import RlSettings
from vlrl.types import Rollout, ScoredGroup

Pair = tuple[Collected, ScoredGroup]  # a group as it was read, and as it was judged
PerToken = tuple[tuple[float, ...], ...]


def to_examples(groups: Sequence[Pair], policy: Policy, settings: RlSettings, step: int = 0) -> list[Example]:
    """Groups as update examples. Unused rollouts (faults) are left out of the row.

    Reference log-probabilities (k1.5 §2.3.2) are needed only where the step makes more than one update: for a first
    update
    the policy *is* the reference. They are computed where no part of credit has asked for them already.
    """
    rows, kept = [], []
    for one, scored in groups:
        places = trained_places(scored)
        if places:
            rows.append(PackedGroup(one.encoded, tuple(scored.rollouts[i].token_ids for i in places)))
            kept.append((scored, places))
    references: list[PerToken | None] = [None] * len(rows)
    if settings.updates_per_step * settings.epochs_per_step > 1:
        references = [_at(scored.old_logprobs, places) for scored, places in kept]
        if rows and None in references:
            references = list(policy.logprobs(rows, settings.sampling.temperature))
    return [
        Example(
            row,
            tuple(scored.advantages[i] for i in places),
            reference,
            tuple(scored.rollouts[i].sampler_logprobs for i in places),
            _at(scored.token_weights, places),
            _at(scored.token_advantages, places),
            tuple(origins(scored.problem.modality, scored.rollouts[i], step) for i in places),
            None if scored.teacher_token_ids is None else tuple(scored.teacher_token_ids[i] for i in places),
        )
        for row, (scored, places), reference in zip(rows, kept, references, strict=True)
    ]


def trained_places(scored: ScoredGroup) -> list[int]:
    """Places of the rollouts that an update reads: judged, and not empty."""
    return [i for i, use in enumerate(scored.used) if use and scored.rollouts[i].num_tokens]


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


def skipped(kept: Sequence[Pair], drawn: Sequence[ScoredGroup], settings: RlSettings) -> LossNormalizers:
    """Responses and tokens of one update that were skipped because they have no advantage.

    They stay in the averages as they would have stood there: tokens are those of weight above 0. So skipping leaves the
    gradient of a first update as it is. With over-sampling the informative groups themselves are the batch, and nothing
    is skipped from it.
    """
    if settings.over_sampling is not None:
        return NOTHING
    rest = {id(scored) for _, scored in kept}
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
