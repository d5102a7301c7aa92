"""Credit by turn, by hand: discounted returns, anchors by equal observations, nothing at foreign tokens."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from credit_cases import judged, rollout

from vlrl.credit.assign import Credit, CreditSettings
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.rewards.group_parts import Retention
from vlrl.credit.tokens.step_weights import SkipSteps
from vlrl.credit.tokens.turn_credit import GroupInGroup, TurnReturns, discounted, turns_of
from vlrl.types import Episode, Image, Segment

NOW = CreditContext(step=0, steps=1, max_tokens=100, version=0)


def written(count):
    return Segment((1,) * count, (-1.0,) * count, 0)


def seen(token, image=b""):
    images = (Image.from_bytes(image),) if image else ()
    return Segment((token, token), (0.0, 0.0), 0, "observation", images=images, encoded_images=images)


def episode(*segments, rewards=()):
    turns = sum(one.author == "policy" for one in segments)
    return replace(rollout(1), segments=segments, episode=Episode(turns, turn_rewards=rewards))


def test_returns_are_discounted_from_the_end():
    assert discounted([1.0, 0.0, 4.0], 0.5) == [2.0, 2.0, 4.0]
    assert discounted([], 0.5) == []


def test_turns_are_runs_of_the_policys_own_tokens():
    assert turns_of(episode(written(2), written(1), seen(5), written(3))) == [(0, 3), (5, 8)]
    assert turns_of(rollout(4)) == [(0, 4)]


def test_turn_returns_compare_the_same_turn_of_all_episodes():
    """Returns at γ = ½: (1.5, 1), (.5, 1), (2): turn 0 has mean 4/3, turn 1 has mean 1."""
    group = judged(
        [True, True, True],
        rollouts=[
            episode(written(2), seen(5), written(1), rewards=(1.0, 1.0)),
            episode(written(1), seen(6), written(2), rewards=(0.0, 1.0)),
            episode(written(1), rewards=(2.0,)),
        ],
    )
    (found,) = TurnReturns(gamma=0.5).over([group], NOW, {})
    assert found[0] == pytest.approx((1 / 6, 1 / 6, 0.0, 0.0, 0.0))
    assert found[1] == pytest.approx((-5 / 6, 0.0, 0.0, 0.0, 0.0))
    assert found[2] == pytest.approx((2 / 3,))


def test_gigpo_compares_turns_that_began_in_the_same_state():
    """Last turns: two behind the same observation (rewards 1 and 0), one behind another image of the same text."""
    group = judged(
        [True, False, True],
        rollouts=[
            episode(written(1), seen(5, b"one"), written(2)),
            episode(written(2), seen(5, b"one"), written(1)),
            episode(written(1), seen(5, b"two"), written(1)),
        ],
    )
    (plain,) = GroupInGroup(gamma=1.0, normalise="none").over([group], NOW, {})
    assert plain[0] == pytest.approx((1 / 3, 0.0, 0.0, 0.5, 0.5))
    assert plain[1] == pytest.approx((-2 / 3, -2 / 3, 0.0, 0.0, -0.5))
    assert plain[2] == pytest.approx((1 / 3, 0.0, 0.0, 0.0)), "nothing else began in its last state"
    (spread,) = GroupInGroup(gamma=1.0).over([group], NOW, {})
    assert spread[0][3] == pytest.approx(0.5 / 0.5**0.5)
    assert spread[2][3] == 0.0


def test_in_credit_it_is_added_to_the_advantage_and_foreign_tokens_weigh_nothing():
    group = judged([True, False], rollouts=[episode(written(1), seen(5), written(1)), episode(written(1))])
    (credited,) = Credit(
        CreditSettings(token_credit=[{"name": "gigpo", "gamma": 1.0, "weight": 2.0, "normalise": "none"}])
    ).assign([group], NOW)
    assert credited.advantages == (0.5, -0.5)
    assert credited.token_advantages[0] == (1.0, 0.0, 0.0, 0.0)
    assert credited.token_weights == ((1.0, 0.0, 0.0, 1.0), (1.0,))


def test_what_tools_wrote_is_in_no_mean_of_confidence_or_drift():
    """A foreign token has log-probability 0, by definition; it would be the surest step, and thin out every mean."""
    held = episode(written(2), seen(5), written(2))
    steps = ((0.0, 0.0, 1.0, 1.0, 2.0, 2.0),)
    none = (0.0, 0.0)
    drift = {"logprobs": ((-1.0, -1.0, *none, -1.0, -1.0),), "previous": ((-2.0, -2.0, *none, -2.0, -2.0),)}
    group = judged([False], rollouts=[held], statistics={"steps": steps, **drift})
    ((kept,),) = SkipSteps(rho=0.5).over([group], NOW, {})
    assert kept in ((1, 1, 1, 1, 0, 0), (0, 0, 1, 1, 1, 1)), "one of the policy's two steps is left out"
    assert Retention(weight=1.0, alpha=1.0).of(group, NOW) == pytest.approx((math.exp(-1.0),))


def test_single_turns_have_the_group_itself_as_their_state():
    group = judged([True, False, False], lengths=[2, 3, 1])
    (found,) = GroupInGroup(normalise="none").over([group], NOW, {})
    assert [values[0] for values in found] == pytest.approx([2 / 3, -1 / 3, -1 / 3])
