"""Partial rollouts (k1.5 §2.6.2): what an iteration did not finish waits here and is served first.

Every response gets at most `budget` new tokens an iteration. A group is handed on when all of its responses have ended;
until then it waits with its token ids, behaviour log-probabilities and the policy version of every segment, and nothing
of it is written twice. Short groups end early, so the first groups of a run are biased towards short answers; their age
is in the metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pydantic import Field

from vlrl.config import Settings
from vlrl.model.prompts.encode import Encode, Encoded, EncodesTurns
from vlrl.rollout.collector import check_same_content, responses_of
from vlrl.rollout.engine import Generates, Request, Sampling
from vlrl.runlog.codecs import problem_from, problem_state, rollout_from, rollout_state
from vlrl.seeding import derive_seed
from vlrl.types import Group, Problem, Rollout


class PartialBuffer(Protocol):
    """Where unfinished groups wait. Its state is part of the checkpoint; `close` ends what they hold."""

    def serve(
        self,
        encode: EncodesTurns,
        engine: Generates,
        problems: Sequence[Problem],
        sampling: Sampling,
        k: int,
        seed: int,
        settings: PartialRollouts,
        step: int,
    ) -> tuple[list[Group], dict[str, float]]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...

    def close(self) -> None: ...


class PartialRollouts(Settings):
    """How rollouts are cut over iterations.

    budget            new tokens that a response may get in one iteration
    early_exit_below  share of the engine's slots, in [0, 1]: once no response waits for a slot and fewer are busy, the
                      rest is left to the next iteration; 0 lets every response use its budget
    """

    budget: int = Field(ge=1)
    early_exit_below: float = Field(default=0.8, ge=0.0, le=1.0)


@dataclass(frozen=True)
class PartialGroup:
    """A group that is being written.

    encoded       the prompt as it was read; None after a resume, until it is encoded again
    seed          of its request, from its first iteration to its last
    drawn         the iteration in which it was drawn
    rollouts      its k responses so far; empty before the first call
    """

    problem: Problem
    encoded: Encoded | None
    seed: int
    drawn: int
    rollouts: tuple[Rollout, ...] = ()

    @property
    def content_hash(self) -> str | None:
        """Of the prompt that the rollouts were written for; None before the first call."""
        return self.rollouts[0].content_hash if self.rollouts else None

    @property
    def ended(self) -> bool:
        """Whether all responses have ended."""
        return bool(self.rollouts) and all(rollout.finish_reason != "unfinished" for rollout in self.rollouts)


@dataclass(frozen=True)
class Served:
    """A group that was drawn in an iteration, with its rollouts before and after this one; none before its first."""

    drawn: int
    before: tuple[Rollout, ...]
    after: tuple[Rollout, ...]

    @property
    def ended(self) -> bool:
        """Whether all responses have ended."""
        return all(rollout.finish_reason != "unfinished" for rollout in self.after)


class RolloutBuffer:
    """Unfinished groups between iterations, oldest first. Part of the checkpoint."""

    def __init__(self) -> None:
        self.waiting: list[PartialGroup] = []

    def serve(
        self,
        encode: Encode,
        engine: Generates,
        problems: Sequence[Problem],
        sampling: Sampling,
        k: int,
        seed: int,
        settings: PartialRollouts,
        step: int,
    ) -> tuple[list[Group], dict[str, float]]:
        """Write up to `budget` tokens more of every waiting response, and of k responses to each new problem.

        Returns the groups that have ended, oldest first, and the metrics `rollout/…`. The seed of each new request
        comes from `seed`, the problem and its index. Raises EngineError for a waiting group whose prompt, encoded again
        after a resume, has another content hash than its responses were written for.

        step  0-based; the age of a group is counted from the step in which it was drawn
        """
        leftovers = self.waiting
        fresh = [PartialGroup(p, None, derive_seed(seed, p.id, index), step) for index, p in enumerate(problems)]
        served = self._encoded([*leftovers, *fresh], encode)
        requests = [
            Request(
                group.encoded,
                k,
                sampling,
                group.seed,
                resume_from=group.rollouts or None,
                new_tokens=settings.budget,
                early_exit_below=settings.early_exit_below,
            )
            for group in served
        ]
        responses = responses_of(engine, requests, [group.problem for group in served])
        after = [replace(group, rollouts=rollouts) for group, rollouts in zip(served, responses, strict=True)]
        self.waiting = [group for group in after if not group.ended]
        ended = [group for group in after if group.ended]
        metrics = partial_metrics(
            [Served(new.drawn, old.rollouts, new.rollouts) for old, new in zip(served, after, strict=True)], step
        )
        groups = [Group(group.problem, group.rollouts, group.encoded) for group in ended if group.encoded is not None]
        return groups, metrics

    @staticmethod
    def _encoded(groups: Sequence[PartialGroup], encode: Encode) -> list[PartialGroup]:
        missing = [i for i, group in enumerate(groups) if group.encoded is None]
        encoded = dict(zip(missing, encode([groups[i].problem for i in missing]), strict=True))
        for i, again in encoded.items():
            if (resumed_with := groups[i].content_hash) is not None:
                check_same_content(f"problem {groups[i].problem.id}, begun before the resume", resumed_with, again)
        return [replace(group, encoded=encoded[i]) if i in encoded else group for i, group in enumerate(groups)]

    def close(self) -> None:
        """Nothing to end."""

    def state_dict(self) -> dict[str, Any]:
        """All waiting groups as plain values; their prompts are encoded again after a resume."""
        return {"waiting": [_plain(one) for one in self.waiting]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.waiting = [_resumed(values) for values in state["waiting"]]


def partial_metrics(served: Sequence[Served], step: int) -> dict[str, float]:
    """Counts of one iteration, in tokens that the policy wrote; ages are in iterations since a group was drawn."""
    waiting, ended = [g for g in served if not g.ended], [g for g in served if g.ended]
    continued = written = 0
    for group in served:
        for j, rollout in enumerate(group.after):
            before_call = group.before[j].num_written_tokens if group.before else 0
            written += rollout.num_written_tokens - before_call
            continued += rollout.num_written_tokens - before_call if before_call else 0
    metrics = {
        "tokens/written": float(written),
        "rollout/tokens_continued": float(continued),
        "rollout/unfinished": float(sum(r.finish_reason == "unfinished" for group in waiting for r in group.after)),
        "rollout/groups_waiting": float(len(waiting)),
        "rollout/groups_ended": float(len(ended)),
        "rollout/oldest_waiting_age": float(max((step - group.drawn for group in waiting), default=0)),
    }
    if ended:
        rollouts, ages = [r for group in ended for r in group.after], [step - group.drawn for group in ended]
        own = [s for r in rollouts for s in r.segments if s.author == "policy"]
        stale = [step - s.policy_version for s in own for _ in s.token_ids]
        metrics |= {
            "rollout/group_age_mean": sum(ages) / len(ages),
            "rollout/group_age_max": float(max(ages)),
            "rollout/segments_mean": len(own) / len(rollouts),
            "rollout/staleness_mean": sum(stale) / len(stale),
            "rollout/stale_tokens_rate": sum(age > 0 for age in stale) / len(stale),
        }
    return metrics


def _plain(group: PartialGroup) -> dict[str, Any]:
    return {
        "problem": problem_state(group.problem),
        "seed": group.seed,
        "drawn": group.drawn,
        "rollouts": [rollout_state(rollout) for rollout in group.rollouts],
        "content_hash": group.content_hash,  # checkpoints of before have it here alone
    }


def _resumed(values: Mapping[str, Any]) -> PartialGroup:
    rollouts = tuple(rollout_from({**one, "content_hash": values["content_hash"]}) for one in values["rollouts"])
    return PartialGroup(problem_from(values["problem"]), None, values["seed"], values["drawn"], rollouts)
