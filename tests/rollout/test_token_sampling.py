"""Uniform numbers a row, and tokens drawn with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from vlrl.rollout.token_sampling import draw_tokens, row_uniforms
from vlrl.seeding import derive_seed


def unmixed(value, first, second, step):
    """The seed (as a signed number) whose splitmix64 output is `value`."""
    value ^= (value >> 31) ^ (value >> 62)
    value = value * pow(second, -1, 2**64) % 2**64
    value ^= (value >> 27) ^ (value >> 54)
    value = value * pow(first, -1, 2**64) % 2**64
    value ^= (value >> 30) ^ (value >> 60)
    value = (value - step) % 2**64
    return value - 2**64 if value >= 2**63 else value


def draw(probabilities, uniforms, top_p=1.0, greedy=False):
    logprobs = torch.tensor([probabilities] * len(uniforms), dtype=torch.float64).log().float()
    ones = torch.ones(len(uniforms))
    found = draw_tokens(logprobs, torch.tensor(uniforms, dtype=torch.float64), ones * top_p, ones.bool() & greedy)
    return found.tolist()


@pytest.mark.parametrize("seeds", ["neighbours", "derived"])
def test_uniforms_are_uniform_over_rows_and_over_steps(seeds):
    numbers = list(range(20_000)) if seeds == "neighbours" else [derive_seed(7, "rollout", i) for i in range(20_000)]
    rows = torch.tensor(numbers)
    assert stats.kstest(row_uniforms(rows, 0).numpy(), "uniform").pvalue > 1e-3
    by_step = torch.stack([row_uniforms(rows[:50], step) for step in range(400)])
    assert stats.kstest(by_step.flatten().numpy(), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(row_uniforms(rows, 0), row_uniforms(rows, 1))[0, 1]) < 0.03
    neighbours = row_uniforms(rows, 0)
    assert abs(np.corrcoef(neighbours[1:], neighbours[:-1])[0, 1]) < 0.03
    assert len(set(by_step.flatten().tolist())) == by_step.numel()


def test_a_row_keeps_its_number_whatever_its_neighbours():
    seeds = torch.tensor([5, 2**62 + 1, 9])
    whole = row_uniforms(seeds, 3)
    assert row_uniforms(seeds[1:2], 3).item() == whole[1].item()
    assert torch.equal(row_uniforms(seeds.flip(0), 3).flip(0), whole)


def test_uniforms_are_splitmix64_as_published():
    """The first output of splitmix64 from state 0 is 0xE220A8397B1DCDAF."""
    assert row_uniforms(torch.tensor([0]), 0).item() == pytest.approx(0xE220A8397B1DCDAF / 2**64, abs=1e-15)


def test_the_largest_number_stays_below_one():
    largest = (2**52 - 1 + 0.5) / 2**52
    assert largest < 1.0
    multiplier, step = 0xBF58476D1CE4E5B9, 0x9E3779B97F4A7C15
    seed = torch.tensor([unmixed(2**64 - 1, multiplier, 0x94D049BB133111EB, step)])
    assert row_uniforms(seed, 0).item() == largest


def test_tokens_by_inversion_by_hand():
    assert draw((0.5, 0.3, 0.2), (0.01, 0.49, 0.51, 0.79, 0.81, 0.999)) == [0, 0, 1, 1, 2, 2]


def test_a_number_next_to_zero_or_one_never_draws_an_impossible_token():
    probabilities = (0.0, 0.4, 0.6, 0.0, 0.0)
    assert draw(probabilities, (1e-300, 2**-53, 1 - 2**-53, 1.0)) == [1, 1, 2, 2]


def test_top_p_by_hand():
    probabilities = (0.1, 0.5, 0.15, 0.25)
    assert set(draw(probabilities, np.linspace(0.01, 0.99, 50).tolist(), top_p=0.7)) == {1, 3}
    assert draw(probabilities, (0.66, 0.67), top_p=0.7) == [1, 3]  # 0.5 of 0.75
    assert set(draw(probabilities, np.linspace(0.01, 0.99, 50).tolist(), top_p=0.76)) == {1, 2, 3}
    assert set(draw(probabilities, (0.001, 0.5, 0.999), top_p=1e-6)) == {1}


def test_greedy_and_sampled_rows_share_a_batch():
    logprobs = torch.tensor([[0.2, 0.8], [0.2, 0.8]]).log()
    found = draw_tokens(logprobs, torch.tensor([0.1, 0.1]).double(), torch.ones(2), torch.tensor([True, False]))
    assert found.tolist() == [1, 0]
