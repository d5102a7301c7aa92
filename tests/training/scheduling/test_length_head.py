"""LenVM's head: its transform inverts, and it learns how many tokens are to come from states that say it."""

from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from vlrl.training.scheduling.length_head import (
    LengthHead,
    LengthHeadSettings,
    length_of_value,
    tokens_to_come,
    value_of_length,
)

WIDTH = 16


@settings(deadline=None)
@given(st.lists(st.integers(0, 20_000), min_size=1), st.sampled_from([0.99, 0.999, 0.9999]))
def test_the_transform_inverts_and_falls_with_the_length(lengths, gamma):
    """In float64; where 1 + v is all but 0 nothing can be had back."""
    given = torch.tensor(sorted(lengths), dtype=torch.float64)
    values = value_of_length(given, gamma)
    assert bool(((values <= 0) & (values >= -1)).all())
    assert values.tolist() == sorted(values.tolist(), reverse=True)
    told = given[given * -math.log(gamma) < 20]
    assert torch.allclose(length_of_value(value_of_length(told, gamma), gamma), told, rtol=1e-6, atol=1e-6)


def test_the_value_is_the_discounted_sum_of_one_less_gamma_a_token():
    by_hand = -sum(0.9**t * (1 - 0.9) for t in range(7))
    assert float(value_of_length(torch.tensor(7.0), 0.9)) == pytest.approx(by_hand)


def test_what_is_to_come_are_the_tokens_that_the_policy_still_writes():
    assert tokens_to_come([True] * 5, [0, 2, 4]) == [5, 3, 1]
    assert tokens_to_come([True, False, False, True], [0, 1, 3]) == [2, 1, 1]


def planted(seed: int, count: int = 256) -> tuple[torch.Tensor, torch.Tensor]:
    """States of which one direction says the logarithm of the length, with noise and a part that all share."""
    generator = torch.Generator().manual_seed(seed)
    states = 5.0 * (torch.randn(count, WIDTH, generator=generator) + 2.0)
    return states, (200.0 * torch.exp(0.1 * (states[:, 0] - 10.0))).round()


@pytest.mark.parametrize("loss", ["bce", "huber"])
def test_predicted_lengths_have_the_order_of_true_ones(loss):
    head = LengthHead(LengthHeadSettings(loss=loss, updates=32), WIDTH)
    new, lengths = planted(99)
    assert head.lengths(new) == pytest.approx([math.log(0.5) / math.log(0.999)] * len(new)), "it begins without a view"
    losses = [head.learn(*planted(seed)) for seed in range(6)]
    assert losses[-1] < losses[0]
    found = head.lengths(new)
    assert spearmanr(found, lengths).statistic > 0.85
    assert sum(found) / len(found) == pytest.approx(float(lengths.mean()), rel=0.2)


def test_states_of_another_scale_say_the_same():
    head = LengthHead(LengthHeadSettings(), WIDTH)
    states, lengths = planted(0)
    head.learn(states, lengths)
    assert head.lengths(3.0 * states) == pytest.approx(head.lengths(states), rel=1e-4)
    assert min(head.lengths(states)) > 1.0, "not all of them at an end of the scale"


def test_a_head_goes_on_from_its_state_as_if_it_had_never_stopped(tmp_path):
    first, again = (LengthHead(LengthHeadSettings(updates=3), WIDTH) for _ in range(2))
    first.learn(*planted(0))
    torch.save(first.state_dict(), tmp_path / "head.pt")
    again.load_state_dict(torch.load(tmp_path / "head.pt"))
    assert again.learn(*planted(1)) == first.learn(*planted(1))
    new, _ = planted(2)
    assert json.dumps(again.lengths(new)) == json.dumps(first.lengths(new))
