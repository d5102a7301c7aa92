"""Reward parts besides the score: `credit: {shape: [{name: length, weight: 0.2}]}`. Weight 0 turns a part off."""

from __future__ import annotations

from typing import Any, Protocol

from pydantic import Field

from vlrl.credit.groups import JudgedGroup, Moment
from vlrl.methods import Method
from vlrl.registry import Registry


class Shape(Protocol):
    """`of` gives (n,) values before the weight; `weight_at` is the weight in the total reward at a step."""

    def weight_at(self, step: int) -> float: ...

    def of(self, group: JudgedGroup, moment: Moment) -> tuple[float, ...]: ...


class ShapeSettings(Method):
    """What all reward parts have in common.

    weight      of this part in the total reward; 0 turns it off
    start_step  the first RL step that counts it: nothing before, then a constant weight
    """

    weight: float = Field(default=0.0, ge=0.0)
    start_step: int = Field(default=0, ge=0)

    def weight_at(self, step: int) -> float:
        """A step function of the RL step."""
        return self.weight if step >= self.start_step else 0.0


shapes: Registry[Any] = Registry("reward part")
