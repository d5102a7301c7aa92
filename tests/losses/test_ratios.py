"""GSPO, CISPO, CTPO, the weighted likelihood, DPO and Dr.GRPO: numbers worked out by hand, and what each is for."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from loss_cases import averaged_over

from vlrl.credit.advantage.fitted import BestOnly, BoltWeights
from vlrl.losses.dpo_loss import DpoLoss
from vlrl.losses.likelihood import LikelihoodLoss
from vlrl.losses.loss_inputs import LossInputs
from vlrl.losses.policy_gradient.cispo import CispoLoss
from vlrl.losses.policy_gradient.ctpo import CtpoLoss
from vlrl.losses.policy_gradient.grpo import GrpoLoss
from vlrl.losses.policy_gradient.gspo import GspoLoss

LOG2 = math.log(2)


def terms(drifts, responses, advantages, token_advantages=None) -> LossInputs:
    """Tokens whose log ratio to the reference is `drifts`; every reference log-probability is −1."""
    drift = torch.tensor(drifts, dtype=torch.float64)
    response = torch.tensor(responses)
    return LossInputs(
        logprobs=(drift - 1).requires_grad_(True),
        old_logprobs=torch.full_like(drift, -1.0),
        response=response,
        advantages=torch.tensor(advantages, dtype=torch.float64),
        weights=torch.ones_like(drift),
        token_advantages=None if token_advantages is None else torch.tensor(token_advantages, dtype=torch.float64),
        update_responses=float(len(advantages)),
        update_tokens=float(len(responses)),
    )


def value_and_gradient(loss, given):
    value = loss(given)
    (gradient,) = torch.autograd.grad(value, given.logprobs)
    return float(value.detach()), gradient.tolist()


def test_gspo_by_hand():
    """Ratios 4 and 1 of a response's two tokens: s = √4 = 2; not clipped at 2.5, and clipped at 1.5."""
    given = averaged_over(terms([2 * LOG2, 0.0], [0, 0], [3.0]), 1.0, 2.0)
    value, gradient = value_and_gradient(GspoLoss(clip_high=1.5), given)
    assert value == pytest.approx(-6.0)
    assert gradient == pytest.approx([-3.0, -3.0])  # −A·s/2 at each token
    value, gradient = value_and_gradient(GspoLoss(clip_high=0.5), given)
    assert (value, gradient) == (pytest.approx(-4.5), [0.0, 0.0])


def test_cispo_clips_the_weight_and_keeps_the_gradient():
    """Ratios 2 and 0.5, upper limit 1.5: weights 1.5 and 0.5; the gradient is −weight·A over two tokens."""
    given = terms([LOG2, -LOG2], [0, 0], [1.0])
    value, gradient = value_and_gradient(CispoLoss(clip_high=0.5), averaged_over(given, 1.0, 2.0))
    assert gradient == pytest.approx([-0.75, -0.25])
    assert value == pytest.approx((-1.5 * (LOG2 - 1) - 0.5 * (-LOG2 - 1)) / 2)
    grpo = value_and_gradient(GrpoLoss(clip_high=0.5, aggregate="token"), averaged_over(given, 1.0, 2.0))[1]
    assert grpo[0] == 0.0  # what CISPO is for


def test_ctpo_by_hand():
    """Log ratios 0.1, 0.1, −0.5 add up to 0.1, 0.2, −0.3; limits at t = 1, 2, 3: 0.15·√t above and below."""
    given = terms([0.1, 0.1, -0.5], [0, 0, 0], [1.0])
    loss = CtpoLoss(clip_low=0.15, clip_high=0.15, aggregate="sum")
    value, gradient = value_and_gradient(loss, averaged_over(given, 1.0, 3.0))
    ratios = [math.exp(0.1), math.exp(0.2), math.exp(-0.3)]
    # 0.2 < 0.15·√2 = 0.212: not clipped; −0.3 < −0.26, but the minimum takes the smaller one, which is not clipped
    assert value == pytest.approx(-sum(ratios))
    assert gradient == pytest.approx([-r for r in ratios])
    given = terms([0.1, 0.1, 0.2], [0, 0, 0], [1.0])
    value, gradient = value_and_gradient(loss, averaged_over(given, 1.0, 3.0))
    assert value == pytest.approx(-(math.exp(0.1) + math.exp(0.2) + math.exp(0.15 * math.sqrt(3))))
    assert gradient[2] == 0.0


