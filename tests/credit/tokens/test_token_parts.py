"""Adjusted advantages and token weights: UCPO, positive only, SAS, OPEFO, overlong filter."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from credit_cases import credited, judged, rollout
from hypothesis import given, settings
from hypothesis import strategies as st

from vlrl.credit.advantage.adjusted import PositiveOnly, Ucpo
from vlrl.credit.assign import Credit, CreditSettings
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.tokens.step_weights import EntropyBalance, OverlongFilter, SkipSteps, entropy_flow
from vlrl.credit.tokens.token_parts import adjusts, weighers
from vlrl.types import Rollout, Segment

NOW = CreditContext(0)


def ucpo(logprobs, tau=0.2, advantages=None):
    outcomes = [True] * len(logprobs) + [False]
    rollouts = [*(rollout(3, logprob=p) for p in logprobs), rollout(3)]
    given_advantages = advantages or [0.5] * len(logprobs) + [-1.0]
    return Ucpo(tau=tau).over([credited(outcomes, given_advantages, rollouts=rollouts)], NOW, {})[0]


def test_ucpo_by_hand():
    """Two right, one three times as likely a token: q = ¾, ¼; 1/q shares ¼, ¾. Factors 0.8 + 0.4·¼ and 0.8 + 0.4·¾."""
    values = ucpo([-1.0, -1.0 - math.log(3)])
    assert values == pytest.approx((0.5 * 0.9, 0.5 * 1.1, -1.0))


@settings(deadline=None)
@given(st.lists(st.floats(-4, -0.1), min_size=1, max_size=6), st.floats(0, 1))
def test_ucpo_keeps_the_total_and_lifts_the_unlikely(logprobs, tau):
    values = ucpo(logprobs, tau)
    assert sum(values[:-1]) == pytest.approx(0.5 * len(logprobs))
    assert values[-1] == -1.0
    ranked = sorted(range(len(logprobs)), key=lambda i: logprobs[i])
    assert all(values[a] >= values[b] - 1e-12 for a, b in itertools.pairwise(ranked))


def test_ucpo_without_tau_changes_nothing():
    assert ucpo([-1.0, -2.0], tau=0.0) == (0.5, 0.5, -1.0)
    assert ucpo([-1.0, -2.0], tau=1e-14) == pytest.approx((0.5, 0.5, -1.0), abs=1e-12)


def test_a_rarer_way_that_is_as_good_loses_less_with_ucpo():
    """Two right answers, one five times as likely at first, and a wrong one; exact gradients in a small table."""

    def rarer(tau):
        logits = torch.tensor([0.5, 0.1, 0.4], dtype=torch.float64).log().requires_grad_(True)
        for _ in range(150):
            policy = logits.softmax(-1)
            guess_rate = policy.detach()
            p = float(guess_rate[:2].sum())
            weights = torch.tensor(ucpo(guess_rate[:2].log().tolist(), tau, [1 - p, 1 - p, -p]), dtype=torch.float64)
            (gradient,) = torch.autograd.grad((guess_rate * weights * policy.log()).sum(), logits)
            with torch.no_grad():
                logits += gradient
        return float(logits.detach().softmax(-1)[1])

    held = [rarer(tau) for tau in (0.0, 0.2, 1.0)]
    assert held[0] < held[1] < held[2]
    assert held[2] > 2 * held[0]


def test_positive_only_takes_negative_advantages_away():
    one = credited([True, False], [0.5, -0.5])
    assert PositiveOnly().over([one], NOW, {}) == [(0.5, 0.0)]
    assert PositiveOnly(keep=1.0).over([one], NOW, {}) == [(0.5, -0.5)]


@settings(deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8), st.floats(0, 1))
def test_positive_only_leaves_what_is_above_zero_and_keeps_its_share_of_the_rest(advantages, keep):
    (found,) = PositiveOnly(keep=keep).over([credited([True] * len(advantages), advantages)], NOW, {})
    assert all(after == before for after, before in zip(found, advantages, strict=True) if before > 0)
    assert all(after == keep * before for after, before in zip(found, advantages, strict=True) if before <= 0)
    assert PositiveOnly().over([credited([True] * len(found), found)], NOW, {})[0] == tuple(max(a, 0.0) for a in found)


def test_sas_by_hand():
    """Four steps of means −0.1, −3, −1, −2; ⌈0.3·4⌉ = 2 go: the least confident of a right one, the most of a wrong."""
    steps, logprobs = (0.0, 1.0, 1.0, 2.0, 3.0), (-0.1, -2.0, -4.0, -1.0, -2.0)
    assert SkipSteps()(steps, logprobs, right=True) == (1.0, 0.0, 0.0, 1.0, 0.0)
    assert SkipSteps()(steps, logprobs, right=False) == (0.0, 1.0, 1.0, 0.0, 1.0)


@settings(deadline=None)
@given(st.integers(1, 30), st.floats(0, 0.99), st.booleans())
def test_sas_leaves_out_the_share_rho_of_the_steps(count, rho, right):
    weights = SkipSteps(rho=rho)([float(s) for s in range(count)], [-float(s) for s in range(count)], right)
    assert weights.count(0.0) == min(math.ceil(rho * count), count - 1)


def statistics(policies, drawn):
    """What the forward pass reports of each token: log p, H and Σ p²(log p + H)."""
    logp = torch.tensor(policies, dtype=torch.float64).log()
    entropy = -(logp.exp() * logp).sum(-1)
    square = (logp.exp().square() * (logp + entropy[:, None])).sum(-1)
    picked = logp[torch.arange(len(drawn)), list(drawn)]
    return {
        name: (tuple(values.tolist()),)
        for name, values in {"logprobs": picked, "entropy": entropy, "square": square}.items()
    }


def test_the_entropy_flow_is_the_numeric_derivative_of_the_entropy():
    policies, drawn, advantage = [(0.7, 0.2, 0.1), (0.1, 0.3, 0.6), (0.5, 0.25, 0.25)], (1, 2, 0), 0.8
    one = credited([True], [advantage], lengths=[3], statistics=statistics(policies, drawn))
    flows = entropy_flow(one)[0]
    for policy, token, flow in zip(policies, drawn, flows, strict=True):
        logits = torch.tensor(policy, dtype=torch.float64).log()
        step = advantage * (torch.eye(3, dtype=torch.float64)[token] - logits.softmax(-1))
        entropies = []
        for sign in (1, -1):
            logp = (logits + sign * 1e-5 * step).log_softmax(-1)
            entropies.append(float(-(logp.exp() * logp).sum()))
        assert flow == pytest.approx((entropies[0] - entropies[1]) / 2e-5, abs=1e-6)


def test_the_net_flow_of_opefo_is_zero():
    of_three = statistics([(0.7, 0.2, 0.1), (0.1, 0.3, 0.6), (0.4, 0.3, 0.3)], (1, 2, 0))
    first = credited([True], [0.8], lengths=[3], statistics=of_three)
    second = credited([False], [-0.5], lengths=[2], statistics=statistics([(0.9, 0.05, 0.05), (0.2, 0.3, 0.5)], (0, 1)))
    weights = EntropyBalance().over([first, second], NOW, {})
    flows = [entropy_flow(one)[0] for one in (first, second)]
    assert min(f for one in flows for f in one) < 0 < max(f for one in flows for f in one)
    net = sum(w * f for one, held in zip(flows, weights, strict=True) for f, w in zip(one, held[0], strict=True))
    assert net == pytest.approx(0.0, abs=1e-12)
    assert all(w >= 0 for held in weights for w in held[0])
    plain = EntropyBalance(strength=0.0).over([first, second], NOW, {})
    assert plain == [((1.0,) * 3,), ((1.0,) * 2,)]


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("order", [1, -1])
def test_the_net_flow_of_opefo_is_zero_after_all_other_weights_in_whatever_order_they_stand(order, mean):
    """Two tokens of an old segment are left out, a cut response counts a quarter; a mean over the response or none."""
    old = Rollout((Segment((1, 1), (-1.0, -1.0), 0), Segment((1, 1), (-1.0, -1.0), 1)), "x", "stop")
    policies = [[(0.7, 0.2, 0.1), (0.1, 0.3, 0.6), (0.4, 0.3, 0.3), (0.9, 0.05, 0.05)], [(0.8, 0.1, 0.1)] * 2]
    held = [statistics(policies[0], (1, 2, 0, 1)), statistics(policies[1], (0, 1))]
    both = {name: (*held[0][name], *held[1][name]) for name in held[0]}
    fresh = Rollout((Segment((1, 1), (-1.0, -1.0), 1),), "x", "length")
    one = judged([True, False], rollouts=[old, fresh], statistics=both)
    others = [{"name": "segments", "keep": "current_only"}, {"name": "overlong_filter", "keep": 0.25}]
    now = CreditContext(0, version=1, mean_over_response=mean)
    (scored,) = Credit(CreditSettings(weigh=["opefo", *others][::order])).assign([one], now)
    (plain,) = Credit(CreditSettings(weigh=others)).assign([one], now)
    flows = entropy_flow(replace(one.usable(), advantages=scored.advantages))

    def net(weights):
        shares = [sum(w > 0 for w in response) if mean else 1 for response in weights]
        return sum(
            w * f / share
            for response, row, share in zip(weights, flows, shares, strict=True)
            for w, f in zip(response, row, strict=True)
        )

    assert abs(net(plain.token_weights)) > 1e-3
    assert net(scored.token_weights) == pytest.approx(0.0, abs=1e-12)
    assert scored.token_weights[0][:2] == (0.0, 0.0)


def test_the_overlong_filter_takes_cut_responses_out():
    one = credited([True, False], [0.5, -0.5], rollouts=[rollout(2), rollout(3, "length")])
    assert OverlongFilter().over([one], NOW, {}) == [((1.0, 1.0), (0.0, 0.0, 0.0))]


def test_weights_are_multiplied_and_faults_have_none():
    from credit_cases import FAULT

    steps = {"steps": ((0.0, 1.0), (0.0,), (0.0, 1.0))}
    rollouts = [rollout(2), rollout(1), rollout(2, "length")]
    one = judged([True, FAULT, False], rollouts=rollouts, statistics=steps)
    scored = Credit(CreditSettings(weigh=["sas", {"name": "overlong_filter", "keep": 0.5}])).assign([one], NOW)[0]
    assert scored.token_weights == ((0.0, 1.0), (0.0,), (0.0, 0.5))


NEUTRAL = {
    "adjust": [{"name": "ucpo", "tau": 0.0}, {"name": "positive_only", "keep": 1.0}, {"name": "icr", "weight": 0.0}],
    "weigh": [
        {"name": "sas", "rho": 0.0},
        {"name": "opefo", "strength": 0.0},
        {"name": "htpo", "hard_right": 0.0, "easy_right": 0.0},
        {"name": "overlong_filter", "keep": 1.0},
        {"name": "segments", "keep": "all"},
        {"name": "importance", "power": 0.0},
    ],
}


def test_neutral_settings_leave_credit_as_it_is():
    held = statistics([(0.7, 0.2, 0.1), (0.1, 0.3, 0.6)], (0, 1))
    both = {name: values * 2 for name, values in held.items()} | {"steps": ((0.0, 1.0),) * 2}
    one = judged([True, False], rollouts=[rollout(2), rollout(2, "length")], statistics=both)
    plain = Credit(CreditSettings()).assign([one], NOW)[0]
    neutral = Credit(CreditSettings(**NEUTRAL)).assign([one], NOW)[0]
    assert neutral.advantages == pytest.approx(plain.advantages, abs=1e-12)
    assert neutral.token_weights == ((1.0, 1.0), (1.0, 1.0))


def test_every_adjustment_has_a_neutral_setting_here():
    assert {spec["name"] for spec in NEUTRAL["adjust"]} == set(adjusts)
    assert {spec["name"] for spec in NEUTRAL["weigh"]} == set(weighers)
