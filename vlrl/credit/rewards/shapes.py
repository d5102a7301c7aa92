"""Reward parts besides the score: `credit: {shape: [{name: length, weight: 0.2}]}`. Weight 0 turns a part off.

A part has a default weight where its source fixes one; elsewhere it must be given.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from vlrl.credit.credit_context import CreditContext
from vlrl.provenance import Method
from vlrl.registry import Registry
from vlrl.types import ScoredGroup


class StepShape(Method):
    """The base of reward parts; of its own those that compare the responses to several problems of a step.

    weight      of this part in the total reward; 0 turns it off
    start_step  the first RL step that counts it: nothing before, then a constant weight
    ramp_steps  steps over which the weight then rises in a line to the whole of it; 0: at once, as in k1.5
    """

    weight: float = Field(ge=0.0, description="its source gives no number")
    start_step: int = Field(default=0, ge=0)
    ramp_steps: int = Field(default=0, ge=0)

    def weight_at(self, step: int) -> float:
        """A step function of the RL step, or a ramp up to it."""
        if step < self.start_step:
            return 0.0
        share = min(1.0, (step - self.start_step + 1) / self.ramp_steps) if self.ramp_steps else 1.0
        return self.weight * share

    @abstractmethod
    def over(self, groups: Sequence[ScoredGroup], context: CreditContext) -> list[tuple[float, ...]]:
        """(n,) values of every group of a step before the weight."""


class Shape(StepShape):
    """The base of reward parts that look at one group at a time."""

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext) -> list[tuple[float, ...]]:
        """Group by group."""
        return [self.of(group, context) for group in groups]

    @abstractmethod
    def of(self, group: ScoredGroup, context: CreditContext) -> tuple[float, ...]:
        """(n,) values before the weight."""


shapes: Registry[Any] = Registry("reward part", base=StepShape)
