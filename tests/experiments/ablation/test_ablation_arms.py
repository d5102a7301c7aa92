"""Arms become valid runs that differ: what has no effect is refused by its name before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vlrl.config import as_arguments, load_settings
from vlrl.errors import ConfigError
from vlrl.experiments.ablation.ablation_arms import check_arms
from vlrl.experiments.ablation.ablation_settings import AblationSettings
from vlrl.training.run_settings import RunSettings

BASE = {
    "name": "base",
    "data": "recipe.yaml",
    "model": {"build": "tiny-qwen3-vl"},
    "rl": {
        "credit": {"advantage": "mean", "shape": [{"name": "length", "weight": 0.2}]},
        "loss": {"name": "kimi", "tau": 0.1},
    },
}


@pytest.fixture
def base(tmp_path) -> Path:
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(BASE))
    return tmp_path / "base.yaml"


def plan(base, arms, **more) -> AblationSettings:
    return AblationSettings.model_validate({"name": "x", "base": str(base), "arms": arms, "seeds": [1], **more})


def resolved(settings, arm) -> RunSettings:
    return load_settings(RunSettings, settings.base, as_arguments(settings.of_run(arm, None, 1)))


def test_a_wrong_arm_is_named_before_anything_runs(base):
    with pytest.raises(ConfigError, match=r"arm 'pulled'.*taau"):
        check_arms(plan(base, {"plain": {}, "pulled": {"rl.loss.taau": 1}}))


@pytest.mark.parametrize(
    ("arms", "key"),
    [
        ({"plain": {}, "same": {"rl.loss.tau": 0.1}}, "rl.loss.tau"),  # as the base says
        ({"one": {"dpo.steps": 3}, "two": {"dpo.steps": 4}}, "dpo.steps"),  # no stage reads it
        ({"one": {"name": "one"}, "two": {"name": "two"}}, "name"),
        ({"named": {"rl.preset": "kimi"}, "written": {"rl.credit": {"advantage": "mean"}}}, "rl.credit, rl.preset"),
        ({"one": {"seed": 3}, "two": {"seed": 4}}, "seed"),  # every seed is a run of each arm
    ],
)
def test_two_arms_that_come_to_the_same_run_are_refused_with_the_key_that_has_no_effect(base, arms, key):
    first, second = arms
    with pytest.raises(ConfigError, match=f"arms '{first}' and '{second}': are the same run: {key} has no effect"):
        check_arms(plan(base, arms))


@pytest.mark.parametrize("key", ["sft.steps", "model.shape.mlp_width"])
def test_an_arm_that_changes_the_warm_up_which_all_share_is_refused(base, key):
    arms = {"plain": {}, "other": {key: 64}}
    with pytest.raises(ConfigError, match=rf"arm 'other': {key}: has no effect.*\n.*share: nothing"):
        check_arms(plan(base, arms))
    check_arms(plan(base, arms, share="nothing"))


def test_an_arms_preset_is_the_whole_of_its_loss_and_credit_whatever_the_base_says(base):
    arms = {"plain": {}, "grpo": {"rl.preset": "grpo"}, "dapo": {"rl.preset": "dapo", "rl.loss.clip_high": 0.3}}
    settings = plan(base, arms)
    check_arms(settings)
    plain, grpo, dapo = (resolved(settings, arm).rl for arm in arms)
    assert [type(part).__name__ for part in plain.credit.parts] == ["LengthReward", "MeanBaseline"]
    assert type(grpo.loss).__name__ == "GrpoLoss"
    assert grpo.credit.shape == ()
    assert [type(part).__name__ for part in dapo.credit.shape] == ["Overlong"]
    assert (dapo.loss.clip_low, dapo.loss.clip_high) == (0.2, 0.3)  # its own word goes over the preset


def test_what_is_said_for_all_arms_goes_over_a_preset(base):
    shape = [{"name": "length", "weight": 0.5}]
    settings = plan(
        base, {"kimi": {"rl.preset": "kimi"}, "grpo": {"rl.preset": "grpo"}}, overrides={"rl.credit.shape": shape}
    )
    assert [resolved(settings, arm).rl.credit.shape[0].weight for arm in ("kimi", "grpo")] == [0.5, 0.5]
