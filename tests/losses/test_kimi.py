"""Online mirror descent: eq. 3 by hand and by finite differences, its fixed point, its limits."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from loss_cases import averaged_over

from vlrl.credit.advantage.advantages import LogPartitionBaseline, MeanBaseline
from vlrl.losses.kimi import KimiLoss
from vlrl.losses.loss_inputs import LossInputs


def terms(logprobs, references, responses, advantages) -> LossInputs:
    advantage = torch.tensor(advantages, dtype=torch.float64)
    response = torch.tensor(responses)
    return LossInputs(
        logprobs=logprobs,
        old_logprobs=references,
        response=response,
        advantages=advantage,
        weights=torch.ones_like(references),
        update_responses=float(len(advantages)),
        update_tokens=float(len(responses)),
    )


def example(requires_grad=True) -> LossInputs:
    """Three responses of 2, 1 and 3 tokens."""
    generator = torch.Generator().manual_seed(0)
    logprobs = -torch.rand(6, generator=generator, dtype=torch.float64) * 3
    references = -torch.rand(6, generator=generator, dtype=torch.float64) * 3
    return terms(logprobs.requires_grad_(requires_grad), references, [0, 0, 1, 2, 2, 2], [0.6, -0.5, -0.1])


@pytest.mark.parametrize("tau", [0.0, 0.1, 2.0])
def test_the_gradient_is_equation_3_by_hand(tau):
    """Eq. 3: every token of response j gets −(r_j − r̄ − τ·log ratio of the whole response) / k."""
    given = example()
    (gradient,) = torch.autograd.grad(KimiLoss(tau=tau)(given), given.logprobs)
    ratio = [0.0, 0.0, 0.0]
    for token, j in enumerate(given.response.tolist()):
        ratio[j] += float(given.logprobs[token].detach() - given.old_logprobs[token])
    by_hand = [-(float(given.advantages[j]) - tau * ratio[j]) / 3 for j in given.response.tolist()]
    assert gradient.tolist() == pytest.approx(by_hand, abs=1e-12)


@pytest.mark.parametrize("norm", ["none", "length"])
def test_the_gradient_is_that_of_finite_differences(norm):
    given = example()
    loss = KimiLoss(tau=0.7, logratio_norm=norm)
    (gradient,) = torch.autograd.grad(loss(given), given.logprobs)
    for token in range(6):
        values = []
        for sign in (1, -1):
            moved = given.logprobs.detach().clone()
            moved[token] += sign * 1e-5
            values.append(loss(terms(moved, given.old_logprobs, given.response.tolist(), given.advantages.tolist())))
        assert float(gradient[token]) == pytest.approx(float(values[0] - values[1]) / 2e-5, abs=1e-6)


def test_the_loss_by_hand():
    """One response of two tokens: log π = −3, log ratio = −1; −0.5·(−3) + 0.2/2·1 = 1.6."""
    given = terms(torch.tensor([-1.0, -2.0]).double(), torch.tensor([-1.5, -0.5]).double(), [0, 0], [0.5])
    assert float(KimiLoss(tau=0.2)(averaged_over(given, 1.0, 2.0))) == pytest.approx(1.6)
    halved = -0.5 * -1.5 + 0.1 * 0.25
    length = KimiLoss(tau=0.2, logratio_norm="length")
    assert float(length(averaged_over(given, 1.0, 2.0))) == pytest.approx(halved)


def test_the_loss_is_the_squared_surrogate_of_the_paper_less_a_constant():
    """(r − τ log Z − τ·log ratio)² / 2τ has the same gradient, with A = r − τ log Z."""
    given, tau = example(), 0.4
    (gradient,) = torch.autograd.grad(KimiLoss(tau=tau)(given), given.logprobs)
    ratio = given.per_response(given.logprobs - given.old_logprobs)
    surrogate = ((given.advantages - tau * ratio).square() / (2 * tau)).sum() / 3
    (expected,) = torch.autograd.grad(surrogate, given.logprobs)
    assert torch.allclose(gradient, expected, atol=1e-12)


def test_on_policy_the_first_step_is_reinforce_with_a_mean_baseline():
    logits = torch.tensor([0.3, -0.2, 1.1, 0.0], dtype=torch.float64, requires_grad=True)
    drawn, rewards = [2, 0, 0, 3], (1.0, 0.0, 1.0, 0.0)
    logprobs = logits.log_softmax(-1)[drawn]
    given = terms(logprobs, logprobs.detach(), [0, 1, 2, 3], MeanBaseline()(rewards))
    (gradient,) = torch.autograd.grad(KimiLoss(tau=5.0)(averaged_over(given, 4.0, 4.0)), logits)
    policy = logits.detach().softmax(-1)
    expected = torch.zeros(4, dtype=torch.float64)
    for action, reward in zip(drawn, rewards, strict=True):
        one_hot = torch.eye(4, dtype=torch.float64)[action]
        expected -= (reward - 0.5) * (one_hot - policy) / 4
    assert torch.allclose(gradient, expected, atol=1e-12)


@pytest.mark.parametrize("tau", [0.3, 1.0])
def test_a_tabular_policy_converges_to_the_tilted_reference(tau):
    """π* = π_ref·exp(r/τ)/Z: every response of a small space once, weighted by nothing, with the exact baseline."""
    generator = torch.Generator().manual_seed(1)
    reference = torch.randn(8, generator=generator, dtype=torch.float64).log_softmax(-1)
    reward = torch.rand(8, generator=generator, dtype=torch.float64)
    target = (reference + reward / tau).log_softmax(-1)
    exact = tau * torch.logsumexp(reference + reward / tau, 0)
    logits = reference.clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS([logits], lr=1.0, max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-16)

    def closure():
        optimizer.zero_grad()
        given = terms(logits.log_softmax(-1), reference, range(8), (reward - exact).tolist())
        loss = KimiLoss(tau=tau)(averaged_over(given, 8.0, 8.0))
        loss.backward()
        return loss

    optimizer.step(closure)
    found = logits.detach().log_softmax(-1)
    assert float((target.exp() * (target - found)).sum()) < 1e-6
    assert float((target.exp() * (target - reference)).sum()) > 1e-2  # there was a way to go


def test_sampled_groups_with_the_log_partition_baseline_converge_to_the_tilted_reference():
    """The baseline that is used in training: τ log of the mean of exp(r/τ) over responses drawn from the reference.

    With a uniform reference, a group that holds every response once is an exact sample of it.
    """
    tau, rewards = 0.5, (1.0, 0.0, 0.25, 0.6, 0.0)
    reference = torch.full((5,), 0.2, dtype=torch.float64).log()
    logits = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    advantages = LogPartitionBaseline(tau=tau)(rewards)
    optimizer = torch.optim.LBFGS([logits], lr=1.0, max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-16)

    def closure():
        optimizer.zero_grad()
        given = terms(logits.log_softmax(-1), reference, range(5), advantages)
        loss = KimiLoss(tau=tau)(averaged_over(given, 5.0, 5.0))
        loss.backward()
        return loss

    optimizer.step(closure)
    target = (reference + torch.tensor(rewards, dtype=torch.float64) / tau).log_softmax(-1)
    found = logits.detach().log_softmax(-1)
    assert float((target.exp() * (target - found)).sum()) < 1e-6


def test_micro_batches_with_one_denominator_add_up_to_the_whole():
    given = example()
    whole = KimiLoss(tau=0.3)(given)
    first = terms(given.logprobs[:3], given.old_logprobs[:3], [0, 0, 1], [0.6, -0.5])
    second = terms(given.logprobs[3:], given.old_logprobs[3:], [0, 0, 0], [-0.1])
    parts = sum(KimiLoss(tau=0.3)(averaged_over(one, 3.0, 6.0)) for one in (first, second))
    assert float(parts.detach()) == pytest.approx(float(whole.detach()), abs=1e-12)


@pytest.mark.parametrize("tau", [0.0, 0.7])
def test_a_token_of_weight_zero_has_no_part_in_the_sum_and_no_gradient(tau):
    """Responses of tokens (2, 1, 3); without the first and the fifth token they are (1, 1, 2)."""
    given = example()
    weights = torch.tensor([0.0, 1.0, 1.0, 1.0, 0.0, 1.0], dtype=torch.float64)
    weighed = replace(given, weights=weights)
    (gradient,) = torch.autograd.grad(KimiLoss(tau=tau)(weighed), given.logprobs)
    log_ratio = (given.logprobs - given.old_logprobs).detach()
    whole = torch.zeros(3, dtype=torch.float64).index_add(0, given.response, weights * log_ratio)
    by_hand = -weights * (given.advantages - tau * whole)[given.response] / 3
    assert torch.allclose(gradient, by_hand, atol=1e-12, rtol=0)
    assert gradient[0] == gradient[4] == 0.0
