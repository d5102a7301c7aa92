"""HTPO: which tokens are left out, by hardness, verdict and entropy."""

from __future__ import annotations

from dataclasses import replace

from credit_cases import credited
from hypothesis import given
from hypothesis import strategies as st

from vlrl.credit.credit_context import CreditContext
from vlrl.credit.tokens.entropy_extremes import EntropyExtremes
from vlrl.types import Rollout, Segment

NOW = CreditContext(0)
HARD, EASY = [True, False], [True, True, False]


def group(outcomes, entropy):
    lengths = [len(one) for one in entropy]
    return credited(outcomes, [0.0] * len(outcomes), lengths=lengths, statistics={"entropy": tuple(entropy)})


def weights(part, *groups):
    return part.over(list(groups), NOW, {})


def test_hard_and_right_loses_its_surest_tokens_easy_and_right_its_least_sure_ones():
    part = EntropyExtremes(hard_right=0.25, easy_right=0.25)
    hard = group(HARD, [(0.4, 0.1, 0.3, 0.2), (0.0, 9.0)])
    easy = group(EASY, [(0.4, 0.1), (0.3, 0.2), (9.0, 0.0)])
    assert weights(part, hard, easy) == [((1, 0, 1, 1), (1, 1)), ((0, 1), (1, 1), (1, 1))]


def test_the_shares_are_of_all_such_tokens_of_the_step():
    part = EntropyExtremes(hard_right=0.25, easy_right=0.0)
    groups = [group(HARD, [(0.4, 0.3), (0.0,)]), group(HARD, [(0.2, 0.1), (0.0,)])]
    assert weights(part, *groups) == [((1, 1), (1,)), ((1, 0), (1,))]
    assert weights(part, groups[0]) == [((1, 1), (1,))], "half a token is none"


def test_what_the_policy_did_not_write_is_neither_counted_nor_left_out():
    shown = Rollout((Segment((1,), (0.0,), 0, author="environment"), Segment((1,) * 3, (-1.0,) * 3, 0)), "x", "stop")
    one = group(HARD, [(0.0, 0.3, 0.2, 0.1), (0.0,)])
    seen = replace(one, rollouts=(shown, one.rollouts[1]))
    assert weights(EntropyExtremes(hard_right=0.4, easy_right=0.0), seen) == [((1, 1, 1, 0), (1,))]


ENTROPIES = st.lists(st.lists(st.floats(0, 5), min_size=1, max_size=9), min_size=3, max_size=3)


@given(ENTROPIES, st.sampled_from([HARD, EASY]))
def test_shares_of_zero_change_nothing_and_wrong_responses_keep_all(entropy, outcomes):
    one = group(outcomes, [tuple(e) for e in entropy[: len(outcomes)]])
    neutral = weights(EntropyExtremes(hard_right=0.0, easy_right=0.0), one)[0]
    assert all(weight == 1.0 for response in neutral for weight in response)
    left = weights(EntropyExtremes(hard_right=0.9, easy_right=0.9), one)[0]
    assert all(weight == 1.0 for weight in left[-1])
