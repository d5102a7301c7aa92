"""What a step's groups say, as metrics: rewards, accuracy by modality, lengths, endings, faults."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vlrl.credit.advantage.shortest_right import length_correctness
from vlrl.evaluation.episode_metrics import episode_metrics
from vlrl.evaluation.scores import pass_at_k
from vlrl.model.batch.example import Example
from vlrl.model.prompts.encode import Encoded
from vlrl.types import ScoredGroup, Verdict


def group_metrics(groups: Sequence[ScoredGroup]) -> dict[str, float]:
    """Metrics over all rollouts of a step, trained on or not; keys are `area/what`. Without groups only their count.

    A response that could not be judged has no reward and is in no mean of rewards.
    """
    if not groups:
        return {"groups/drawn": 0.0, "tokens/response": 0.0}
    rollouts = [r for g in groups for r in g.rollouts]
    verdicts = [v for g in groups for v in g.verdicts]
    lengths = np.array([r.num_policy_tokens for r in rollouts])
    judged = [v for v in verdicts if v.fault is None]
    rewards = [reward for g in groups for reward, v in zip(g.rewards, g.verdicts, strict=True) if v.fault is None]
    metrics = {
        **({"reward/mean": float(np.mean(rewards))} if rewards else {}),
        "accuracy/mean": sum(v.correct for v in judged) / max(1, len(judged)),
        "length/mean": float(lengths.mean()),
        "length/p95": float(np.percentile(lengths, 95)),
        "groups/drawn": float(len(groups)),
        "groups/informative_rate": sum(g.informative for g in groups) / len(groups),
        "verdicts/fault_rate": 1 - len(judged) / len(verdicts),
        "tokens/response": float(lengths.sum()),
    }
    metrics |= group_diagnostics(groups) | part_metrics(judged)
    metrics |= episode_metrics([pair for g in groups for pair in zip(g.rollouts, g.verdicts, strict=True)])
    for modality in sorted({g.problem.modality for g in groups}):
        outcomes = [v.correct for g in groups if g.problem.modality == modality for v in g.verdicts if v.fault is None]
        metrics[f"accuracy/{modality}"] = sum(outcomes) / max(1, len(outcomes))
    for finish_reason in ("stop", "length", "repeat", "unfinished"):
        metrics[f"finish_reason/{finish_reason}"] = sum(r.finish_reason == finish_reason for r in rollouts) / len(
            rollouts
        )
    return metrics


def part_metrics(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """score_parts/<name>: mean of each sub-score over the verdicts that have it; nothing without sub-scores."""
    by_name: dict[str, list[float]] = {}
    for verdict in verdicts:
        for name, value in verdict.parts.items():
            by_name.setdefault(name, []).append(value)
    return {f"score_parts/{name}": sum(values) / len(values) for name, values in sorted(by_name.items())}


def example_metrics(examples: Sequence[Example]) -> dict[str, float]:
    """What updates read of a step's responses; without any only that no token was trained on.

    tokens/trained            tokens of weight above 0, once a step however many updates read them
    responses/untrained_rate  share of the responses whose tokens all have weight 0
    """
    trained = [
        len(response) if example.token_weights is None else sum(weight > 0 for weight in example.token_weights[j])
        for example in examples
        for j, response in enumerate(example.responses)
    ]
    rate = {"responses/untrained_rate": sum(count == 0 for count in trained) / len(trained)} if trained else {}
    return {"tokens/trained": float(sum(trained)), **rate}


UNUSED = ("no_advantage", "left_over", "fault", "weightless")


def unused_tokens(
    drawn: Sequence[ScoredGroup],
    skipped: Sequence[ScoredGroup],
    examples: Sequence[Example],
    trained: Sequence[ScoredGroup],
) -> dict[str, float]:
    """Tokens of groups that have ended and that no update reads, by why.

    tokens/unused_no_advantage  of groups that were skipped, since there is nothing to learn from them
    tokens/unused_left_over     of groups that over-sampling drew beyond what a step learns from
    tokens/unused_fault         of responses that couldn't be judged, or are left out
    tokens/unused_weightless    of weight 0, and those that hooks discarded
    """
    here = {id(group) for group in (*skipped, *trained)}
    counts = dict.fromkeys(UNUSED, 0)
    counts["no_advantage"] = sum(map(_written, skipped))
    counts["left_over"] = sum(_written(group) for group in drawn if id(group) not in here)
    counts["fault"] = sum(
        rollout.num_written_tokens
        for group in trained
        for rollout, judged in zip(group.rollouts, group.judged, strict=True)
        if not judged
    )
    read = int(example_metrics(examples)["tokens/trained"])
    counts["weightless"] = sum(map(_written, trained)) - counts["fault"] - read
    return {f"tokens/unused_{name}": float(count) for name, count in counts.items()}


def _written(group: ScoredGroup) -> int:
    return sum(rollout.num_written_tokens for rollout in group.rollouts)


def group_diagnostics(groups: Sequence[ScoredGroup]) -> dict[str, float]:
    """What groups say beyond means.

    groups/zero_variance_rate   share of groups whose judged responses all have one score (k1.5 §2.3.4)
    accuracy/pass_at_<k>        unbiased estimate at powers of two up to the group's size, over groups of that size
    length/correct_correlation  of length and correctness within groups; below 0 longer responses are wrong more often
                                (overthinking, ICR). Absent where nothing varies
    """
    pairs = [list(zip((r.num_policy_tokens for r in g.rollouts), g.verdicts, strict=True)) for g in groups]
    judged = [responses for of_group in pairs if (responses := [(n, v) for n, v in of_group if v.fault is None])]
    if not judged:
        return {}
    alike = sum(len({v.score for _, v in responses}) == 1 for responses in judged)
    metrics = {"groups/zero_variance_rate": alike / len(judged)}
    k = 2
    while k <= max(len(responses) for responses in judged):
        large = [responses for responses in judged if len(responses) >= k]
        metrics[f"accuracy/pass_at_{k}"] = sum(
            pass_at_k(len(responses), sum(v.correct for _, v in responses), k) for responses in large
        ) / len(large)
        k *= 2
    correlation = length_correctness([g.usable() for g in groups])
    return metrics if correlation is None else metrics | {"length/correct_correlation": correlation}


def prompt_metrics(prompts: Sequence[Encoded]) -> dict[str, float]:
    """Prompt tokens of a step, each prompt once: `tokens/text` with the chat template, `tokens/image` of images."""
    image = sum(kind == 1 for prompt in prompts for kind in prompt.token_types)
    return {"tokens/text": float(sum(p.num_tokens for p in prompts) - image), "tokens/image": float(image)}
