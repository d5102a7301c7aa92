"""CTAN's scale goes on from task to task, beside the model that each leaves."""

from __future__ import annotations

import json

import pytest
from untrained_world import DOMAIN, SHAPE, write

from vlrl.config import load_settings
from vlrl.credit.assign import CreditSettings
from vlrl.errors import ConfigError
from vlrl.training.lifecycle.stage_inputs import check_inputs
from vlrl.training.rl.carried_credit import FILE, keep_credit_state, read_credit_state
from vlrl.training.run import start_run
from vlrl.training.run_settings import RunSettings


def test_the_state_of_the_same_parts_is_taken_and_that_of_others_refused(tmp_path):
    keep_credit_state(tmp_path, {"parts": ["SlowSpread"], "state": {"advantage": {"spread": 0.25}}})
    same, other = CreditSettings(advantage="ctan"), CreditSettings(advantage="grpo")
    assert read_credit_state(str(tmp_path), same, "here") == {"advantage": {"spread": 0.25}}
    with pytest.raises(ConfigError, match=r"holds the state of \['SlowSpread'\]"):
        read_credit_state(str(tmp_path), other, "here")
    with pytest.raises(ConfigError, match=f"no {FILE} is in"):
        read_credit_state(str(tmp_path / "elsewhere"), same, "here")


def test_what_does_not_fit_is_found_before_the_first_stage(tmp_path):
    (tmp_path / "run.yaml").write_text(
        f"name: second\ndata: quickstart\nrun_folder: {tmp_path / 'run'}\nmodel: {{build: tiny-qwen3-vl}}\n"
        f"rl: {{continue_credit: {tmp_path}, credit: {{advantage: ctan}}}}\n"
    )
    settings = load_settings(RunSettings, tmp_path / "run.yaml", [])
    with pytest.raises(ConfigError, match=f"rl.continue_credit.*no {FILE}"):
        check_inputs(settings, ())
    keep_credit_state(tmp_path, {"parts": ["SlowSpread"], "state": {"advantage": {"spread": 0.25}}})
    check_inputs(settings, ())


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
