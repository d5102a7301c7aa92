"""Examples → tensors: what a loss sees of a micro-batch, and what is noted of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from vlrl.losses.loss_inputs import LossInputs
from vlrl.model.batch.example import Example
from vlrl.model.training.logprob_mismatch import written_by_policy
from vlrl.model.training.update_metrics import UpdateMetrics


def loss_inputs_of(
    examples: Sequence[Example],
    response: torch.Tensor,
    logprobs: torch.Tensor,
    counted: Sequence[Example],
    teacher_logprobs: torch.Tensor | None = None,
) -> LossInputs:
    """What the loss sees of these examples.

    response  (M,) number of the response that each token of the packed batch belongs to
    logprobs  (M,) of these tokens, with gradient
    counted   the examples that the loss is averaged over: the whole update's, those that needn't run included
    teacher_logprobs  (M,) of a teacher's tokens at the same places, with gradient, where the examples carry these

    Raises ValueError for an example without advantages, or where some carry scales of the pull and some none.
    """
    advantages = [example.advantages for example in examples]
    if None in advantages:
        raise ValueError("update: an example without advantages can only be read")
    pulls = [example.pull_scales for example in examples]
    scaled = any(scales is not None for scales in pulls)
    if scaled and None in pulls:
        raise ValueError("update: either every example carries pull_scales or none does")
    old = of_all(examples, "old_logprobs", logprobs)
    weights = of_all(examples, "token_weights", logprobs, 1.0)
    return LossInputs(
        logprobs=logprobs,
        old_logprobs=logprobs.detach() if old is None else old,
        response=response,
        advantages=torch.tensor([a for of_example in advantages for a in of_example or ()], device=logprobs.device),
        weights=torch.ones_like(logprobs) if weights is None else weights,
        update_responses=float(sum(len(example.responses) for example in counted)),
        update_tokens=float(sum(example.num_trained_tokens for example in counted)) or 1.0,
        token_advantages=of_all(examples, "token_advantages", logprobs),
        ref_logprobs=of_all(examples, "ref_logprobs", logprobs),
        teacher_logprobs=teacher_logprobs,
        pull_scales=torch.tensor([s for scales in pulls for s in scales or ()], device=logprobs.device)
        if scaled
        else None,
    )


def observe(
    sums: UpdateMetrics, examples: Sequence[Example], inputs: LossInputs, loss: float, entropy: torch.Tensor
) -> None:
    """Add to `sums` what a micro-batch's loss and log-probabilities show. entropy (M,) in nats.

    Entropy and KL are those of the tokens that a policy wrote; an observation is none of them.
    """
    drift = inputs.old_logprobs - inputs.logprobs
    sequence = inputs.per_response(inputs.weights * drift).abs()
    a_token = sequence / inputs.trained
    pulled = torch.ones_like(sequence) if inputs.pull_scales is None else inputs.pull_scales
    pulls = [sequence, a_token, pulled * sequence, pulled * a_token, inputs.advantages.abs()]
    if (written := written_by_policy(examples)) is not None:
        chosen = torch.tensor(written, device=drift.device)
        drift, entropy = drift[chosen], entropy[chosen]
    noted = torch.stack(
        [*(each.sum() for each in pulls), entropy.sum(), (drift.exp() - 1 - drift).sum()]
    )  # one wait for the device
    ratio, ratio_a_token, pull, pull_a_token, advantage, nats, kl = noted.tolist()
    sums.log_ratio += ratio
    sums.log_ratio_a_token += ratio_a_token
    sums.pulled += pull
    sums.pulled_a_token += pull_a_token
    sums.advantage += advantage
    sums.entropy += nats
    sums.kl += kl
    sums.responses += len(sequence)
    sums.loss += loss
    sums.tokens += len(drift)
    sampled = of_all(examples, "sampler_logprobs", inputs.logprobs)
    if sampled is not None:
        sums.gap.add(examples, (inputs.old_logprobs - sampled).abs().tolist())


def of_all(
    examples: Sequence[Example], name: str, like: torch.Tensor, missing: float | None = None
) -> torch.Tensor | None:
    """(M,) token values that the examples carry under `name`, on the device and in the dtype of `like`; None where no
    example carries any.

    missing  the value of every token of an example without any, where others carry some; None: that is a ValueError
    """
    carried: list[Sequence[Sequence[float]] | None] = [getattr(example, name) for example in examples]
    if all(values is None for values in carried):
        return None
    if missing is not None:
        carried = [
            [[missing] * len(response) for response in example.responses] if values is None else values
            for example, values in zip(examples, carried, strict=True)
        ]
    if any(values is None for values in carried):
        raise ValueError(f"update: either every example carries {name} or none does")
    flat = [value for values in carried if values is not None for response in values for value in response]
    return torch.tensor(flat, device=like.device, dtype=like.dtype)
