"""An ablation from a run's config and what varies in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vlrl.errors import ConfigError
from vlrl.experiments.ablation.ablation_load import load_ablation

BASE = {"name": "base", "data": "recipe.yaml", "model": {"build": "tiny-qwen3-vl"}, "sft": {"steps": 2}}


@pytest.fixture
def base(tmp_path) -> Path:
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(BASE))
    return tmp_path / "base.yaml"


def test_a_runs_config_with_vary_is_an_ablation_with_three_rates(base):
    plan = load_ablation(base, ["rl.steps=1"], vary="loss=kimi,grpo", seeds=2)
    assert plan.arms == {"kimi": {"rl.loss": "kimi"}, "grpo": {"rl.loss": "grpo"}}
    assert plan.seeds == (1, 2)
    assert len(plan.sweep.values) == 3
    assert plan.overrides == {"rl.steps": 1}
    assert plan.share == "sft"
    with pytest.raises(ConfigError, match="--vary"):
        load_ablation(base, [])


def test_where_the_warm_up_varies_every_arm_is_a_whole_run(base):
    assert load_ablation(base, [], vary="sft.steps=100,400").share == "nothing"
    assert load_ablation(base, [], vary="model.build=tiny-qwen3-vl,tiny-qwen2.5-vl").share == "nothing"


@pytest.mark.parametrize("given", [{"vary": "loss=kimi,grpo"}, {"leave_one_out": True}])
@pytest.mark.parametrize("stages", [["rl", "eval"], ["rl"]])
def test_a_run_without_a_warm_up_needs_none_to_be_varied(base, given, stages):
    base.write_text(yaml.safe_dump({**BASE, "stages": stages, "rl": RECIPE}))
    plan = load_ablation(base, [], **given)
    assert plan.share == "nothing"
    for arm in plan.arms:
        assert plan.of_run(arm, None, 1).get("model.path") is None
        assert plan.run_of(arm).stages == ("rl", "eval")


def test_a_run_without_rl_is_refused_before_anything_runs(base):
    base.write_text(yaml.safe_dump({**BASE, "stages": ["sft", "eval"]}))
    with pytest.raises(ConfigError, match=r"stages: are \[sft, eval\], without rl"):
        load_ablation(base, [], vary="sft.steps=100,400")


def test_presets_vary_what_the_config_fixes_itself(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[3])
    plan = load_ablation(Path("configs/rl/k1_5.yaml"), [], vary="preset=kimi,grpo")
    assert plan.of_arm("grpo", None)["rl.loss"]["name"] == "grpo"


def test_values_that_come_to_the_same_are_refused(base):
    with pytest.raises(ConfigError, match=r"arms '2' and '2\.0': are the same run: rl\.loss\.tau"):
        load_ablation(base, [], vary="loss.tau=2,2.0")


RECIPE = {
    "credit": {
        "shape": [{"name": "contrast", "weight": 0.3}, {"name": "length", "weight": 0.2}],
        "weigh": [{"name": "segments", "keep": "current_only"}],
    },
    "contrast": {"perturbation": "blank"},
    "problem_sampler": {"weights": ["prioritised"]},
    "partial": {"budget": 8},
}


def test_leave_one_out_is_the_recipe_and_the_recipe_without_each_part(base):
    base.write_text(yaml.safe_dump({**BASE, "rl": RECIPE}))
    plan = load_ablation(base, [], leave_one_out=True)
    assert plan.name == "base_leave_one_out"
    assert plan.compared_with == "whole"
    assert set(plan.arms) == {
        "whole", *(f"without_{part}" for part in ("contrast", "length", "segments", "prioritised", "partial"))
    }  # fmt: skip
    assert [len(plan.run_of(arm).rl.credit.shape) for arm in ("whole", "without_contrast", "without_length")] == [
        2,
        1,
        1,
    ]
    assert plan.run_of("without_contrast").rl.contrast is None  # which nothing reads any more
    assert plan.run_of("without_length").rl.contrast is not None
    assert plan.run_of("without_prioritised").rl.problem_sampler.weights == ()
    assert plan.run_of("without_partial").rl.partial is None


def test_leave_one_out_without_parts_or_beside_vary_is_refused(base):
    with pytest.raises(ConfigError, match="names no part"):
        load_ablation(base, [], leave_one_out=True)
    with pytest.raises(ConfigError, match="say --leave-one-out alone"):
        load_ablation(base, [], vary="loss=kimi,grpo", leave_one_out=True)
    arms = {"name": "x", "base": str(base), "seeds": [1], "arms": {"a": {}, "b": {"rl.steps": 2}}}
    base.with_name("arms.yaml").write_text(yaml.safe_dump(arms))
    with pytest.raises(ConfigError, match=r"--leave-one-out.*names its arms itself"):
        load_ablation(base.with_name("arms.yaml"), [], leave_one_out=True)
