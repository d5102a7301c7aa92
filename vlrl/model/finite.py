"""Numbers that must be finite: weights, log-probabilities, what a loss is made of; and which one isn't, by name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from vlrl.errors import NonFiniteError
from vlrl.losses.loss_inputs import LossInputs
from vlrl.model.batch.example import Example
from vlrl.model.training.policy import Policy

LOGITS_REMEDY = (
    "the weights are damaged or have grown too large: lower the learning rate (policy.optimizer.lr), or warm it up; "
    "with model.dtype float16 take bfloat16 or float32. No checkpoint holds such weights"
)
GRADIENT_REMEDY = "the weights are untouched; lower the learning rate, or take a loss that clips its ratios"
NAMED = 3


def nonfinite_weights(weights: Iterable[tuple[str, torch.Tensor]]) -> list[str]:
    """Names of tensors that hold NaN or infinity. One value a tensor comes to the CPU."""
    return [name for name, weight in weights if weight.is_floating_point() and not bool(weight.isfinite().all())]


def check_weights(weights: Iterable[tuple[str, torch.Tensor]], place: str) -> None:
    """Raises NonFiniteError at `place` that names tensors with NaN or infinity."""
    if bad := nonfinite_weights(weights):
        more = f" and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
        raise NonFiniteError(place, f"NaN or infinity in {', '.join(bad[:NAMED])}{more}", LOGITS_REMEDY)


def check_policy(policy: Policy, example: Example | None, temperature: float, place: str) -> None:
    """Raises NonFiniteError where the policy must not be saved: weights that aren't finite, or that give none of the
    example's tokens a finite log-probability (weights may be finite, and too large for anything that follows).

    All ranks come here together, with the same example.
    """
    check_weights(policy.weights(), f"{place}, weights")
    if example is None:
        return
    found = policy.logprobs([example], temperature)[0]
    if bad := next(((j, t) for j, one in enumerate(found) for t, v in enumerate(one) if not math.isfinite(v)), None):
        raise NonFiniteError(
            f"{place}, problem {example.encoded.problem_id}, response {bad[0]}, token {bad[1]}",
            f"after the update its log-probability is {found[bad[0]][bad[1]]}",
            LOGITS_REMEDY,
        )


def shortest(examples: Sequence[Example]) -> Example | None:
    """The example whose forward pass costs least, with its shortest response alone; None without any."""
    if not examples:
        return None
    one = min(examples, key=lambda held: held.num_tokens)
    lengths = [len(response) for response in one.responses]
    return one.take([lengths.index(min(lengths))])


def cause_of(examples: Sequence[Example], inputs: LossInputs, loss: float) -> NonFiniteError | None:
    """The first of a loss's inputs that isn't finite, or the loss itself; None where all are."""
    responses = [(example, j) for example in examples for j in range(len(example.responses))]
    token_values: dict[str, Any] = {
        "the policy's log-probability": inputs.logprobs,
        "the log-probability that its ratio starts from": inputs.old_logprobs,
        "its token weight": inputs.weights,
        "its token advantage": inputs.token_advantages,
    }
    for j, value in enumerate(inputs.advantages.tolist()):
        if not math.isfinite(value):
            return _error(responses[j], "", f"its advantage is {value}", "mend the part of credit that gave it")
    for name, values in token_values.items():
        if values is None or bool(values.isfinite().all()):
            continue
        position = int((~values.isfinite()).nonzero()[0, 0])
        response = int(inputs.response[position])
        token = position - int((inputs.response == response).nonzero()[0, 0])
        remedy = LOGITS_REMEDY if "policy's" in name else "mend the part that gave it"
        return _error(responses[response], f", token {token}", f"{name} is {float(values[position])}", remedy)
    if math.isfinite(loss):
        return None
    return NonFiniteError("update", f"the loss is {loss}, all that it is made of is finite", GRADIENT_REMEDY)


def _error(response: tuple[Example, int], token: str, problem: str, remedy: str) -> NonFiniteError:
    example, j = response
    place = f"update, problem {example.encoded.problem_id}, response {j}{token}"
    return NonFiniteError(place, problem, remedy)
