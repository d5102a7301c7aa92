"""What episodes say of tools: how often they are called, what comes of it, and who is right with and without them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vlrl.types import Episode, Rollout, Verdict


def episode_metrics(pairs: Iterable[tuple[Rollout, Verdict]]) -> dict[str, float]:
    """Of responses that an environment took part in; empty without any.

    episodes/call_rate            share of episodes with a call
    episodes/turns, calls, images  means over episodes
    episodes/over_limit_rate      share that a limit ended
    calls/invalid_rate …          shares of the calls: `invalid`, `failed`, `dropped`, and `duplicate`
    episodes/rewrites, discarded_tokens, discarded_calls   means over episodes, absent where no hook did anything
    accuracy/with_calls, accuracy/without_calls   absent where there are none; calls without use show here
    """
    played = [(r.episode, verdict) for r, verdict in pairs if r.episode is not None]
    if not played:
        return {}
    episodes = [episode for episode, _ in played]
    calls = [call for episode in episodes for call in episode.calls]
    found = {
        "episodes/call_rate": _mean([bool(episode.calls) for episode in episodes]),
        "episodes/turns": _mean([episode.turns for episode in episodes]),
        "episodes/calls": len(calls) / len(episodes),
        "episodes/images": sum(call.images for call in calls) / len(episodes),
        "episodes/over_limit_rate": _mean([episode.over_limit is not None for episode in episodes]),
    }
    if any(episode.rewrites for episode in episodes):
        found["episodes/rewrites"] = _mean([sum(episode.rewrites.values()) for episode in episodes])
        found["episodes/discarded_tokens"] = _mean([episode.discarded_tokens for episode in episodes])
        found["episodes/discarded_calls"] = _mean([episode.discarded_calls for episode in episodes])
    if calls:
        found |= {
            f"calls/{name}_rate": _mean([c.outcome == name for c in calls]) for name in ("invalid", "failed", "dropped")
        }
        found["calls/duplicate_rate"] = _mean([call.duplicate for call in calls])
    return found | _accuracy(played)


def _accuracy(played: Sequence[tuple[Episode, Verdict]]) -> dict[str, float]:
    found = {}
    for name, wanted in (("with", True), ("without", False)):
        correct = [v.correct for episode, v in played if v.fault is None and bool(episode.calls) == wanted]
        if correct:
            found[f"accuracy/{name}_calls"] = _mean(correct)
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
