"""Advantages that look at more than one group's total rewards: all groups of a step, single outcomes, earlier steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from vlrl.credit.advantage.advantages import Advantage, State, advantages, settle
from vlrl.credit.credit_context import CreditContext
from vlrl.provenance import Mark
from vlrl.types import ScoredGroup


def spread_of(values: Sequence[float]) -> float:
    """Population standard deviation; 0 for equal values whatever rounding left over."""
    mean = sum(values) / len(values)
    return settle(math.sqrt(sum((v - mean) ** 2 for v in values) / len(values)))


def whitened(groups: Sequence[Sequence[float]], epsilon: float, center: bool = True) -> list[tuple[float, ...]]:
    """(v − mean) / (σ + ε) over the values of all groups; zeros where all values are equal."""
    flat = [value for group in groups for value in group]
    spread = spread_of(flat) if flat else 0.0
    if not spread:
        return [(0.0,) * len(group) for group in groups]
    mean = sum(flat) / len(flat) if center else 0.0
    return [tuple(settle(v - mean) / (spread + epsilon) for v in group) for group in groups]


@advantages.register("reinforce_plus_plus")
class BatchNormalised(Advantage):
    """A = (x − mean) / (σ + ε) over all responses of a step; x is r, or r − r̄ of its group (REINFORCE++, §3).

    One response a problem is enough with `baseline: batch`. The paper's KL penalty is no part of it: `loss.beta` and
    the loss's τ pull towards the iteration's start. Equal rewards everywhere have advantage 0.

    baseline  `batch` is REINFORCE++, `group` its variant for several responses a problem
    """

    paper: ClassVar[str] = "REINFORCE++, 2501.03262"
    mark: ClassVar[Mark] = "P"
    least: ClassVar[int] = 1

    baseline: Literal["batch", "group"] = "batch"
    epsilon: float = Field(default=1e-8, ge=0.0)

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[tuple[float, ...]]:
        """Per group (n,)."""
        values = [one.rewards for one in groups]
        if self.baseline == "group":
            values = [tuple(r - sum(one) / len(one) for r in one) for one in values if one]
        return whitened(values, self.epsilon)


@advantages.register("asymmetric")
class AsymmetricOutcomes(Advantage):
    """Right: ((1 − p)/p)^up, wrong: −(p/(1 − p))^down, p the group's pass rate; ½ and ½ is GRPO on right and wrong.

    A larger `up` lifts rare successes only. It reads right or wrong alone: reward parts would have no effect.
    """

    paper: ClassVar[str] = "AsymGRPO"
    mark: ClassVar[Mark] = "D"
    reads_shape: ClassVar[bool] = False

    up: float = Field(default=0.5, ge=0.0)
    down: float = Field(default=0.5, ge=0.0)

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[tuple[float, ...]]:
        """Per group (n,)."""
        return [self(group.correct) for group in groups]

    def __call__(self, correct: Sequence[bool]) -> tuple[float, ...]:
        """(n,) outcomes → (n,) advantages; zeros where all are alike."""
        p = sum(correct) / len(correct)
        if p in (0.0, 1.0):
            return (0.0,) * len(correct)
        odds = p / (1 - p)
        return tuple(odds**-self.up if right else -(odds**self.down) for right in correct)


@advantages.register("ctan")
class SlowSpread(Advantage):
    """A_j = (r_j − r̄) / (EMA of the groups' mean σ + ε): the scale lasts over steps and tasks (RaPO's CTAN).

    decay  of the moving average; 0 takes each step's own mean σ, which for a single group is GRPO's
    """

    paper: ClassVar[str] = "RaPO"
    mark: ClassVar[Mark] = "R"

    decay: float = Field(default=0.9, ge=0.0, lt=1.0)
    epsilon: float = Field(default=1e-4, ge=0.0)

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[tuple[float, ...]]:
        """Per group (n,). Remembers `spread`; steps whose groups all have equal rewards leave it as it is."""
        spreads = [s for s in (spread_of(group.rewards) for group in groups) if s]
        if spreads:
            latest = sum(spreads) / len(spreads)
            state["spread"] = self.decay * state["spread"] + (1 - self.decay) * latest if "spread" in state else latest
        scale = state.get("spread", 0.0) + self.epsilon
        moved = []
        for group in groups:
            rewards = group.rewards
            mean = sum(rewards) / len(rewards)
            moved.append(tuple(settle(r - mean) / scale if scale else 0.0 for r in rewards))
        return moved
