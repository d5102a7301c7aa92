"""DPO on pairs of responses (arXiv 2305.18290, eq. 7), and Poly-DPO's term for noisy or trivial pairs."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch.nn.functional import logsigmoid

from vlrl.losses.loss_inputs import LossInputs
from vlrl.losses.loss_registry import Loss, losses
from vlrl.provenance import Mark


@losses.register("dpo")
class DpoLoss(Loss):
    """−log p + α(1 − p), p = σ(β·(Δ_chosen − Δ_rejected)), Δ = log π(y) − log π_ref(y) over the response.

    Mean over pairs. A pair is two responses of one row, the chosen one first: advantages +1 and −1.
    `old_logprobs` are those of the frozen reference.

    beta   pull towards the reference
    alpha  Poly-DPO: above 0 for noisy pairs, below 0 for trivial ones; 0 is DPO
    """

    paper: ClassVar[str] = "DPO, 2305.18290; Poly-DPO"
    mark: ClassVar[Mark] = "P"
    needs: ClassVar[frozenset[str]] = frozenset({"pairs"})

    beta: float = Field(default=0.1, gt=0.0)
    alpha: float = 0.0

    def __call__(self, inputs: LossInputs) -> torch.Tensor:
        """A scalar to add up over micro-batches. Raises ValueError where responses are no pairs."""
        signs = inputs.advantages.reshape(-1, 2) if len(inputs.advantages) % 2 == 0 else inputs.advantages[None]
        if signs.shape[1] != 2 or not bool(((signs[:, 0] == 1) & (signs[:, 1] == -1)).all()):
            raise ValueError("dpo: responses must come in pairs, the chosen one (+1) before the rejected one (−1)")
        drift = inputs.per_response(inputs.weights * (inputs.logprobs - inputs.old_logprobs)).reshape(-1, 2)
        margin = self.beta * (drift[:, 0] - drift[:, 1])  # (pairs,)
        each = -logsigmoid(margin)
        if self.alpha:
            each = each + self.alpha * torch.sigmoid(-margin)
        return each.sum() / (inputs.update_responses / 2)
