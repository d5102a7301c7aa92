"""The weighted likelihood of responses: REINFORCE with advantages, BOLT and ReST with their weights as advantages."""

from __future__ import annotations

from typing import ClassVar

import torch

from vlrl.losses.aggregate import Aggregate, TokenLoss
from vlrl.losses.loss_inputs import LossInputs
from vlrl.losses.loss_registry import losses
from vlrl.provenance import Mark


@losses.register("likelihood")
class LikelihoodLoss(TokenLoss):
    """−A_j · log π(y_j), no ratio and no clipping (Williams 1992).

    With `credit.advantage: bolt` it is weighted supervised learning on rollouts of the reference (BOLT), with `rest`
    the likelihood of the best ones (ReST); `kimi` with τ = 0 is the same as this with `aggregate: sum`.
    """

    paper: ClassVar[str] = "REINFORCE, Williams 1992; BOLT; ReST, 2308.08998"
    mark: ClassVar[Mark] = "P"

    aggregate: Aggregate = "sum"

    def __call__(self, inputs: LossInputs) -> torch.Tensor:
        """A scalar to add up over micro-batches."""
        return self.average(-inputs.credit * inputs.logprobs, inputs)
