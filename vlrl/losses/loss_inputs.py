"""What a loss sees of a micro-batch, and how per-token values become per-response ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, kw_only=True)
class LossInputs:
    """M response tokens of N responses: a micro-batch of an update, and what the whole update is averaged over.

    logprobs            (M,) of the policy being trained, with gradient
    old_logprobs        (M,) of the policy at the start of the iteration (k1.5 §2.3.2), without gradient
    response            (M,) which of the N responses a token belongs to
    advantages          (N,) without gradient
    weights             (M,) ≥ 0 without gradient: what each token counts in the loss; 1 where nothing says otherwise.
                        A token of weight 0 is not trained: no loss counts it in a length or a mean
    token_advantages    (M,) without gradient, or None: added at each token to the advantage of its response
    ref_logprobs        (M,) of a frozen reference model, without gradient, or None
    pull_scales         (N,) > 0 without gradient, or None: what the loss's pull to an earlier policy is multiplied by
    teacher_logprobs    (M,) with gradient, or None: of another token at each place, one that a teacher would write
    update_responses    responses of the *whole* update, over all micro-batches and ranks, whatever their tokens weigh
    update_tokens       its tokens of weight above 0; at least 1

    A loss divides by these two counts, or by none: every micro-batch divides by the same numbers, so any split gives
    the single-batch gradient.
    """

    logprobs: torch.Tensor
    old_logprobs: torch.Tensor
    response: torch.Tensor
    advantages: torch.Tensor
    weights: torch.Tensor
    update_responses: float
    update_tokens: float
    token_advantages: torch.Tensor | None = None
    ref_logprobs: torch.Tensor | None = None
    teacher_logprobs: torch.Tensor | None = None
    pull_scales: torch.Tensor | None = None

    @property
    def credit(self) -> torch.Tensor:
        """(M,) every token's advantage."""
        spread = self.advantages[self.response]
        return spread if self.token_advantages is None else spread + self.token_advantages

    @property
    def trained(self) -> torch.Tensor:
        """(N,) tokens of each response that are trained, those of weight above 0; 1 where none is, to divide by."""
        return self.per_response((self.weights > 0).to(self.weights.dtype)).clamp(min=1.0)

    def up_to(self, values: torch.Tensor) -> torch.Tensor:
        """(M,) token values → (M,) sums over a response's tokens up to each one; responses stand one after another."""
        running = values.double().cumsum(0)
        first = torch.searchsorted(self.response, self.response)  # (M,) where each token's response begins
        return (running - running[first] + values.double()[first]).to(values.dtype)

    def per_response(self, values: torch.Tensor) -> torch.Tensor:
        """(M,) token values → (N,) sums over each response."""
        return torch.zeros_like(self.advantages, dtype=values.dtype).index_add(0, self.response, values)
