"""GRPO's clipped surrogate: identities on-policy, clipping with hand numbers, the two means; and the SFT loss."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from loss_cases import averaged_over

from vlrl.losses.loss_inputs import LossInputs
from vlrl.losses.policy_gradient.grpo import GrpoLoss
from vlrl.losses.sft_loss import SftLoss


def terms(logprobs, references, responses, advantages) -> LossInputs:
    response = torch.tensor(responses)
    advantage = torch.tensor(advantages, dtype=torch.float64)
    return LossInputs(
        logprobs=logprobs,
        old_logprobs=references,
        response=response,
        advantages=advantage,
        weights=torch.ones_like(logprobs),
        update_responses=float(len(advantages)),
        update_tokens=float(len(responses)),
    )


def one_token(ratio: float, advantage: float, **settings) -> tuple[float, float]:
    """Loss and gradient of one token whose probability ratio is `ratio`."""
    logprob = torch.tensor([math.log(ratio) - 1.0], dtype=torch.float64, requires_grad=True)
    given = terms(logprob, torch.tensor([-1.0], dtype=torch.float64), [0], [advantage])
    loss = GrpoLoss(**settings)(averaged_over(given, 1.0, 1.0))
    (gradient,) = torch.autograd.grad(loss, logprob)
    return float(loss.detach()), float(gradient)


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "gradient"),
    [
        (1.0, 2.0, -2.0, -2.0),
        (1.1, 1.0, -1.1, -1.1),
        (1.5, 1.0, -1.2, 0.0),  # has moved enough towards a good one
        (0.5, 1.0, -0.5, -0.5),  # far in the wrong direction: pulled back
        (0.5, -1.0, 0.8, 0.0),  # has moved enough away from a bad one
        (1.5, -1.0, 1.5, 1.5),
    ],
)
def test_clipping_by_hand(ratio, advantage, loss, gradient):
    assert one_token(ratio, advantage) == (pytest.approx(loss), pytest.approx(gradient))


def test_uneven_clipping_by_hand():
    settings = {"clip_low": 0.1, "clip_high": 0.4}
    assert one_token(1.3, 1.0, **settings)[0] == pytest.approx(-1.3)
    assert one_token(1.5, 1.0, **settings)[0] == pytest.approx(-1.4)
    assert one_token(0.8, -1.0, **settings)[0] == pytest.approx(0.9)


def test_the_kl_estimate_by_hand():
    """k3: exp(−x) − 1 + x at x = log 2: 0.5 − 1 + 0.6931."""
    loss, gradient = one_token(2.0, 0.0, beta=0.1)
    assert loss == pytest.approx(0.1 * (0.5 - 1 + math.log(2)))
    assert gradient == pytest.approx(0.1 * 0.5)


@pytest.mark.parametrize(("aggregate", "weights"), [("sequence", [1 / 6] * 3 + [1 / 2]), ("token", [1 / 4] * 4)])
def test_on_policy_the_gradient_is_the_mean_of_advantages(aggregate, weights):
    logprobs = torch.tensor([-1.0, -0.5, -2.0, -3.0], dtype=torch.float64, requires_grad=True)
    given = terms(logprobs, logprobs.detach(), [0, 0, 0, 1], [0.7, -0.7])
    loss = GrpoLoss(aggregate=aggregate)(averaged_over(given, 2.0, 4.0))
    (gradient,) = torch.autograd.grad(loss, logprobs)
    by_hand = [-0.7 * weights[0]] * 3 + [0.7 * weights[3]]
    assert gradient.tolist() == pytest.approx(by_hand)


def test_the_sft_loss_is_the_mean_over_tokens():
    logprobs = torch.tensor([-1.0, -0.5, -2.0, -3.0], dtype=torch.float64)
    given = terms(logprobs, logprobs, [0, 0, 0, 1], [1.0, 1.0])
    assert float(SftLoss()(averaged_over(given, 2.0, 4.0))) == pytest.approx(6.5 / 4)


@pytest.mark.parametrize("loss", [GrpoLoss(), GrpoLoss(aggregate="token"), SftLoss()])
def test_token_weights_scale_each_token_s_gradient(loss):
    logprobs = torch.tensor([-1.0, -2.0, -0.5], dtype=torch.float64, requires_grad=True)
    plain = averaged_over(terms(logprobs, logprobs.detach() + 0.05, [0, 0, 1], [1.0, -0.5]), 2.0, 3.0)
    weights = torch.tensor([0.25, 2.0, 0.5], dtype=torch.float64)
    (before,) = torch.autograd.grad(loss(plain), logprobs)
    (after,) = torch.autograd.grad(loss(replace(plain, weights=weights)), logprobs)
    assert torch.allclose(after, weights * before, atol=1e-15, rtol=0)
