"""Groups with verdicts for the tests of credit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vlrl.types import Group, Problem, Rollout, ScoredGroup, Segment, Text, Verdict

PROBLEM = Problem((Text("3+4=?"),), "7", "number", "text", "tests")
RIGHT, WRONG, FAULT = Verdict.right("7"), Verdict.wrong("no"), Verdict.broken("the verifier crashed")


def rollout(length: int, finish_reason="stop", logprob: float = -1.0, text: str = "x") -> Rollout:
    """A response of equally likely tokens."""
    return Rollout((Segment((1,) * length, (logprob,) * length, 0),), text, finish_reason)


def verdict(value: bool | float | Verdict) -> Verdict:
    """Right or wrong, or a graded score that is not correct."""
    if isinstance(value, Verdict):
        return value
    return (RIGHT if value else WRONG) if isinstance(value, bool) else Verdict(value, False)


def judged(outcomes: Sequence, lengths: Sequence[int] = (), rollouts: Sequence[Rollout] = (), **more) -> ScoredGroup:
    """A group from outcomes, with lengths or whole responses."""
    lengths = lengths or [4] * len(outcomes)
    return ScoredGroup.of(
        Group(PROBLEM, tuple(rollouts) or tuple(rollout(n) for n in lengths)),
        tuple(verdict(o) for o in outcomes),
        **more,
    )


def usable(outcomes: Sequence, **more) -> ScoredGroup:
    """What a reward part sees."""
    return judged(outcomes, **more).usable()


def rewarded(parts: dict[str, Sequence[float]], weights: dict[str, float] | None = None) -> ScoredGroup:
    """What an advantage sees: every part as given, `correct` where the score is 1."""
    weights = {"score": 1.0} | (weights or dict.fromkeys(parts, 1.0))
    held = {name: tuple(values) for name, values in parts.items()}
    total = tuple(sum(weights[n] * held[n][i] for n in held) for i in range(len(held["score"])))
    group = usable([bool(s == 1.0) for s in held["score"]])
    return replace(group, rewards=total, reward_parts=held, reward_weights=weights)


def credited(outcomes: Sequence, advantages: Sequence[float], **more) -> ScoredGroup:
    """What a token part sees."""
    return replace(usable(outcomes, **more), advantages=tuple(advantages))
