"""The penalty for loops: only what ended with `repeat` pays, and weight 0 changes nothing."""

from __future__ import annotations

from credit_cases import rollout, usable
from hypothesis import given, settings
from hypothesis import strategies as st

from vlrl.credit.assign import Credit, CreditSettings
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.rewards.repeat_penalty import RepeatPenalty
from vlrl.types import Group, Problem, Rollout, ScoredGroup, Segment, Text, Verdict


def test_a_response_that_looped_pays_the_weight_and_the_baseline_counts_it():
    problem = Problem((Text("3+4=?"),), "7", "number", "text", "tests")
    finish_reasons = ("stop", "repeat", "length", "repeat")
    rollouts = tuple(
        Rollout((Segment((1, 2), (-1.0, -1.0), 0),), "7", finish_reason) for finish_reason in finish_reasons
    )
    verdicts = [Verdict.right("7"), Verdict.right("7"), Verdict.wrong("cut"), Verdict.wrong("no number")]
    settings = CreditSettings.model_validate({"shape": [{"name": "repeat", "weight": 0.5}]})
    group = ScoredGroup.of(Group(problem, rollouts), verdicts)
    (scored,) = Credit(settings).assign([group], CreditContext(step=0))
    assert scored.reward_parts["repeat"] == (0.0, -1.0, 0.0, -1.0)
    assert scored.rewards == (1.0, 0.5, 0.0, -0.5)
    assert scored.advantages == (0.75, 0.25, -0.25, -0.75)
    off = CreditSettings.model_validate({"shape": [{"name": "repeat", "weight": 0.0}]})
    (scored,) = Credit(off).assign([group], CreditContext(step=0))
    assert scored.advantages == (0.5, 0.5, -0.5, -0.5)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.sampled_from(["stop", "repeat", "length"])), min_size=1))
def test_the_penalty_depends_on_the_ending_alone(responses):
    rollouts = [rollout(length, finish_reason) for _, length, finish_reason in responses]
    values = RepeatPenalty(weight=1.0).of(
        usable([right for right, _, _ in responses], rollouts=rollouts), CreditContext(0)
    )
    assert values == tuple(-1.0 if finish_reason == "repeat" else 0.0 for _, _, finish_reason in responses)
