"""Online mirror descent, the objective of Kimi k1.5 (§2.3.2)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field

from vlrl.losses.loss_inputs import LossInputs, LossNormalizers
from vlrl.losses.loss_registry import losses
from vlrl.provenance import Mark, Method


@losses.register("kimi")
class KimiLoss(Method):
    """Minus the objective whose gradient is eq. 3, averaged over responses:

        −A_j · log π(y_j) + (τ/2) · (log π(y_j) − log π_ref(y_j))²      with log π(y) the *sum* over the response

    Its gradient in log π(y_j) is −(A_j − τ·logratio_j): eq. 3 with A_j = r_j − baseline (credit/advantages.py). It is
    the paper's squared surrogate (r − τ log Z − τ logratio)² over 2τ, less a constant.

    tau              pull towards the iteration's starting policy. The paper gives no value
    logratio_norm    `none` is the paper's sequence sum; `length` divides a response's terms by its trained tokens
                     (ours, for long responses whose sums grow without bound; a public re-implementation does the like)
    """

    paper: ClassVar[str] = "Kimi k1.5, 2501.12599 §2.3.2"
    mark: ClassVar[Mark] = "P"
    resets_optimizer: ClassVar[bool] = (
        True  # at the start of each iteration (k1.5 §2.3.2), where a config doesn't say it
    )

    tau: float = Field(default=0.1, ge=0.0)
    logratio_norm: Literal["none", "length"] = "none"

    @property
    def means_over_response(self) -> bool:
        """Whether a token's share falls with the number of trained tokens of its response."""
        return self.logratio_norm == "length"

    def __call__(self, terms: LossInputs, over: LossNormalizers) -> torch.Tensor:
        """A scalar to add up over micro-batches."""
        total = terms.per_response(terms.weights * terms.logprobs)
        ratio = terms.per_response(terms.weights * (terms.logprobs - terms.old_logprobs))
        if self.logratio_norm == "length":
            total, ratio = total / terms.trained, ratio / terms.trained
        each = -terms.advantages * total + 0.5 * self.tau * ratio.square()
        if terms.token_advantages is not None:
            extra = terms.per_response(terms.weights * terms.token_advantages * terms.logprobs)
            each = each - (extra / terms.trained if self.logratio_norm == "length" else extra)
        return each.sum() / over.responses
