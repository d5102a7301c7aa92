"""Groups → what an update learns from: which responses, against which reference, and what every token counts."""

from __future__ import annotations

from collections.abc import Sequence

from vlrl.credit.token_weights import segment_weights, staleness
from vlrl.losses.terms import NOTHING, Denominators
from vlrl.model.packing import Row
from vlrl.model.policy import Example, Policy
from vlrl.rollout.collector import Collected
from vlrl.stages.settings import RlSettings
from vlrl.types import Rollout, ScoredGroup

Pair = tuple[Collected, ScoredGroup]  # a group as it was read, and as it was judged
PerToken = tuple[tuple[float, ...], ...]


def to_examples(groups: Sequence[Pair], policy: Policy, settings: RlSettings, step: int = 0) -> list[Example]:
    """Groups as update examples. Unused rollouts (faults) are left out of the row.

    Reference log-probabilities (row K14) are computed only where the step makes more than one update or weighs tokens
    by them: for a first update the policy *is* the reference.
    """
    rows, kept = [], []
    for one, scored in groups:
        places = [i for i, use in enumerate(scored.used) if use and scored.rollouts[i].num_tokens]
        if places:
            rows.append(Row(one.encoded, tuple(scored.rollouts[i].token_ids for i in places)))
            kept.append((scored, places))
    needed = settings.updates_per_step * settings.epochs_per_step > 1 or settings.importance is not None
    references = policy.logprobs(rows, settings.sampling.temperature) if needed and rows else [None] * len(rows)
    return [
        Example(
            row,
            tuple(scored.advantages[i] for i in places),
            reference,
            tuple(scored.rollouts[i].logprobs for i in places),
            _weights(scored, places, reference, settings, step),
            _at(scored.token_advantages, places),
            tuple(origins(scored.problem.modality, scored.rollouts[i], step) for i in places),
        )
        for row, (scored, places), reference in zip(rows, kept, references, strict=True)
    ]


def _at(values: PerToken | None, places: Sequence[int]) -> PerToken | None:
    return None if values is None else tuple(values[i] for i in places)


def _weights(
    scored: ScoredGroup, places: Sequence[int], reference: PerToken | None, settings: RlSettings, step: int
) -> PerToken | None:
    """Weights by credit, by segment and by importance, multiplied; None where every token counts once."""
    given = _at(scored.token_weights, places)
    if settings.partial is None and settings.importance is None:
        return given
    rule = "all" if settings.partial is None else settings.partial.segment_loss
    found = []
    for j, i in enumerate(places):
        rollout = scored.rollouts[i]
        weights = segment_weights(rollout.segments, step, rule)
        if settings.importance is not None and reference is not None:
            own = [s.author == "policy" for s in rollout.segments for _ in s.token_ids]
            ratios = settings.importance.of(reference[j], rollout.logprobs, own)
            weights = tuple(w * r for w, r in zip(weights, ratios, strict=True))
        if given is not None:
            weights = tuple(w * g for w, g in zip(weights, given[j], strict=True))
        found.append(weights)
    return tuple(found)


def origins(modality: str, rollout: Rollout, step: int) -> tuple[tuple[str, int], ...]:
    """Runs of tokens by where they come from: their modality, or `stale` where an earlier policy wrote them."""
    runs: list[tuple[str, int]] = []
    for segment in rollout.segments:
        age = staleness((segment,), step)
        if age:
            runs.append(("stale" if age[0] > 0 else modality, len(age)))
    return tuple(runs)


def skipped(kept: Sequence[Pair], drawn: Sequence[ScoredGroup], settings: RlSettings) -> Denominators:
    """Responses and tokens of one update that were skipped because they have no advantage.

    They stay in the averages, so that skipping leaves the gradient of a first update as it is. With over-sampling
    the informative groups themselves are the batch, and nothing is skipped from it.
    """
    if settings.over_sampling is not None:
        return NOTHING
    rest = {id(scored) for _, scored in kept}
    rollouts = [r for g in drawn if id(g) not in rest for r, use in zip(g.rollouts, g.used, strict=True) if use]
    updates = settings.updates_per_step
    return Denominators(len(rollouts) / updates, sum(r.num_tokens for r in rollouts) / updates)
