"""Whole runs whose credit needs more than verdicts: teacher, earlier model, perturbed images."""

from __future__ import annotations

import pytest
from resumed_runs import SHAPE

from vlrl.config import build_settings
from vlrl.errors import ConfigError
from vlrl.runlog.run_folder import read_jsonl
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.training.run import start_run

SMALL = [
    *["stages=[rl]", "rl.steps=2", "rl.problems_per_step=4", "rl.rollouts_per_problem=4", "rl.validate_every=2"],
    *["rl.over_sampling=null", "rl.skip_uninformative=false", "rl.log_every=1", "rl.log_groups=4", "threads=1"],
    *["eval.problems=4", "eval.curve_problems=4", "rl.sampling.max_tokens=8"],
    f"model.shape={SHAPE}",
]


@pytest.mark.slow
def test_a_run_with_every_kind_of_need_and_then_distillation_from_its_model(tmp_path):
    start_run("configs/quickstart.yaml", [*SMALL, f"run_folder={tmp_path / 'first'}"])
    model = tmp_path / "first" / "model"
    parts = [
        f"model.path={model}",
        "model.build=null",
        "rl.credit.shape=[{name: contrast, weight: 0.3}, {name: retention, weight: 0.5}]",
        "rl.credit.weigh=[sas, opefo]",
        "rl.problem_sampler.weights=[prioritised]",
        f"rl.previous={{path: {model}}}",
        "rl.contrast={perturbation: blank}",
    ]
    start_run("configs/quickstart.yaml", [*SMALL, *parts, f"run_folder={tmp_path / 'second'}"])
    steps = [line for line in read_jsonl(tmp_path / "second" / "metrics.jsonl") if line["phase"] == "rl"]
    assert all(line["tokens/contrast"] > 0 for line in steps)
    groups = list(read_jsonl(tmp_path / "second" / "rollouts.jsonl"))
    rewards = [response["reward_parts"] for group in groups for response in group["rollouts"]]
    assert all(set(one) == {"score", "contrast", "retention"} for one in rewards)
    first = [r for g in groups if g["step"] == 1 for r in g["rollouts"]]
    assert all(r["reward_parts"]["retention"] == pytest.approx(1.0, abs=1e-3) for r in first)  # nothing has moved yet
    distil = [
        f"model.path={model}",
        "model.build=null",
        "rl.credit={advantage: none, token_credit: [vopd]}",
        "rl.loss={name: likelihood, aggregate: token}",
        f"rl.teacher={{path: {model}}}",
        "rl.rollouts_per_problem=1",
    ]
    start_run("configs/quickstart.yaml", [*SMALL, *distil, f"run_folder={tmp_path / 'third'}"])
    steps = [line for line in read_jsonl(tmp_path / "third" / "metrics.jsonl") if line["phase"] == "rl"]
    assert steps[0]["loss/total"] == pytest.approx(0.0, abs=1e-4)  # the student is the teacher


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"credit": {"token_credit": ["vopd"]}}, "needs .'kl_teacher', 'teacher'."),
        ({"credit": {"shape": [{"name": "contrast"}]}}, "needs .'contrast'."),
        ({"credit": {"shape": [{"name": "retention", "weight": 0.5}]}}, "needs .'previous'."),
        ({"credit": {"shape": [{"name": "repeat", "weight": 0.5}]}}, "sampling.repetition is null: nothing ends"),
        ({"contrast": {"perturbation": "tile"}}, "did you mean 'tiles'"),
        ({"teacher": {"path": "somewhere"}}, "no part reads it"),
        ({"contrast": {}}, "no part reads it"),
        ({"loss": "gspo", "credit": {"token_credit": ["opd"]}, "teacher": {"path": "x"}}, "reads no token credit"),
    ],
)
def test_needs_that_are_not_met_and_settings_that_nothing_reads_are_refused_before_a_model_is_loaded(given, said):
    with pytest.raises(ConfigError, match=said):
        build_settings(RlSettings, given, "rl")


def test_a_penalty_for_loops_is_taken_where_loops_are_ended_or_where_it_is_off():
    shape = [{"name": "repeat", "weight": 0.5}]
    build_settings(RlSettings, {"credit": {"shape": shape}, "sampling": {"repetition": {}}}, "rl")
    build_settings(RlSettings, {"credit": {"shape": [{**shape[0], "weight": 0.0}]}}, "rl")
