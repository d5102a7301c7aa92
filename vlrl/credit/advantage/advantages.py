"""Reward → advantage: what is subtracted, over the responses of one problem that could be judged.

`credit: {advantage: mean}`. Advantages that look at one group's total rewards alone are here; each is a function of
those. Others see all groups of a step, single reward parts, or keep a state: batch_advantages.py, reward_mix.py.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from vlrl.credit.credit_context import CreditContext
from vlrl.provenance import Mark, Method
from vlrl.registry import Registry
from vlrl.types import ScoredGroup

State = dict[str, float]  # what a part remembers from step to step; it is in the checkpoint


class Advantage(Method):
    """The base of every advantage.

    least        responses below which a group has no baseline: its advantages are 0
    reads_shape  whether reward parts besides the score have an effect
    """

    least: ClassVar[int] = 2
    reads_shape: ClassVar[bool] = True

    @property
    def objective_tau(self) -> float | None:
        """τ of the objective of k1.5 eq. 2, where this is its baseline: one number with the loss's."""
        return None

    @abstractmethod
    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[tuple[float, ...]]:
        """(n,) advantages of every group; `state` is the part's own and may be changed."""


advantages: Registry[Any] = Registry("advantage", base=Advantage)


class GroupAdvantage(Advantage):
    """A function of one group's total rewards."""

    def __call__(self, rewards: Sequence[float]) -> tuple[float, ...]:
        """(n,) rewards → (n,) advantages."""
        raise NotImplementedError

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[tuple[float, ...]]:
        """Group by group."""
        return [self(group.rewards) for group in groups]


@advantages.register("mean")
class MeanBaseline(GroupAdvantage):
    """A_j = r_j − r̄: no division by the spread (k1.5 §2.3.2; the τ → ∞ limit of `log_partition`)."""

    paper: ClassVar[str] = "Kimi k1.5, 2501.12599 §2.3.2"
    mark: ClassVar[Mark] = "P"

    def __call__(self, rewards: Sequence[float]) -> tuple[float, ...]:
        """(k,) rewards → (k,) advantages that sum to zero."""
        mean = sum(rewards) / len(rewards)
        return tuple(settle(r - mean) for r in rewards)


@advantages.register("log_partition")
class LogPartitionBaseline(GroupAdvantage):
    """A_j = r_j − τ log (1/k) Σ_i exp(r_i/τ): the sampled estimate of τ log Z (k1.5 §2.3.2)."""

    paper: ClassVar[str] = "Kimi k1.5, 2501.12599 §2.3.2"
    mark: ClassVar[Mark] = "P"

    tau: float = Field(default=1.0, gt=0.0, description="above 0; the loss's τ belongs here too")

    @property
    def objective_tau(self) -> float | None:
        """τ of k1.5 eq. 2."""
        return self.tau

    def __call__(self, rewards: Sequence[float]) -> tuple[float, ...]:
        """(k,) rewards → (k,) advantages."""
        top = max(rewards)
        mean = sum(math.exp((r - top) / self.tau) for r in rewards) / len(rewards)
        baseline = top + self.tau * math.log(mean)
        return tuple(settle(r - baseline) for r in rewards)


@advantages.register("grpo")
class GroupNormalised(GroupAdvantage):
    """A_j = (r_j − r̄) / (σ + ε), σ the standard deviation over the group (GRPO, arXiv 2402.03300, eq. 3 ff.).

    deviation  `sample` divides the squares by k − 1, `population` by k; the paper doesn't say which
    """

    paper: ClassVar[str] = "GRPO, 2402.03300"
    mark: ClassVar[Mark] = "P"

    epsilon: float = Field(default=1e-4, ge=0.0)
    deviation: Literal["sample", "population"] = "sample"

    def __call__(self, rewards: Sequence[float]) -> tuple[float, ...]:
        """(k,) rewards → (k,) advantages."""
        mean = sum(rewards) / len(rewards)
        if len(rewards) < 2:
            return (0.0,) * len(rewards)
        count = len(rewards) - 1 if self.deviation == "sample" else len(rewards)
        spread = math.sqrt(sum((r - mean) ** 2 for r in rewards) / count)
        if spread < 1e-12:
            return (0.0,) * len(rewards)
        return tuple(settle(r - mean) / (spread + self.epsilon) for r in rewards)


@advantages.register("rloo")
class LeaveOneOut(GroupAdvantage):
    """A_j = r_j − mean of the others' rewards = k/(k − 1)·(r_j − r̄): no response has a part in its own baseline."""

    paper: ClassVar[str] = "RLOO, 2402.14740 §3"
    mark: ClassVar[Mark] = "P"

    def __call__(self, rewards: Sequence[float]) -> tuple[float, ...]:
        """(k,) rewards → (k,) advantages that sum to zero."""
        k, total = len(rewards), sum(rewards)
        return tuple(settle(r - (total - r) / (k - 1)) for r in rewards)


@advantages.register("none")
class NoAdvantage(GroupAdvantage):
    """All zero, for runs that learn from token credit alone (distillation)."""

    least: ClassVar[int] = 1

    def __call__(self, rewards: Sequence[float]) -> tuple[float, ...]:
        """(k,) zeros."""
        return (0.0,) * len(rewards)


def settle(value: float) -> float:
    """Equal rewards have advantage exactly 0, whatever rounding left over."""
    return 0.0 if abs(value) < 1e-12 else value
