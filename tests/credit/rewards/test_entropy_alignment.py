"""HEAL's reward part: it goes to responses whose entropy runs as that of general problems, whatever their length."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from credit_cases import PROBLEM, judged, rollout

from vlrl.credit.assign import Credit, CreditSettings
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.rewards.entropy_alignment import EntropyAlignment, entropy_curve
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.types import Segment, Text

CONTEXT = CreditContext(0, general=frozenset({"pool"}))
FLAT, RISING, FALLING = (0.1,) * 6, (0.0, 0.5, 1.0, 1.5), (1.5, 1.0, 0.5, 0.0, 0.0)


def group(source: str, *curves: tuple[float, ...], name: str = "", outcomes=()):
    problem = replace(PROBLEM, prompt=(Text(f"{source} {name}?"),), source=source)
    held = judged(
        outcomes or [True] * len(curves),
        rollouts=[rollout(len(curve)) for curve in curves],
        statistics={"entropy": curves},
    )
    return replace(held, problem=problem)


def values(*groups) -> list[tuple[float, ...]]:
    return EntropyAlignment().over(groups, CONTEXT)


def test_a_curve_is_interpolated_to_one_length():
    assert entropy_curve((1.0, 3.0), 5).tolist() == [1.0, 1.5, 2.0, 2.5, 3.0]
    assert entropy_curve((1.0, 2.0, 9.0), 3).tolist() == [1.0, 2.0, 9.0]
    assert entropy_curve((2.0,), 3).tolist() == [2.0] * 3
    assert np.isnan(entropy_curve((), 3)).all()


def test_the_reward_goes_to_whom_the_planted_curves_say_and_flips_with_them():
    """A response that rises is like the pool's rising one, not like another target's flat one; and the other way."""
    first, second = group("a", RISING, FLAT, name="1"), group("a", FLAT, name="2")
    assert values(first, second, group("pool", (0.0, 1.5))) == [(1.0, 0.0), (0.0,), (0.0,)]
    assert values(first, second, group("pool", FALLING)) == [(0.0, 0.0), (0.0,), (0.0,)]
    other = group("a", RISING, name="2")
    assert values(first, other, group("pool", FLAT)) == [(0.0, 1.0), (0.0,), (0.0,)]
    assert values(group("b", FLAT, name="1"), other, group("pool", FLAT)) == [(1.0,), (0.0,), (0.0,)]


def test_magnitude_counts_besides_the_shape():
    low, high = (0.1, 0.2), (1.1, 1.2)
    assert values(group("a", high, name="1"), group("a", low, name="2"), group("pool", high)) == [
        (1.0,),
        (0.0,),
        (0.0,),
    ]


def test_responses_to_the_same_problem_are_not_what_it_is_compared_with():
    """A problem that was drawn twice is one problem; without another, and without a general one, nobody is rewarded."""
    twice = (group("a", RISING, name="1"), group("a", RISING, name="1"))
    pool = group("pool", RISING)
    assert values(*twice, pool) == [(0.0,), (0.0,), (0.0,)]
    assert values(*twice, group("a", FLAT, name="2"), pool)[:2] == [(1.0,), (1.0,)]
    assert values(*twice, group("a", FLAT, name="2")) == [(0.0,), (0.0,), (0.0,)]


def test_what_an_environment_wrote_is_in_no_curve_and_an_empty_response_has_none():
    plain = group("a", RISING, (), name="1")
    own, seen = Segment((1,) * 4, (0.0,) * 4, 0), Segment((2,) * 3, (0.0,) * 3, 0, "observation")
    with_image = replace(plain.rollouts[0], segments=(seen, own))
    observed = replace(
        plain, rollouts=(with_image, plain.rollouts[1]), statistics={"entropy": ((0.0,) * 3 + RISING, ())}
    )
    others = (group("a", FLAT, name="2"), group("pool", RISING))
    assert values(plain, *others)[0] == values(observed, *others)[0] == (1.0, 0.0)


def test_weight_zero_is_the_score_alone_to_the_bit_and_one_adds_it():
    groups = [group("a", RISING, FLAT, name="1", outcomes=[True, False]), group("a", FLAT, name="2", outcomes=[False])]
    groups.append(group("pool", RISING, outcomes=[True]))
    plain, off, on = (
        Credit(CreditSettings(shape=shape)).assign(groups, CONTEXT)
        for shape in ([], [{"name": "heal", "weight": 0.0}], ["heal"])
    )
    assert off == plain
    assert [one.rewards for one in on] == [(2.0, 0.0), (0.0,), (1.0,)]
    assert on[0].reward_parts["heal"] == (1.0, 0.0)
    assert on[0].reward_weights == {"score": 1.0, "heal": 1.0}
    assert on[0].advantages == (1.0, -1.0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"credit": {"shape": ["heal"]}}, "needs ['general']"),
        ({"problem_sampler": {"weights": ["heal"]}}, "needs ['general']"),
        ({"general": ["pool"]}, "no part reads it"),
    ],
)
def test_general_sources_are_named_where_and_only_where_something_reads_them(given, said):
    with pytest.raises(ValueError, match=said.replace("[", r"\[")):
        RlSettings(**given)


def test_either_part_has_the_entropy_of_tokens_measured():
    for given in ({"credit": {"shape": ["heal"]}}, {"problem_sampler": {"weights": ["heal"]}}):
        assert RlSettings(general=["pool"], **given).needs == {"entropy", "general"}
