"""Groups → what an update learns from: which responses, with which old log-probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vlrl.credit.tokens.token_weights import staleness
from vlrl.model.batch.example import Example, observations_of, routing_of
from vlrl.model.training.logprob_mismatch import GIVEN, STALE
from vlrl.model.training.policy import Policy
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.types import Rollout, ScoredGroup


def to_examples(
    groups: Sequence[ScoredGroup],
    policy: Policy,
    settings: RlSettings,
    step: int = 0,
    pulls: Mapping[str, float] | None = None,
) -> list[Example]:
    """Groups as update examples; a group without a response to train on gives none.

    pulls  by source what the loss's pull is multiplied by, or None: by nothing

    The policy's log-probabilities at the step's start (k1.5 §2.3.2) are needed only where the step makes more than one
    update: for a first update they are the policy's own. They are computed where no part of credit has asked for them.
    """
    examples = _examples(groups, step, pulls)
    if settings.updates_per_step * settings.epochs_per_step == 1:
        return [replace(example, old_logprobs=None) for example in examples]
    if all(example.old_logprobs is not None for example in examples):
        return examples
    old = policy.logprobs(examples, settings.sampling.temperature)
    return [replace(example, old_logprobs=values) for example, values in zip(examples, old, strict=True)]


def skipped_examples(groups: Sequence[ScoredGroup], step: int) -> list[Example]:
    """Groups without an advantage as examples that are counted and don't run.

    They stay in the averages as they would have stood there, so skipping leaves the gradient of a first update as it
    is.
    """
    return _examples(groups, step)


def _examples(groups: Sequence[ScoredGroup], step: int, pulls: Mapping[str, float] | None = None) -> list[Example]:
    return [_example(trained, step, pulls) for group in groups if (trained := trained_part(group)).rollouts]


def _example(group: ScoredGroup, step: int, pulls: Mapping[str, float] | None) -> Example:
    """All responses of a group, to be trained on."""
    return Example(
        group.encoded,
        tuple(rollout.token_ids for rollout in group.rollouts),
        advantages=group.advantages,
        old_logprobs=group.statistics.get("logprobs"),
        sampler_logprobs=tuple(rollout.sampler_logprobs for rollout in group.rollouts),
        token_weights=group.token_weights,
        token_advantages=group.token_advantages,
        origins=tuple(origins(group.problem.modality, rollout, step) for rollout in group.rollouts),
        teacher_token_ids=group.teacher_token_ids,
        ref_logprobs=group.statistics.get("reference"),
        observations=observations_of(group.rollouts),
        pull_scales=None if pulls is None else (pulls[group.problem.source],) * len(group.rollouts),
        routing=routing_of(group.rollouts),
    )


def trained_part(group: ScoredGroup) -> ScoredGroup:
    """The group with the responses that are trained on: judged, and not empty."""
    return group.take([j for j, judged in enumerate(group.judged) if judged and group.rollouts[j].num_tokens])


def origins(modality: str, rollout: Rollout, step: int) -> tuple[tuple[str, int], ...]:
    """(where they come from, how many) of a response's tokens in order: `given` if no policy wrote them, `stale` if
    an earlier one did, else the modality.
    """
    runs: list[tuple[str, int]] = []
    for segment in rollout.segments:
        age = staleness((segment,), step)
        if age:
            name = GIVEN if segment.author != "policy" else STALE if age[0] > 0 else modality
            runs.append((name, len(age)))
    return tuple(runs)
