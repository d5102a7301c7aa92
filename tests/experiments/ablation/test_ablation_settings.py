"""What an ablation's file may say, and the rates that its sweep gives an arm."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vlrl.errors import ConfigError
from vlrl.experiments.ablation.ablation_arms import check_arms
from vlrl.experiments.ablation.ablation_settings import AblationSettings

OPTIMIZER = {"name": "muon", "lr": 1.0e-3, "adamw_lr": 4.0e-3, "lr_by_part": {"vision": 5.0e-4}}


@pytest.fixture
def base(tmp_path) -> Path:
    return write(tmp_path, OPTIMIZER)


def write(place, optimizer) -> Path:
    run = {"name": "base", "data": "recipe.yaml", "model": {"build": "tiny-qwen3-vl"}}
    (place / "base.yaml").write_text(yaml.safe_dump({**run, "rl": {"policy": {"optimizer": optimizer}}}))
    return place / "base.yaml"


def plan(base, arms=None, **more) -> AblationSettings:
    arms = arms or {"plain": {}, "pulled": {"rl.loss.tau": 2.0}}
    sweep = {"values": [2.0e-3, 1.0e-2]}
    return AblationSettings.model_validate(
        {"name": "x", "base": str(base), "arms": arms, "seeds": [1], "sweep": sweep, **more}
    )


def rates(settings, arm, rate) -> dict:
    prefix = "rl.policy.optimizer."
    given = settings.of_arm(arm, rate)
    return {key.removeprefix(prefix): value for key, value in given.items() if key.startswith(prefix)}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"reference": "plian"}, "did you mean 'plain'"),
        ({"select": "acuracy"}, "did you mean 'accuracy'"),
        ({"seeds": [1, 2], "sweep": {"values": [0.1], "seeds": [2]}}, "not reported"),
        ({"sweep": {"values": [0.1], "values_by_arm": {"oter": [0.2]}}}, r"values_by_arm: no arm 'oter'"),
        ({"seeds": [1, 1]}, "holds one twice"),
        ({"against": ["tokens", "accuracy"]}, "no outcome 'tokens'"),
        ({"against": ["accuracy", "accuracy"]}, "is of correct"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(base, more, said):
    with pytest.raises(ConfigError, match=said):
        plan(base, **more)


def test_a_sweep_keeps_the_ratios_of_the_rates_that_a_run_has(base):
    assert rates(plan(base), "plain", 2.0e-3) == {
        "lr": 2.0e-3,
        "adamw_lr": pytest.approx(8.0e-3),
        "lr_by_part": {"vision": pytest.approx(1.0e-3)},
    }
    own = plan(base, {"plain": {}, "other": {"rl.policy.optimizer.adamw_lr": 5.0e-4}})
    assert rates(own, "other", 1.0e-2)["adamw_lr"] == pytest.approx(5.0e-3)


def test_rates_that_are_equal_or_left_out_stay_so(tmp_path):
    assert rates(plan(write(tmp_path, {"lr": 1e-3, "adamw_lr": 1e-3})), "plain", 3e-4) == {"lr": 3e-4, "adamw_lr": 3e-4}
    assert rates(plan(write(tmp_path, {"lr": 1e-3})), "plain", 3e-4) == {"lr": 3e-4}


def test_an_arm_that_sets_what_is_swept_is_refused(base):
    with pytest.raises(ConfigError, match=r"arm 'other': rl\.policy\.optimizer\.lr: has no effect: `sweep`"):
        check_arms(plan(base, {"plain": {}, "other": {"rl.policy.optimizer.lr": 1e-4}}))


@pytest.mark.parametrize("key", ["rl.policy.optimiser.lr", "rl.policy.optimizer.name"])
def test_a_sweep_of_what_is_no_number_is_refused(base, key):
    with pytest.raises(ConfigError, match=r"sweep\.keys"):
        check_arms(plan(base, sweep={"values": [1.0], "keys": [key]}))
