"""GSPO: one ratio for a whole response, the geometric mean of its tokens' ratios (arXiv 2507.18071, eq. 5–7)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field

from vlrl.losses.loss_inputs import LossInputs
from vlrl.losses.loss_registry import Loss, losses
from vlrl.provenance import Mark


@losses.register("gspo")
class GspoLoss(Loss):
    """−min(s A, clip(s, 1 − low, 1 + high) A), s = exp(mean over the response's trained tokens of log π/π_old).

    On-policy its gradient is GRPO's with the mean over a response's tokens. Token weights weigh the mean in s; token
    credit has no place here.

    clip_low, clip_high  three hundredths of a percent and four: means of many tokens hardly move (paper §5.1)
    """

    paper: ClassVar[str] = "GSPO, 2507.18071"
    mark: ClassVar[Mark] = "P"
    reads_token_credit: ClassVar[bool] = False

    clip_low: float = Field(default=3e-4, gt=0.0)
    clip_high: float = Field(default=4e-4, gt=0.0)

    @property
    def means_over_response(self) -> bool:
        """Always: the sequence's ratio is a mean over its tokens."""
        return True

    def __call__(self, inputs: LossInputs) -> torch.Tensor:
        """A scalar to add up over micro-batches."""
        log_ratio = inputs.per_response(inputs.weights * (inputs.logprobs - inputs.old_logprobs)) / inputs.trained
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1 - self.clip_low, 1 + self.clip_high)
        return -torch.minimum(ratio * inputs.advantages, clipped * inputs.advantages).sum() / inputs.update_responses
