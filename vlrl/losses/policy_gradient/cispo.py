"""CISPO: the importance weight is clipped, never the token's gradient (MiniMax-M1, arXiv 2506.13585, eq. 4–5)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field

from vlrl.losses.aggregate import Aggregate, TokenLoss
from vlrl.losses.loss_inputs import LossInputs
from vlrl.losses.loss_registry import losses
from vlrl.provenance import Mark


@losses.register("cispo")
class CispoLoss(TokenLoss):
    """−sg[clip(ρ_t, 1 − low, 1 + high)] · A · log π(y_t), sg without gradient: rare tokens keep pulling when clipped.

    clip_low   1 leaves the lower side open, as the paper does
    clip_high  the paper tunes it and gives no value; this one is ours
    """

    paper: ClassVar[str] = "CISPO in MiniMax-M1, 2506.13585"
    mark: ClassVar[Mark] = "P"

    aggregate: Aggregate = "token"
    clip_low: float = Field(default=1.0, gt=0.0, le=1.0)
    clip_high: float = Field(default=4.0, gt=0.0)

    def __call__(self, inputs: LossInputs) -> torch.Tensor:
        """A scalar to add up over micro-batches."""
        ratio = (inputs.logprobs - inputs.old_logprobs).detach().exp()
        weight = ratio.clamp(1 - self.clip_low, 1 + self.clip_high)
        return self.average(-weight * inputs.credit * inputs.logprobs, inputs)
