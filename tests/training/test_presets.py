"""Presets stand for plain settings, give way to what a config says, and are written out in the run's settings."""

from __future__ import annotations

import pytest

from vlrl.config import apply_overrides, as_arguments, build_settings, load_settings
from vlrl.credit.advantage.advantages import GroupNormalised
from vlrl.errors import ConfigError
from vlrl.experiments.ablation.ablation_load import load_ablation
from vlrl.losses.kimi import KimiLoss
from vlrl.losses.policy_gradient.grpo import GrpoLoss
from vlrl.training.presets import PRESETS
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.training.run_settings import RunSettings


def rl(**given) -> RlSettings:
    return build_settings(RlSettings, given, "rl")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_loads_and_written_out_it_loads_as_the_same(name):
    settings = rl(preset=name)
    written = settings.model_dump(mode="json")
    assert build_settings(RlSettings, written, "rl") == settings
    assert build_settings(RlSettings, written | {"preset": None}, "rl").loss == settings.loss


def test_the_presets_say_the_same_as_the_shipped_configs():
    for name, config in (("kimi", "configs/quickstart.yaml"), ("grpo", "configs/rl/grpo.yaml")):
        shipped, preset = load_settings(RunSettings, config).rl, rl(preset=name)
        assert (preset.loss, preset.credit) == (shipped.loss, shipped.credit)
    assert rl(preset="kimi").policy.reset_optimizer == "each_iteration"


def test_what_a_config_says_goes_over_the_preset():
    shorter = {"advantage": {"epsilon": 0.5}}
    settings = rl(preset="dapo", loss={"clip_high": 0.5}, credit=shorter, steps=7)
    assert settings.loss == GrpoLoss(clip_low=0.2, clip_high=0.5, aggregate="token")
    assert settings.credit.advantage == GroupNormalised(epsilon=0.5)
    assert [type(part).__name__ for part in settings.credit.shape] == ["Overlong"]
    assert settings.steps == 7
    assert rl(preset="dapo", loss=None, credit=None).loss == GrpoLoss(clip_low=0.2, clip_high=0.28, aggregate="token")


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"loss": {"name": "kimi", "tau": 0.3}}, "rl.loss"),
        ({"loss": "kimi"}, "rl.loss"),
        ({"credit": {"advantage": "mean"}}, "rl.credit.advantage"),
    ],
)
def test_a_config_and_a_preset_that_name_two_components_for_one_are_refused(given, place):
    with pytest.raises(ConfigError, match=f"{place}: is .* and rl.preset 'dapo' means 'grpo'"):
        rl(preset="dapo", **given)


def test_overrides_on_the_command_line_name_a_preset_and_change_it():
    values = apply_overrides({"loss": {"tau": 0.2}}, ["preset=kimi", "loss.tau=0.4"])
    assert rl(**values).loss == KimiLoss(tau=0.4)


@pytest.mark.parametrize(
    ("given", "reset"),
    [
        ({}, "each_iteration"),  # the loss is kimi
        ({"loss": "kimi"}, "each_iteration"),
        ({"loss": {"tau": 0.3}, "policy": {"freeze": ["vision"]}}, "each_iteration"),
        ({"loss": KimiLoss()}, "each_iteration"),
        ({"loss": "grpo"}, "never"),
        ({"loss": {"name": "gspo"}, "policy": {"freeze": ["vision"]}}, "never"),
        ({"preset": "positive_only"}, "each_iteration"),
        ({"preset": "rest"}, "never"),
        ({"loss": "kimi", "policy": {"reset_optimizer": "never"}}, "never"),
        ({"loss": "grpo", "policy": {"reset_optimizer": "each_iteration"}}, "each_iteration"),
    ],
    ids=str,
)
def test_the_optimizer_is_reset_where_the_losss_paper_does_it_unless_a_config_says_otherwise(given, reset):
    assert rl(**given).policy.reset_optimizer == reset


def test_arms_that_vary_the_loss_reset_the_optimizer_each_as_its_loss_does(tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text("name: x\ndata: data_recipes/quickstart.yaml\nmodel: {build: tiny-qwen3-vl}\n")
    plan = load_ablation(config, [], vary="loss=kimi,grpo", seeds=1)
    arms = {arm: load_settings(RunSettings, config, as_arguments(plan.of_arm(arm, None))).rl for arm in plan.arms}
    assert {arm: one.policy.reset_optimizer for arm, one in arms.items()} == {
        "kimi": "each_iteration",
        "grpo": "never",
    }


def test_dr_grpo_divides_by_the_response_budget():
    assert rl(preset="dr_grpo").loss == GrpoLoss(aggregate="sum", length=64)
    assert rl(preset="dr_grpo", sampling={"max_tokens": 40}).loss.length == 40
    assert rl(preset="dr_grpo", sampling={"max_tokens": 40}, loss={"length": 7, "clip_high": 0.3}).loss.length == 7
    assert rl(preset="dr_grpo", loss={"aggregate": "token"}).loss == GrpoLoss(aggregate="token")


def test_an_unknown_preset_is_refused_with_a_suggestion():
    with pytest.raises(ConfigError, match="did you mean 'dapo'"):
        rl(preset="dappo")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"loss": "sft"}, "SftLoss needs .'demonstrations'."),
        ({"loss": "dpo"}, "DpoLoss needs .'pairs'."),
        ({"preset": "kimi_log_partition", "loss": {"tau": 0.3}}, "the τ of one objective"),
        ({"preset": "rloo", "rollouts_per_problem": 1}, "at least 2"),
    ],
)
def test_settings_that_can_not_work_are_refused_before_anything_is_loaded(given, said):
    with pytest.raises(ConfigError, match=said):
        rl(**given)


def test_one_rollout_a_problem_is_enough_for_reinforce_plus_plus():
    assert rl(preset="reinforce_plus_plus", rollouts_per_problem=1).rollouts_per_problem == 1
