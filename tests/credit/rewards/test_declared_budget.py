"""BET: what is declared, what it earns; folding pays on problems alone that nobody solves."""

from __future__ import annotations

import pytest
from credit_cases import FAULT, usable
from credit_cases import rollout as tokens
from hypothesis import given
from hypothesis import strategies as st

from vlrl.credit.assign import Credit, CreditSettings
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.rewards.declared_budget import Declaration, DeclaredBudget, declaration_of, folds

NOW = CreditContext(0, max_tokens=100)
FOLD = "<predict>0, 0</predict><answer>fold</answer>"


def said(text, length):
    return tokens(length, text=text)


def rewards(outcomes, rollouts):
    group = usable(outcomes, rollouts=rollouts)
    return [part + v.score for part, v in zip(DeclaredBudget().of(group, NOW), group.verdicts, strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<predict>0.8, 120</predict> so", Declaration(0.8, 120)),
        ("<predict> 1 ,5 </predict>", Declaration(1.0, 5)),
        ("<predict>1.5, 20</predict>", None),
        ("<predict>0.8</predict>", None),
        ("<predict>0.8, 120</predict><predict>0.1, 1</predict>", None),
        ("<predict>0.8, 120</predict><predict>", None),
        ("nothing", None),
    ],
)
def test_a_declaration_is_read_strictly(text, expected):
    assert declaration_of(text) == expected


def test_folding_is_an_answer():
    assert folds(FOLD)
    assert folds(r"\boxed{fold}")
    assert folds(r"\boxed{\text{Fold}}")
    assert not folds("I fold the paper. <answer>4</answer>")


def test_rewards_by_hand():
    """Of 100 tokens: right with 20 and with 40, wrong with 50. c* is 20, b* 0.2, s 2/3."""
    texts = ("<predict>1, 20</predict>", "<predict>0.5, 10</predict>", "<predict>0.5, 50</predict>")
    group = [said(text, length) for text, length in zip(texts, (20, 40, 50), strict=True)]
    found = rewards([True, True, False], group)
    assert found[0] == pytest.approx(1 + 0.3 * 0 - 0.1 * (1 / 3) - 0)
    assert found[1] == pytest.approx(1 - 0.1 * (1 / 6) - 0.2 * 2 * 0.1)
    assert found[2] == pytest.approx(-0.2 * 0.5 - 0.1 * (1 / 6) - 0.2 * 0.3)


def test_brevity_is_paid_below_the_cost_of_a_problem_that_is_often_solved():
    """Ten right: the cost is the mean of 10, 20, 30, that is 20; the first is half of that."""
    group = [said("<predict>1, 20</predict>", 10 * n) for n in range(1, 11)]
    found = rewards([True] * 10, group)
    assert found[0] == pytest.approx(1 + 0.3 * 0.5)
    assert found[1] == pytest.approx(1.0)
    seldom = [said("<predict>0.1, 20</predict>", 20), *(said("<predict>0.1, 20</predict>", 20) for _ in range(9))]
    assert rewards([True] + [False] * 9, seldom)[0] == pytest.approx(1.0)


def test_folding_is_better_than_failing_where_nobody_succeeds_and_worse_elsewhere():
    tried = said("<predict>0, 0</predict>", 60)
    unsolved = rewards([False, False], [said(FOLD, 5), tried])
    assert unsolved == pytest.approx([0.1, -0.12])
    solved = rewards([False, False, True], [said(FOLD, 5), tried, said("<predict>0, 0</predict>", 10)])
    assert solved[0] < solved[1]


@given(st.floats(0, 1).map(lambda x: round(x, 3)), st.integers(0, 300), st.booleans())
def test_no_declaration_is_never_better_than_one(chance, cost, solved):
    text = f"<predict>{chance:.3f}, {cost}</predict>"
    outcomes = [False, solved]
    other = said("<predict>0, 0</predict>", 30)
    declared = rewards(outcomes, [said(text, 10), other])[0]
    assert declared >= rewards(outcomes, [said("", 10), other])[0] - 1e-12


def test_weight_zero_is_neutral_and_faults_are_no_part_of_it():
    group = usable([True, False, FAULT], rollouts=[said(FOLD, 5)] * 3)
    assert len(group.rollouts) == 2
    off = Credit(CreditSettings(shape=[{"name": "bet", "weight": 0.0}])).assign([group], NOW)[0]
    assert off.rewards == Credit(CreditSettings()).assign([group], NOW)[0].rewards