def test_ctpo_bounds_what_a_negative_advantage_counts():
    given = terms([2.0], [0], [-1.0])
    value, gradient = value_and_gradient(CtpoLoss(dual=0.5, aggregate="sum"), averaged_over(given, 1.0, 1.0))
    assert (value, gradient) == (pytest.approx(math.exp(0.5)), [0.0])


def test_ctpo_counts_no_tokens_of_weight_zero_in_the_prefix():
    given = terms([0.4, 0.1], [0, 0], [1.0])
    given = replace(given, weights=torch.tensor([0.0, 1.0], dtype=torch.float64))
    loss = CtpoLoss(clip_high=9.0, aggregate="sum")
    assert value_and_gradient(loss, averaged_over(given, 1.0, 1.0))[0] == pytest.approx(-math.exp(0.1))


def test_ctpo_is_unbiased_off_policy_with_less_variance_than_the_ratio_of_the_whole_response():
    """All responses of three tokens over two symbols, written by one policy, gradient of another.

    The credit of a token is a function of what is written up to it, so the gradient is Σ_t E_π[A_t ∇log π(y_t)].
    """
    generator = torch.Generator().manual_seed(0)
    behaviour = torch.randn(3, 2, generator=generator, dtype=torch.float64).log_softmax(-1)
    logits = (behaviour + 0.8 * torch.randn(3, 2, generator=generator, dtype=torch.float64)).requires_grad_(True)
    policy = logits.log_softmax(-1)
    loss = CtpoLoss(clip_low=99.0, clip_high=99.0, dual=99.0, aggregate="sum")
    corrected, whole, true, chances = [], [], torch.zeros(3, 2, dtype=torch.float64), []
    for y in itertools.product((0, 1), repeat=3):
        credit = torch.tensor([y[0] - 0.5, y[0] * y[1] - 0.3, (y[0] ^ y[2]) + 0.2 * y[1]], dtype=torch.float64)
        drawn = policy[torch.arange(3), list(y)]
        written = behaviour[torch.arange(3), list(y)]
        given = LossInputs(
            logprobs=drawn,
            old_logprobs=written,
            response=torch.zeros(3, dtype=torch.long),
            advantages=torch.zeros(1, dtype=torch.float64),
            weights=torch.ones(3, dtype=torch.float64),
            update_responses=1.0,
            update_tokens=3.0,
            token_advantages=credit,
        )
        (found,) = torch.autograd.grad(-loss(given), logits, retain_graph=True)
        (score,) = torch.autograd.grad((credit * drawn).sum(), logits, retain_graph=True)
        ratio = float((drawn.sum() - written.sum()).exp().detach())
        corrected.append(found)
        whole.append(ratio * score)
        chances.append(float(written.sum().exp()))
        true += drawn.sum().exp().detach() * score.detach()
    guess_rate = torch.tensor(chances, dtype=torch.float64)[:, None, None]

    def mean_and_variance(values):
        stacked = torch.stack(values).detach()
        mean = (guess_rate * stacked).sum(0)
        return mean, float((guess_rate * (stacked - mean).square()).sum())

    mean, variance = mean_and_variance(corrected)
    whole_mean, whole_variance = mean_and_variance(whole)
    assert torch.allclose(mean, true, atol=1e-12)
    assert torch.allclose(whole_mean, true, atol=1e-12)
    assert variance < whole_variance


def test_the_sum_of_dr_grpo_counts_every_token_alike():
    """Two responses of 1 and 3 tokens on-policy: every token's gradient is −A/(length · responses)."""
    given = terms([0.0] * 4, [0, 1, 1, 1], [1.0, 1.0])
    gradient = value_and_gradient(GrpoLoss(aggregate="sum", length=10), averaged_over(given, 2.0, 4.0))[1]
    assert gradient == pytest.approx([-0.05] * 4)
    per_sequence = value_and_gradient(GrpoLoss(), averaged_over(given, 2.0, 4.0))[1]
    assert per_sequence == pytest.approx([-1 / 2, -1 / 6, -1 / 6, -1 / 6])


