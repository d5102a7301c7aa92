"""Online mirror descent, the objective of Kimi k1.5 (§2.3.2)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field

from vlrl.losses.loss_inputs import LossInputs
from vlrl.losses.loss_registry import Loss, losses
from vlrl.provenance import Mark


@losses.register("kimi")
class KimiLoss(Loss):
    """Minus the objective whose gradient is eq. 3, averaged over responses:

        −A_j · log π(y_j) + (τ/2) · (log π(y_j) − log π_old(y_j))²      with log π(y) the *sum* over the response

    Its gradient in log π(y_j) is −(A_j − τ·logratio_j): eq. 3 with A_j = r_j − baseline, which
    credit/advantage/advantages.py takes. It is the paper's squared surrogate
    (r − τ log Z − τ logratio)² over 2τ, less a constant.

    tau              pull towards π_old, the policy at the iteration's start. The paper gives no value
    logratio_norm    `none` is the paper's sequence sum; `length` divides a response's terms by its trained tokens
                     (ours, for long responses whose sums grow without bound; a public re-implementation does the like)
    """

    paper: ClassVar[str] = "Kimi k1.5, 2501.12599 §2.3.2"
    mark: ClassVar[Mark] = "P"
    resets_optimizer: ClassVar[bool] = True  # k1.5 §2.3.2

    tau: float = Field(default=0.1, ge=0.0)
    logratio_norm: Literal["none", "length"] = "none"

    @property
    def means_over_response(self) -> bool:
        """Whether a token's share falls with the number of trained tokens of its response."""
        return self.logratio_norm == "length"

    @property
    def objective_tau(self) -> float | None:
        """τ of k1.5 eq. 2."""
        return self.tau

    @property
    def reads_pull_scales(self) -> bool:
        """They multiply τ."""
        return self.tau > 0

    @property
    def pulls_without_advantage(self) -> bool:
        """The squared log ratio pulls every response back."""
        return self.tau > 0

    def __call__(self, inputs: LossInputs) -> torch.Tensor:
        """A scalar to add up over micro-batches."""
        total = inputs.per_response(inputs.weights * inputs.logprobs)
        ratio = inputs.per_response(inputs.weights * (inputs.logprobs - inputs.old_logprobs))
        if self.logratio_norm == "length":
            total, ratio = total / inputs.trained, ratio / inputs.trained
        pull = 0.5 * self.tau * ratio.square()
        if inputs.pull_scales is not None:
            pull = inputs.pull_scales * pull
        each = -inputs.advantages * total + pull
        if inputs.token_advantages is not None:
            extra = inputs.per_response(inputs.weights * inputs.token_advantages * inputs.logprobs)
            each = each - (extra / inputs.trained if self.logratio_norm == "length" else extra)
        return each.sum() / inputs.update_responses
