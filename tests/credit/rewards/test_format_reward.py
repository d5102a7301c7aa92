"""The form of a response is rewarded whatever it answers."""

from __future__ import annotations

import pytest
from credit_cases import rollout

from vlrl.credit.credit_context import CreditContext
from vlrl.credit.rewards.format_reward import FormatReward
from vlrl.types import Group, Problem, ScoredGroup, Text, Verdict

PROBLEM = Problem((Text("?"),), "1", "number", "text", "d")


@pytest.mark.parametrize(
    ("form", "text", "given"),
    [
        ("think_answer", "<think>a\nb</think>\n<answer>1</answer>\n", 1.0),
        ("think_answer", "<think>a</think> so <answer>1</answer>", 0.0),
        ("think_answer", "<think>a<think>b</think><answer>1</answer>", 0.0),
        ("think_answer", "<answer>1</answer>", 0.0),
        ("think", "<think>a</think> 1", 1.0),
        ("think", "<think>a</think> 1 <think>b</think>", 0.0),
        ("answer", "so <answer>1</answer>", 1.0),
        ("answer", "<answer>1</answer><answer>2</answer>", 0.0),
        ("boxed", "so \\boxed{\\frac{1}{2}}.", 1.0),
        ("boxed", "\\boxed{1} or \\boxed{2}", 0.0),
        ("boxed", "so 1", 0.0),
    ],
)
def test_one_for_the_form_and_zero_for_all_else(form, text, given):
    group = ScoredGroup.of(Group(PROBLEM, (rollout(3, text=text),)), (Verdict.wrong("whatever"),))
    assert FormatReward(weight=0.1, form=form).of(group, CreditContext(0)) == (given,)


def test_a_long_response_takes_no_long_time():
    nested = rollout(3, text="<think>" + "<answer> \\boxed{" * 20_000)
    group = ScoredGroup.of(Group(PROBLEM, (nested,)), (Verdict.wrong(""),))
    for form in ("think_answer", "think", "answer", "boxed"):
        assert FormatReward(weight=0.1, form=form).of(group, CreditContext(0)) == (0.0,)
