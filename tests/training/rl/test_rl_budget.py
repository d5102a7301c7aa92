"""A stage of RL ends by steps or by response tokens, and its schedules follow what ends it."""

from __future__ import annotations

from fractions import Fraction

import pytest

from vlrl.runlog.run_folder import read_jsonl
from vlrl.training.rl.rl_budget import Budget, sampled_tokens
from vlrl.training.run import start_run


def test_without_tokens_a_stage_is_its_steps():
    budget = Budget(4, None)
    budget.spend(10**9)
    assert [budget.progress(step) for step in range(4)] == [0, Fraction(1, 4), Fraction(1, 2), Fraction(3, 4)]
    assert [budget.ends_after(step) for step in range(4)] == [False, False, False, True]
    assert budget.schedule_step(3, 2) == 3


def test_with_tokens_it_ends_when_they_are_spent_and_its_schedule_goes_all_the_way():
    budget = Budget(1000, 400)
    assert budget.progress(0) == 0
    budget.spend(100)
    assert budget.progress(1) == Fraction(1, 4)
    assert budget.schedule_step(1, 5) == 1  # still warming up, in real steps
    assert budget.schedule_step(7, 5) == 250
    assert not budget.ends_after(7)
    budget.spend(350)
    assert budget.ends_after(8)
    assert budget.progress(9) == 1
    assert Budget(3, 400).ends_after(2)  # steps bound it all the same


def test_what_was_spent_is_in_the_checkpoint():
    budget, again = Budget(10, 100), Budget(10, 100)
    budget.spend(40.0)
    again.load_state_dict(budget.state_dict())
    assert again.progress(5) == Fraction(2, 5)


def test_what_was_sampled_for_contrast_is_spent_too():
    assert sampled_tokens({"tokens/written": 30.0}) == 30.0
    assert sampled_tokens({"tokens/written": 30.0, "tokens/contrast": 12.0}) == 42.0


@pytest.mark.slow
def test_a_run_stops_at_the_step_that_spends_its_last_token(tmp_path):
    shape = "{text_width: 32, text_layers: 1, vision_width: 32, head_size: 16, key_value_heads: 1, mlp_width: 48}"
    small = "rl.problems_per_step=4 rl.rollouts_per_problem=2 rl.over_sampling=null rl.skip_uninformative=false"
    fixed = "rl.sampling.max_tokens=8 rl.steps=1000 rl.response_tokens=100 eval.problems=4 eval.curve_problems=4"
    more = [*small.split(), *fixed.split(), "stages=[rl]", f"model.shape={shape}", f"run_folder={tmp_path / 'run'}"]
    start_run("configs/quickstart.yaml", more)
    lines = [r for r in read_jsonl(tmp_path / "run" / "metrics.jsonl") if r["phase"] == "rl"]
    spent = [line["tokens/written"] for line in lines]
    assert sum(spent) >= 100 > sum(spent[:-1])
    assert [r["step"] for r in read_jsonl(tmp_path / "run" / "metrics.jsonl") if r["phase"] == "eval"][-1] == len(lines)
