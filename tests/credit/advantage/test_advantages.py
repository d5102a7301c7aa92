"""Baselines by hand, and how they are related."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlrl.credit.advantage.advantages import GroupNormalised, LogPartitionBaseline, MeanBaseline
from vlrl.errors import ConfigError

REWARDS = st.lists(st.floats(-1, 2, allow_nan=False), min_size=2, max_size=16)


def test_mean_baseline_by_hand():
    assert MeanBaseline()((1.0, 0.0, 0.0, 1.0, 0.5)) == pytest.approx((0.5, -0.5, -0.5, 0.5, 0.0))


def test_grpo_advantages_by_hand():
    """Mean 0.5, sample variance (4·0.25)/3: spread 0.57735."""
    by_hand = 0.5 / (math.sqrt(1 / 3) + 1e-4)
    assert GroupNormalised()((1.0, 0.0, 0.0, 1.0)) == pytest.approx((by_hand, -by_hand, -by_hand, by_hand))


def test_log_partition_by_hand():
    """τ = 1, rewards 1 and 0: the baseline is log((e + 1)/2) = 0.62011."""
    assert LogPartitionBaseline(tau=1.0)((1.0, 0.0)) == pytest.approx((0.379885, -0.620115), abs=1e-6)


@settings(deadline=None)
@given(REWARDS)
def test_log_partition_tends_to_the_mean_as_tau_grows(rewards):
    far = LogPartitionBaseline(tau=1e5)(rewards)
    assert far == pytest.approx(MeanBaseline()(rewards), abs=1e-4)


@settings(deadline=None)
@given(REWARDS)
def test_log_partition_tends_to_the_maximum_as_tau_falls(rewards):
    near = LogPartitionBaseline(tau=1e-6)(rewards)
    assert near == pytest.approx([r - max(rewards) for r in rewards], abs=1e-4)


@pytest.mark.parametrize("advantage", [MeanBaseline(), LogPartitionBaseline(tau=0.1), GroupNormalised()])
@pytest.mark.parametrize("reward", [0.0, 1.0, 0.1, 1 / 3, -0.7])
def test_equal_rewards_have_advantage_exactly_zero(advantage, reward):
    assert advantage([reward] * 7) == (0.0,) * 7


@settings(deadline=None)
@given(REWARDS, st.floats(-5, 5))
def test_a_constant_added_to_all_rewards_changes_no_advantage(rewards, constant):
    for advantage in (MeanBaseline(), LogPartitionBaseline(tau=0.5)):
        shifted = advantage([r + constant for r in rewards])
        assert shifted == pytest.approx(advantage(rewards), abs=1e-9)


def test_unknown_names_and_settings_are_refused_with_a_suggestion():
    from vlrl.credit.advantage.advantages import advantages

    with pytest.raises(ConfigError, match="did you mean 'log_partition'"):
        advantages.build("log_partitions")
    with pytest.raises(ConfigError, match="did you mean 'tau'"):
        advantages.build({"name": "log_partition", "tua": 1.0})
    with pytest.raises(ConfigError, match="greater than 0"):
        advantages.build({"name": "log_partition", "tau": 0.0})
