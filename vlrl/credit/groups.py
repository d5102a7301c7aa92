"""What the parts of credit see, one type a stage: judged → rewarded → credited. Responses without verdicts are gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vlrl.types import Problem, Rewards, Rollout, Verdict

PerToken = tuple[tuple[float, ...], ...]  # per response j of n: (T_j,)


@dataclass(frozen=True)
class CreditContext:
    """When credit is given.

    step, steps   of the RL run; the first is 0
    max_tokens    response budget
    version       of the policy that writes now; older segments carry smaller ones
    mean_over_response  whether the loss divides what a response's tokens say by their number
    """

    step: int
    steps: int = 1
    max_tokens: int = 1
    version: int = 0
    mean_over_response: bool = False


@dataclass(frozen=True)
class JudgedGroup:
    """The n responses of one problem that could be judged.

    statistics     by name, what the parts declared as `needs`: a number for every response token
    contrast_rate  share of right responses to the problem's perturbed image; None where it was not asked
    """

    problem: Problem
    rollouts: tuple[Rollout, ...]
    verdicts: tuple[Verdict, ...]
    statistics: Mapping[str, PerToken] = field(default_factory=dict)
    contrast_rate: float | None = None

    @property
    def lengths(self) -> tuple[int, ...]:
        """(n,) in tokens."""
        return tuple(rollout.num_tokens for rollout in self.rollouts)

    @property
    def correct(self) -> tuple[bool, ...]:
        """(n,)"""
        return tuple(verdict.correct for verdict in self.verdicts)

    @property
    def finished(self) -> tuple[bool, ...]:
        """(n,) whether a response ended by itself: a cut one is neither short nor finished (k1.5 §2.3.3)."""
        return tuple(rollout.finish_reason == "stop" for rollout in self.rollouts)

    @property
    def pass_rate(self) -> float:
        """Share of right responses."""
        return sum(self.correct) / len(self.verdicts) if self.verdicts else 0.0


@dataclass(frozen=True)
class RewardedGroup:
    """With rewards, (n,) each. `weights` are those of the parts in the total; the score's is 1."""

    group: JudgedGroup
    rewards: Rewards
    weights: Mapping[str, float]


@dataclass(frozen=True)
class CreditedGroup:
    """With advantages (n,), and what is added to them token by token where a part gives that.

    `token_weights` is the product of the weights given so far, None where no part has given any.
    """

    group: JudgedGroup
    advantages: tuple[float, ...]
    token_advantages: PerToken | None = None
    token_weights: PerToken | None = None
