"""Long2short's pairs (k1.5 §2.4): the shortest right response against longer ones.

The shortest right response itself (k1.5 §2.4) is what a warm-up set with `keep: 1` and `order: shortest` keeps.
"""

from __future__ import annotations

from vlrl.curation.stage import Answered
from vlrl.types import Preference, Problem

LONGER = 1.5  # k1.5 §2.4: right responses of 1.5 times the positive's length are negatives, too


def shortest_right(answered: Answered) -> int | None:
    """Index of the shortest right response that ended by itself; the earlier one wins a tie. None without any."""
    pairs = enumerate(zip(answered.rollouts, answered.verdicts, strict=True))
    right = [i for i, (rollout, verdict) in pairs if verdict.correct and rollout.finish_reason == "stop"]
    return min(right, key=lambda i: (answered.rollouts[i].num_tokens, i), default=None)


def preference_pairs(problem: Problem, answered: Answered, ratio: float = LONGER) -> list[Preference]:
    """The shortest right response against every longer wrong one, and every right one of `ratio` times its length.

    k1.5 §2.4. Wrong responses that are shorter or as long are no negatives: they would teach length, not rightness.
    A verdict that is a fault says nothing about its response, which is left out; so are texts that equal the positive's
    or that of another negative. Without a right response there is no pair.
    """
    place = shortest_right(answered)
    if place is None:
        return []
    chosen = answered.rollouts[place]
    pairs: dict[str, Preference] = {}
    for rollout, verdict in zip(answered.rollouts, answered.verdicts, strict=True):
        if verdict.fault is not None or rollout.text == chosen.text:
            continue
        long = rollout.num_tokens >= ratio * chosen.num_tokens
        if long if verdict.correct else rollout.num_tokens > chosen.num_tokens:
            pairs.setdefault(
                rollout.text,
                Preference(problem, chosen.text, rollout.text, rejected_ended=rollout.finish_reason == "stop"),
            )
    return list(pairs.values())
