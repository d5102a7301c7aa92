"""What holds for every registered loss: its gradient, any split into micro-batches, token weights, token credit."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from loss_cases import CASES, LENGTHS, RESPONSES, TOKENS, gradient, label, on_policy, part, terms

import vlrl.losses  # noqa: F401  (files the losses under their names)
from vlrl.losses.loss_registry import losses


def test_every_registered_loss_is_in_the_cases():
    assert {case["name"] for case in CASES} == set(losses)


@pytest.mark.parametrize("split", [[[0, 1], [2, 3]], [[0, 1, 2, 3]], [[2, 3], [0, 1]]])
@pytest.mark.parametrize("case", CASES, ids=label)
def test_any_split_into_micro_batches_gives_the_gradient_of_one(case, split):
    loss = losses.build(case)
    given = terms(token_advantages=True)
    whole = gradient(loss, given)
    in_parts = sum(loss(part(given, responses)) for responses in split)
    (summed,) = torch.autograd.grad(in_parts, given.logprobs)
    assert torch.allclose(summed, whole, atol=1e-12, rtol=0)


@pytest.mark.parametrize("case", [c for c in CASES if c["name"] != "dpo"], ids=label)
def test_single_responses_as_micro_batches_give_the_gradient_of_one(case):
    loss, given = losses.build(case), terms()
    in_parts = sum(loss(part(given, [j])) for j in range(len(LENGTHS)))
    (summed,) = torch.autograd.grad(in_parts, given.logprobs)
    assert torch.allclose(summed, gradient(loss, given), atol=1e-12, rtol=0)


@pytest.mark.parametrize("case", [c for c in CASES if c["name"] not in ("cispo", "ctpo")], ids=label)
def test_the_gradient_is_that_of_finite_differences(case):
    loss, given = losses.build(case), terms()
    found = gradient(loss, given)
    for token in range(len(found)):
        values = []
        for sign in (1, -1):
            moved = given.logprobs.detach().clone()
            moved[token] += sign * 1e-6
            values.append(float(loss(replace(given, logprobs=moved))))
        assert float(found[token]) == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-6)


@pytest.mark.parametrize("case", [c for c in CASES if c["name"] not in ("dpo", "sft")], ids=label)
def test_a_token_of_weight_zero_has_no_gradient(case):
    given = terms()
    weights = given.weights.clone()
    weights[3] = 0.0
    assert float(gradient(losses.build(case), replace(given, weights=weights))[3]) == 0.0
    assert float(gradient(losses.build({"name": "sft"}), replace(given, weights=weights))[3]) == 0.0


@pytest.mark.parametrize("at", [(0,), (1, 4), (5,), (2, 3, 9)])
@pytest.mark.parametrize("case", CASES, ids=label)
def test_tokens_of_weight_zero_are_as_if_they_were_not_there(case, at):
    """In no sum, no mean and no length: value and gradient are those of responses without these tokens.

    Weights of the others differ; response 2 is its token 5 alone.
    """
    loss, given = losses.build(case), terms(token_advantages=True)
    keep = ~torch.isin(torch.arange(sum(LENGTHS)), torch.tensor(at))
    weights = torch.linspace(0.5, 1.5, sum(LENGTHS), dtype=torch.float64)
    with_them = replace(given, weights=weights * keep, update_tokens=float(keep.sum()))
    fewer = {f: getattr(given, f)[keep] for f in ("logprobs", "old_logprobs", "response", "token_advantages")}
    without = replace(with_them, **fewer, weights=weights[keep])
    value = float(loss(without).detach())
    assert float(loss(with_them).detach()) == pytest.approx(value, rel=1e-12, abs=1e-14)
    (expected,) = torch.autograd.grad(loss(without), without.logprobs)
    found = gradient(loss, with_them)
    assert torch.allclose(found[keep], expected, atol=1e-12, rtol=0)
    assert not found[~keep].any()


@pytest.mark.parametrize("case", [c for c in CASES if c["name"] not in ("dpo", "sft", "gspo")], ids=label)
def test_token_credit_that_is_the_same_at_all_tokens_of_a_response_is_its_advantage(case):
    loss, given = losses.build(case), on_policy(terms())
    spread = replace(
        given, advantages=torch.zeros(len(LENGTHS)).double(), token_advantages=given.advantages[given.response]
    )
    assert torch.allclose(gradient(loss, spread), gradient(loss, given), atol=1e-12, rtol=0)


SUMMED = ["kimi", {"name": "grpo", "aggregate": "sum"}, {"name": "ctpo", "aggregate": "sum"}, "likelihood"]


@pytest.mark.parametrize("spec", [*SUMMED, {"name": "cispo", "aggregate": "sum"}])
def test_on_policy_mirror_descent_ppo_ctpo_cispo_and_likelihood_are_one(spec):
    given = on_policy(terms())
    by_hand = -given.advantages[given.response] / RESPONSES
    assert torch.allclose(gradient(losses.build(spec), given), by_hand, atol=1e-12, rtol=0)


def test_on_policy_gspo_is_grpo_with_the_mean_over_a_response():
    given = on_policy(terms())
    assert torch.allclose(
        gradient(losses.build("gspo"), given), gradient(losses.build("grpo"), given), atol=1e-12, rtol=0
    )


@pytest.mark.parametrize("case", [c for c in CASES if c["name"] == "cispo"], ids=label)
def test_the_gradient_of_cispo_is_the_one_written_by_hand(case):
    """−clip(ρ)·A at every token, over all tokens or over the response's and the responses."""
    loss, given = losses.get("cispo").model_validate({k: v for k, v in case.items() if k != "name"}), terms(True)
    ratio = (given.logprobs - given.old_logprobs).detach().exp()
    clipped = torch.clamp(ratio, 1 - loss.clip_low, 1 + loss.clip_high)
    share = 1 / TOKENS if loss.aggregate == "token" else 1 / (given.trained[given.response] * RESPONSES)
    expected = -clipped * (given.advantages[given.response] + given.token_advantages) * share
    assert torch.allclose(gradient(loss, given), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("case", [c for c in CASES if c["name"] == "ctpo"], ids=label)
def test_the_gradient_of_ctpo_is_the_one_written_by_hand(case):
    """−ρ_t·A where the token is within its corridor on the side that its advantage pushes to, else 0."""
    loss, given = losses.get("ctpo").model_validate({k: v for k, v in case.items() if k != "name"}), terms(True)
    step = (given.logprobs - given.old_logprobs).detach()
    expected, kept = [], 0
    for j, length in enumerate(LENGTHS):
        total = 0.0
        for t in range(1, length + 1):
            total += float(step[len(expected)])
            credit = float(given.advantages[j] + given.token_advantages[len(expected)])
            root = t**0.5
            if credit >= 0:
                pulls = total <= loss.clip_high * root
            else:
                pulls = -loss.clip_low * root <= total <= loss.dual * root
            kept += pulls
            expected.append(-(math.exp(total) * credit if pulls else 0.0) / TOKENS)
    assert torch.allclose(gradient(loss, given), torch.tensor(expected, dtype=torch.float64), atol=1e-12, rtol=0)
    assert kept == len(expected) or case["clip_high"] < 9


@pytest.mark.parametrize("case", [*CASES, {"name": "kimi", "tau": 0.0}, {"name": "grpo", "beta": 0.0}], ids=label)
def test_a_loss_says_whether_it_pulls_where_there_is_no_advantage(case):
    """Skipping groups without an advantage is exact after the first update only where nothing pulls there."""
    loss = losses.build(case)
    if loss.needs:
        return  # of preference stages and SFT: their advantages aren't credit
    alike = replace(terms(), advantages=torch.zeros(len(LENGTHS), dtype=torch.float64))
    assert bool(gradient(loss, alike).any()) == loss.pulls_without_advantage
    assert not gradient(loss, on_policy(alike)).any()


def test_grpo_pulls_to_a_frozen_reference_where_there_is_one():
    """On-policy, no advantage: the gradient of β·(e^−d − 1 + d), d = log π − log π_ref, is β·(1 − e^−d) a token."""
    loss = losses.build({"name": "grpo", "beta": 0.5, "aggregate": "token"})
    alike = replace(on_policy(terms()), advantages=torch.zeros(len(LENGTHS), dtype=torch.float64))
    drift = torch.linspace(-0.4, 0.6, sum(LENGTHS), dtype=torch.float64)
    given = replace(alike, ref_logprobs=alike.logprobs.detach() - drift)
    assert torch.allclose(gradient(loss, given), 0.5 * (1 - torch.exp(-drift)) / sum(LENGTHS))
    assert not gradient(loss, alike).any()


@pytest.mark.parametrize("case", [*CASES, {"name": "kimi", "tau": 0.0}, {"name": "grpo", "beta": 0.0}], ids=label)
def test_scales_of_the_pull_multiply_it_response_by_response_and_nothing_else(case):
    """Scales of 1 are none, to the bit; the gradient is linear in them, and without advantages it is the pull's alone.
    A loss that says it has no pull reads none.
    """
    loss, given = losses.build(case), terms(token_advantages=True)
    plain = gradient(loss, given)
    ones = torch.ones(len(LENGTHS), dtype=torch.float64)
    assert torch.equal(gradient(loss, replace(given, pull_scales=ones)), plain)
    if loss.needs:
        return
    scales = torch.tensor([0.5, 2.0, 3.0, 1.0], dtype=torch.float64)
    free = replace(given, advantages=torch.zeros(len(LENGTHS), dtype=torch.float64), token_advantages=None)
    moved = gradient(loss, replace(given, pull_scales=scales)) - plain
    assert torch.allclose(moved, (scales[given.response] - 1) * gradient(loss, free), atol=1e-12, rtol=0)
    assert bool(moved.any()) == loss.reads_pull_scales
    split = sum(loss(part(replace(given, pull_scales=scales), responses)) for responses in ([0, 1], [2, 3]))
    (summed,) = torch.autograd.grad(split, given.logprobs)
    assert torch.allclose(summed, plain + moved, atol=1e-12, rtol=0)
