"""CTAN's scale goes on from task to task, beside the model that each leaves."""

from __future__ import annotations

import json

import pytest
from untrained_world import DOMAIN, SHAPE, write

from vlrl.config import build_settings
from vlrl.errors import ConfigError
from vlrl.training.rl.carried_credit import FILE, continue_credit, keep_credit_state
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.training.rl.scoring import GroupScorer
from vlrl.training.run import start_run


def scorer(**credit) -> GroupScorer:
    return GroupScorer(build_settings(RlSettings, {"credit": credit}, "rl"), 0, None, None, None)


def test_the_state_of_the_same_parts_is_taken_and_that_of_others_refused(tmp_path):
    keep_credit_state(tmp_path, {"parts": ["SlowSpread"], "state": {"advantage": {"spread": 0.25}}})
    second = scorer(advantage="ctan")
    continue_credit(second, str(tmp_path))
    assert second.state_dict() == {"advantage": {"spread": 0.25}}
    with pytest.raises(ConfigError, match=r"holds the state of \['SlowSpread'\]"):
        continue_credit(scorer(advantage="grpo"), str(tmp_path))
    with pytest.raises(ConfigError, match=f"no {FILE} is in"):
        continue_credit(second, str(tmp_path / "elsewhere"))


def test_nothing_is_left_where_nothing_is_remembered(tmp_path):
    keep_credit_state(tmp_path, {})
    assert not (tmp_path / FILE).exists()


@pytest.mark.slow
def test_a_second_task_starts_with_the_scale_that_the_first_one_ended_with(tmp_path):
    (tmp_path / "domain.py").write_text(DOMAIN.replace("even_length", "even_length_in_two_tasks"))
    sources = [{"name": "even", "kind": "domain", "domain": "even_length_in_two_tasks"}]
    recipe = write(tmp_path, "recipe.yaml", {"plugins": ["domain.py"], "sources": sources})
    rl = {"steps": 3, "problems_per_step": 4, "rollouts_per_problem": 4, "sampling": {"max_tokens": 8}}
    first = {
        "name": "first",
        "data": recipe,
        "run_folder": str(tmp_path / "first"),
        "stages": ["rl"],
        "threads": 1,
        "model": {"build": "tiny-qwen3-vl", "shape": SHAPE},
        "rl": {**rl, "credit": {"advantage": {"name": "ctan", "decay": 0.9}}},
        "eval": {"problems": 2, "curve_problems": 2, "sampling": {"max_tokens": 8}},
    }
    config = write(tmp_path, "first.yaml", first)
    start_run(config, [])
    left = json.loads((tmp_path / "first/model" / FILE).read_text())["state"]["advantage"]["spread"]
    assert left > 0
    more = [f"run_folder={tmp_path / 'second'}", f"rl.continue_credit={tmp_path / 'first/model'}"]
    start_run(config, [*more, "rl.credit.advantage.decay=0.999999"])
    kept = json.loads((tmp_path / "second/model" / FILE).read_text())["state"]["advantage"]["spread"]
    assert kept == pytest.approx(left, rel=1e-4)
