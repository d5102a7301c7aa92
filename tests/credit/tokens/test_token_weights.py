"""Token weights by hand: a row of three segments, and importance weights from known log-probabilities."""

from __future__ import annotations

import math

import pytest
from credit_cases import judged

from vlrl.credit.assign import Credit, CreditSettings
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.tokens.token_weights import ImportanceWeights, MaxStaleness, SegmentWeights, own_tokens, staleness
from vlrl.types import Rollout, Segment

ROW = (  # two tokens of iteration 3, one of 5, three of 6
    Segment((11, 12), (-1.0, -2.0), 3),
    Segment((13,), (-0.5,), 5),
    Segment((14, 15, 16), (-0.1, -0.2, -0.3), 6),
)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("current_only", (0, 0, 0, 1, 1, 1)),
        ("all", (1, 1, 1, 1, 1, 1)),
        (MaxStaleness(max_staleness=0), (0, 0, 0, 1, 1, 1)),
        (MaxStaleness(max_staleness=1), (0, 0, 1, 1, 1, 1)),
        (MaxStaleness(max_staleness=2), (0, 0, 1, 1, 1, 1)),
        (MaxStaleness(max_staleness=3), (1, 1, 1, 1, 1, 1)),
    ],
)
def test_weights_of_a_row_of_three_segments(rule, expected):
    assert staleness(ROW, 6) == (3, 3, 1, 0, 0, 0)
    assert SegmentWeights(keep=rule)(ROW, 6) == expected


def test_what_the_policy_did_not_write_is_never_trained():
    row = (ROW[0], Segment((90, 91), (0.0, 0.0), 6, "observation"), Segment((92,), (0.0,), 6, "forced"), ROW[2])
    assert own_tokens([Rollout(row, "a", "stop")]) == ((1, 1, 0, 0, 0, 1, 1, 1),)
    assert own_tokens([Rollout(ROW, "a", "stop")]) is None
    one = judged([True, False], rollouts=[Rollout(row, "a", "stop"), Rollout(ROW, "b", "stop")])
    scored = Credit(CreditSettings()).assign([one], CreditContext(6, version=6))[0]
    assert scored.token_weights == ((1, 1, 0, 0, 0, 1, 1, 1), (1,) * 6)


REFERENCE = (math.log(0.5), math.log(0.2), math.log(0.9))
SAMPLER = (math.log(0.25), math.log(0.8), math.log(0.9))  # ratios 2, 1/4, 1


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"upper": 1.5}, (1.5, 0.25, 1.0)),
        ({"upper": 2.5}, (2.0, 0.25, 1.0)),
        ({"rule": "masked", "lower": 0.5, "upper": 3.0}, (2.0, 0.0, 1.0)),
        ({"rule": "masked", "lower": 0.1, "upper": 1.5}, (0.0, 0.25, 1.0)),
        ({"level": "sequence", "upper": 2.0}, (0.5 ** (1 / 3),) * 3),  # (2 · ¼ · 1)^⅓ = 0.7937
        ({"level": "sequence", "rule": "masked", "lower": 0.8, "upper": 2.0}, (0.0,) * 3),
    ],
)
def test_importance_weights_by_hand(settings, expected):
    found = ImportanceWeights.model_validate(settings).of(REFERENCE, SAMPLER, (True,) * 3)
    assert found == pytest.approx(expected)


def test_equal_log_probabilities_weigh_one_and_foreign_tokens_have_no_say():
    for level in ("token", "sequence"):
        for rule in ("truncated", "masked"):
            one = ImportanceWeights(rule=rule, level=level)
            assert one.of(SAMPLER, SAMPLER, (True,) * 3) == (1.0,) * 3
            found = one.of((*SAMPLER, -50.0), (*SAMPLER, 0.0), (True, True, True, False))
            assert found == (1.0,) * 4


def test_a_bound_that_nobody_reads_is_refused():
    with pytest.raises(ValueError, match="lower is read by"):
        ImportanceWeights(lower=0.1)


def test_weights_multiply_and_are_made_in_one_place():
    """π is twice as likely as the sampler said everywhere; the responses are ROW and its older part."""
    rollouts = [Rollout(ROW, "a", "stop"), Rollout(ROW[:2], "b", "stop")]
    logprobs = tuple(tuple(p + math.log(2) for p in r.sampler_logprobs) for r in rollouts)
    one = judged([True, False], rollouts=rollouts, statistics={"logprobs": logprobs})

    def weights(*parts):
        return Credit(CreditSettings(weigh=parts)).assign([one], CreditContext(6, version=6))[0].token_weights

    current = {"name": "segments", "keep": "current_only"}
    assert weights() is None
    assert weights(current) == ((0, 0, 0, 1, 1, 1), (0, 0, 0))
    both = weights(current, {"name": "importance", "upper": 3.0})
    assert both == (pytest.approx((0, 0, 0, 2, 2, 2)), (0, 0, 0))
    assert weights({"name": "importance", "upper": 1.5}) == ((1.5,) * 6, (1.5,) * 3)
    assert weights("segments", {"name": "importance", "power": 0.0}) == ((1.0,) * 6, (1.0,) * 3)
