"""How values of tokens become one loss: the means that the papers of the GRPO family differ in."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator

from vlrl.losses.loss_inputs import LossInputs
from vlrl.losses.loss_registry import Loss

Aggregate = Literal["sequence", "token", "sum"]


class TokenLoss(Loss):
    """A loss of tokens that are averaged in one of three ways; token weights are in every one of them.

    aggregate  `sequence`: mean over a response's trained tokens, then over responses (GRPO); `token`: mean over all
               trained tokens (DAPO); `sum`: a response's tokens are added up and divided by `length`, then mean over
               responses, so that no response's length changes what its tokens count (Dr.GRPO)
    length     tokens that a response's sum is divided by where `aggregate` is `sum`; Dr.GRPO takes its response budget
    """

    aggregate: Aggregate = "sequence"
    length: int = Field(default=1, ge=1)

    @property
    def means_over_response(self) -> bool:
        """Whether a token's share falls with the number of trained tokens of its response."""
        return self.aggregate == "sequence"

    @model_validator(mode="after")
    def _length_is_read(self) -> TokenLoss:
        if self.length != 1 and self.aggregate != "sum":
            raise ValueError(f"length is {self.length}, but only `aggregate: sum` divides by it; leave it out")
        return self

    def average(self, each: torch.Tensor, inputs: LossInputs) -> torch.Tensor:
        """(M,) values of tokens → a scalar to add up over micro-batches."""
        each = inputs.weights * each
        if self.aggregate == "token":
            return each.sum() / inputs.update_tokens
        sums = inputs.per_response(each)
        if self.aggregate == "sequence":
            return (sums / inputs.trained).sum() / inputs.update_responses
        return sums.sum() / (self.length * inputs.update_responses)