def test_a_length_that_nothing_reads_is_refused():
    with pytest.raises(ValueError, match="only `aggregate: sum`"):
        GrpoLoss(length=10)


@pytest.mark.parametrize("beta", [0.3, 1.0])
def test_a_tabular_policy_fitted_by_bolt_converges_to_the_tilted_reference(beta):
    """π_ref·exp(r/β)/Z, with a uniform reference whose group holds every response once."""
    rewards = (1.0, 0.0, 0.25, 0.6, 0.0)
    logits = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    weights = torch.tensor(BoltWeights(beta=beta)(rewards), dtype=torch.float64)
    optimizer = torch.optim.LBFGS([logits], lr=1.0, max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-16)

    def closure():
        optimizer.zero_grad()
        logprobs = logits.log_softmax(-1)
        given = replace(terms([0.0] * 5, range(5), [0.0] * 5), logprobs=logprobs, advantages=weights)
        loss = LikelihoodLoss()(averaged_over(given, 5.0, 5.0))
        loss.backward()
        return loss

    optimizer.step(closure)
    target = (torch.tensor(rewards, dtype=torch.float64) / beta).log_softmax(-1)
    found = logits.detach().log_softmax(-1)
    assert float((target.exp() * (target - found)).sum()) < 1e-6
    assert float((target.exp() * (target + math.log(5))).sum()) > 1e-2  # there was a way to go


def test_bolt_becomes_rest_as_beta_falls_and_plain_likelihood_as_it_grows():
    for rewards in ((1.0, 0.0, 0.0, 1.0), (0.2, 0.9, 0.4)):
        assert BoltWeights(beta=1e-3)(rewards) == pytest.approx(BestOnly()(rewards), abs=1e-12)
        assert BoltWeights(beta=1e13)(rewards) == pytest.approx([1.0] * len(rewards), abs=1e-12)


def test_bolt_and_rest_by_hand():
    """β = 1/log 2: exp(r/β) is 2 and 1, so of two responses one has 4/3 and the other 2/3."""
    assert BoltWeights(beta=1 / LOG2)((1.0, 0.0)) == pytest.approx((4 / 3, 2 / 3))
    assert BestOnly()((1.0, 0.0, 1.0, 0.5)) == (2.0, 0.0, 2.0, 0.0)
    assert BestOnly()((0.0, 0.0)) == (0.0, 0.0)  # nothing right, nothing to fit


def test_dpo_by_hand():
    """β = 1, drifts of log 2 and 0: σ = 2/3, loss log 1.5; with α = 0.6 there is 0.6/3 more. Gradients −β/3, +β/3."""
    given = terms([LOG2, 0.0], [0, 1], [1.0, -1.0])
    value, gradient = value_and_gradient(DpoLoss(beta=1.0), averaged_over(given, 2.0, 2.0))
    assert value == pytest.approx(math.log(1.5))
    assert gradient == pytest.approx([-1 / 3, 1 / 3])
    assert value_and_gradient(DpoLoss(beta=1.0, alpha=0.6), averaged_over(given, 2.0, 2.0))[0] == pytest.approx(
        math.log(1.5) + 0.2
    )


def test_poly_dpo_with_alpha_above_zero_pulls_less_at_pairs_that_are_far_wrong():
    """The factor that α adds to the gradient is α·p(1 − p) against 1 − p: its share vanishes where p does."""
    shares = []
    for margin in (-6.0, 0.0):
        given = terms([margin, 0.0], [0, 1], [1.0, -1.0])
        plain = value_and_gradient(DpoLoss(beta=1.0), averaged_over(given, 2.0, 2.0))[1][0]
        poly = value_and_gradient(DpoLoss(beta=1.0, alpha=1.0), averaged_over(given, 2.0, 2.0))[1][0]
        shares.append(poly / plain)
    assert shares == pytest.approx([1 + 1 / (1 + math.exp(6)), 1.5])


@pytest.mark.parametrize("advantages", [[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0, 1.0]])
def test_dpo_refuses_responses_that_are_no_pairs(advantages):
    given = terms([0.0] * len(advantages), range(len(advantages)), advantages)
    with pytest.raises(ValueError, match="pairs"):
        DpoLoss()(averaged_over(given, 2.0, 2.0))
