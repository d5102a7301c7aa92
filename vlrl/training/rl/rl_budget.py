"""How far a stage of RL has come: by steps, or by the response tokens that it may sample."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from vlrl.model.optimization.optimizer import OptimizerSettings


def sampled_tokens(metrics: Mapping[str, float]) -> float:
    """Response tokens that one step sampled: those of its problems, and those of perturbed problems for contrast."""
    return metrics["tokens/written"] + metrics.get("tokens/contrast", 0.0)


class Budget:
    """Ends after `steps`, or earlier after `tokens` response tokens where a number is given.

    What follows the stage's progress (learning rate, schedules of weights) follows the one that ends it, so that arms
    of a comparison with equal tokens go through the whole of their schedules.
    """

    def __init__(self, steps: int, tokens: int | None) -> None:
        self.steps, self.tokens = steps, tokens
        self.spent = 0

    def spend(self, tokens: float) -> None:
        """Book the response tokens of one step."""
        self.spent += round(tokens)

    def progress(self, step: int) -> Fraction:
        """Share of the stage, in [0, 1], that lies behind 0-based `step`."""
        if self.tokens is None:
            return Fraction(step, self.steps)
        return Fraction(min(self.spent, self.tokens), self.tokens)

    def schedule_step(self, step: int, warmup_steps: int) -> int:
        """The step of `steps` that lies as far in the schedule; its warm-up is counted in real steps."""
        if self.tokens is None or step < warmup_steps:
            return step
        return max(warmup_steps, int(self.progress(step) * self.steps))

    def lr_scale(self, step: int, optimizer: OptimizerSettings) -> float:
        """What the peak learning rate is multiplied by in 0-based `step`, whose tokens aren't booked yet."""
        return optimizer.lr_scale_at(self.schedule_step(step, optimizer.warmup_steps), self.steps)

    def ends_after(self, step: int) -> bool:
        """Whether 0-based `step`, whose tokens are booked, was the last; −1: whether there is no step at all."""
        return step + 1 >= self.steps or (self.tokens is not None and self.spent >= self.tokens)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"spent": self.spent}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.spent = int(state["spent"])
