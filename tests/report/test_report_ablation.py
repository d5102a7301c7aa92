"""The page of an ablation says in words what limits its figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vlrl.evaluation.comparison import compare, win_matrix
from vlrl.evaluation.scores import holm
from vlrl.report.ablation import BEFORE, AblationReport, ablation_page

OUTCOMES = {"a": [np.array([1.0, 0.0]), np.array([1.0, 1.0])], "b": [np.array([0.0, 0.0]), np.array([1.0, 0.0])]}


@pytest.fixture
def found() -> AblationReport:
    return AblationReport(
        title="Tau",
        command="vlrl ablate tau.yaml",
        expected="",
        measured="2026-01-02",
        seeds=(1, 2),
        reference="a",
        arms={"a": "nothing", "b": "`rl.loss.tau=2.0`"},
        budgets={"a": 1000, "b": 1000},
        spent={"a": [1010.0, 1020.0], "b": [1001.0, 1000.0]},
        rates={"a": 0.1, "b": 0.2},
        swept={"a": {0.1: 0.7, 0.2: 0.6, 0.3: 0.5}, "b": {0.1: 0.5, 0.2: 0.6, 0.3: 0.5}},
        sweep_seeds=(900,),
        outcomes={"accuracy": OUTCOMES},
        before={},
        matrices={"accuracy": win_matrix(OUTCOMES, np.random.default_rng(0), 50)},
        figures={},
    )


def test_the_warm_up_is_one_of_the_pages_comparisons(found):
    rows = [np.array([0.0, 0.0]), np.array([1.0, 1.0])]
    gap = compare(rows, OUTCOMES["a"], np.random.default_rng(0), 50)
    matrices = {"accuracy": {**found.matrices["accuracy"], (BEFORE, "a"): gap}}
    page = ablation_page(replace(found, before={"accuracy": rows}, matrices=matrices))
    plain = {BEFORE: gap.p, "b": matrices["accuracy"]["b", "a"].p}
    assert "adjusted by Holm for the 2 comparisons" in page
    assert f"| before RL | 0.500 | 0.000, 1.000 | -0.250 | {gap.by_seed.low:+.3f} … " in page
    row = next(line for line in page.splitlines() if line.startswith("| before RL"))
    assert f"| {holm(plain)[BEFORE]:.3f} |" in row
    assert "| row − column | a | b" not in page


def test_budgets_that_were_spent_are_called_matched_and_stand_in_the_table(found):
    page = ablation_page(found)
    assert "matched budget: 1,000 response tokens an arm" in page
    assert "| b | `rl.loss.tau=2.0` | 1,001, 1,000 |" in page
    assert "not matched" not in page


def test_an_arm_that_its_steps_ended_early_is_named_with_what_it_spent(found):
    page = ablation_page(replace(found, spent={"a": [1010.0, 1020.0], "b": [1001.0, 800.0]}))
    assert "\n**Budget not matched:** `rl.steps` ended b before its 1,000 response tokens: 800 (seed 2)." in page
    assert "budget not spent by every arm: 1,000" in page
    assert "matched budget" not in page


def test_arms_without_a_budget_are_not_called_matched_in_tokens(found):
    page = ablation_page(replace(found, budgets={"a": None, "b": None}))
    assert "equal steps, which needn't be equal response tokens" in page
    assert "response tokens by arm: a 1,000, b by its steps." in ablation_page(
        replace(found, budgets={"a": 1000, "b": None})
    )


def test_a_best_rate_at_an_end_of_those_tried_is_said(found):
    page = ablation_page(found)
    assert "The best rate of a is the lowest tried: a lower one may do better." in page
    assert "highest tried" not in page
    at_the_top = replace(found, rates={"a": 0.3, "b": 0.3})
    assert "The best rate of a and of b is the highest tried" in ablation_page(at_the_top)
    assert "tried:" not in ablation_page(replace(found, rates={"a": 0.2, "b": 0.2}))


def test_slopes_of_accuracy_over_length_have_a_table_where_they_are_asked_for(found):
    assert "slope" not in ablation_page(found)
    page = ablation_page(replace(found, slopes={"a": [0.01, 0.03], "b": []}))
    assert "| a | +2.00 | -10.71 … +14.71 | 2 |" in page  # 2 ± 12.706 · 1: Student's with one degree of freedom
    assert "| b | lengths never changed |  | 0 |" in page
