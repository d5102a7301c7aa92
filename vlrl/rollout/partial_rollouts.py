"""Partial rollouts (k1.5 §2.6.2): what an iteration did not finish waits here and is served first.

Every response gets at most `budget` new tokens an iteration. A group is handed on when all of its responses have ended;
until then it waits with its token ids, behaviour log-probabilities and the policy version of every segment, and nothing
of it is written twice. Short groups end early, so the first groups of a run are biased towards short answers; their age
is in the metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field

from vlrl.config import Settings
from vlrl.model.prompts.encode import Encoded
from vlrl.rollout.collector import Encode, answers, check_content, check_same_content
from vlrl.rollout.engine import Generates, Request, Sampling
from vlrl.runlog.codecs import problem_from, problem_state, rollout_from, rollout_state
from vlrl.seeding import derive_seed
from vlrl.types import Group, Problem, Rollout


class PartialRollouts(Settings):
    """How rollouts are cut over iterations.

    budget       new tokens that a response may get in one iteration
    early_exit_below  once no response waits for a slot and fewer than this share of the engine's slots is busy, the
                      rest is
                 left to the next iteration; 0 lets every response use its budget
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
    content_hash  of the prompt that they were begun with; None before the first call
    """

    problem: Problem
    encoded: Encoded | None
    seed: int
    drawn: int
    rollouts: tuple[Rollout, ...] = ()
    content_hash: str | None = None

    @property
    def ended(self) -> bool:
        """Whether all responses have."""
        return bool(self.rollouts) and all(rollout.finish_reason != "unfinished" for rollout in self.rollouts)


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
        """One iteration: leftovers and k rollouts of each new problem go on by `budget` tokens.

        Returns the groups that have ended, oldest first, and the metrics `rollout/…`. The seed of each new request
        comes from `seed`, the problem and its place. Raises EngineError for a begun group whose prompt, encoded again
        after a resume, is no longer what its responses were begun with.
        """
        left = self.waiting
        fresh = [PartialGroup(p, None, derive_seed(seed, p.id, place), step) for place, p in enumerate(problems)]
        served = self._encoded([*left, *fresh], encode)
        requests = [
            Request(
                one.encoded,
                k,
                sampling,
                one.seed,
                resume_from=one.rollouts or None,
                new_tokens=settings.budget,
                early_exit_below=settings.early_exit_below,
            )
            for one in served
        ]
        after = []
        for one, answer in zip(served, answers(engine, requests, [one.problem for one in served]), strict=True):
            assert one.encoded is not None
            check_content(one.problem, one.encoded, answer)
            after.append(replace(one, rollouts=answer.rollouts, content_hash=answer.content_hash))
        self.waiting = [one for one in after if not one.ended]
        ended = [one for one in after if one.ended]
        metrics = self._metrics(served, after, ended, step)
        found = [Group(one.problem, one.rollouts, one.encoded) for one in ended if one.encoded is not None]
        return found, metrics

    @staticmethod
    def _encoded(groups: Sequence[PartialGroup], encode: Encode) -> list[PartialGroup]:
        missing = [i for i, one in enumerate(groups) if one.encoded is None]
        found = dict(zip(missing, encode([groups[i].problem for i in missing]), strict=True))
        for i, again in found.items():
            if (resumed_with := groups[i].content_hash) is not None:
                check_same_content(f"problem {groups[i].problem.id}, begun before the resume", resumed_with, again)
        return [replace(one, encoded=found[i]) if i in found else one for i, one in enumerate(groups)]

    def _metrics(
        self, before: Sequence[PartialGroup], after: Sequence[PartialGroup], ended: Sequence[PartialGroup], step: int
    ) -> dict[str, float]:
        """Counts of this iteration; ages are in iterations since a group was drawn."""
        continued = written = 0
        for old, new in zip(before, after, strict=True):
            for j, rollout in enumerate(new.rollouts):
                held = old.rollouts[j].num_tokens if old.rollouts else 0
                written += rollout.num_tokens - held
                continued += rollout.num_tokens - held if held else 0
        unfinished = sum(r.finish_reason == "unfinished" for one in self.waiting for r in one.rollouts)
        ages = [step - one.drawn for one in ended]
        metrics = {
            "tokens/written": float(written),
            "rollout/tokens_continued": float(continued),
            "rollout/unfinished": float(unfinished),
            "rollout/groups_waiting": float(len(self.waiting)),
            "rollout/groups_ended": float(len(ended)),
            "rollout/oldest_waiting_age": float(max((step - one.drawn for one in self.waiting), default=0)),
        }
        if ended:
            rollouts = [r for one in ended for r in one.rollouts]
            stale = [step - s.policy_version for r in rollouts for s in r.segments for _ in s.token_ids]
            metrics |= {
                "rollout/group_age_mean": sum(ages) / len(ages),
                "rollout/group_age_max": float(max(ages)),
                "rollout/segments_mean": sum(len(r.segments) for r in rollouts) / len(rollouts),
                "rollout/staleness_mean": sum(stale) / len(stale),
                "rollout/stale_tokens_rate": sum(age > 0 for age in stale) / len(stale),
            }
        return metrics

    def state_dict(self) -> dict[str, Any]:
        """All waiting groups as plain values; their prompts are encoded again after a resume."""
        return {"waiting": [_plain(one) for one in self.waiting]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.waiting = [_resumed(held) for held in state["waiting"]]


def _plain(one: PartialGroup) -> dict[str, Any]:
    return {
        "problem": problem_state(one.problem),
        "seed": one.seed,
        "drawn": one.drawn,
        "rollouts": [rollout_state(rollout) for rollout in one.rollouts],
        "content_hash": one.content_hash,
    }


def _resumed(held: Mapping[str, Any]) -> PartialGroup:
    rollouts = tuple(map(rollout_from, held["rollouts"]))
    return PartialGroup(
        problem_from(held["problem"]), None, held["seed"], held["drawn"], rollouts, held["content_hash"]
    )
