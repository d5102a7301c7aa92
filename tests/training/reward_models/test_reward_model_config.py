"""Every shipped config of reward models holds, and so do the runs that it leads to; a contradiction is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlrl.config import load_settings
from vlrl.errors import ConfigError
from vlrl.training.reward_models.reward_model_config import RewardModelConfig

ROOT = Path(__file__).parents[3]
CONFIGS = sorted((ROOT / "configs/reward_models").glob("*.yaml"))


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_a_shipped_config_holds_and_so_do_its_runs(file: Path):
    config = load_settings(RewardModelConfig, file)
    stages = ("sft", "rl") if config.chain_of_thought.rl is not None else ("sft",)
    run = config.run_settings("chain_of_thought", stages)
    assert run.eval.sampling.max_tokens == config.chain_of_thought.max_tokens
    assert run.eval.sampling.temperature == 0
    assert run.data == str(config.rows_folder / "recipe.yaml")
    assert config.judge_settings("classic").path == str(config.folder / "classic")
    assert config.run_settings("classic").stages == ("sft",)


def test_there_are_shipped_configs():
    assert {"quickstart", "from_rollouts"} <= {file.stem for file in CONFIGS}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("kinds=[]", "name classic, chain_of_thought, or both"),
        ("kinds=[classic, classic]", "name classic, chain_of_thought, or both"),
        ("chain_of_thought.sft=null", "neither sft nor rl"),
        ("make.rewriting=null", "names no rows"),
        ("make.rewriting.families=[number]", "unknown family"),
        ("judging.threshold=1.0", "threshold"),
        ("make.held_out=0", "held_out"),
    ],
)
def test_a_setting_that_can_not_be_meant_is_refused(override: str, said: str):
    with pytest.raises(ConfigError, match=said):
        load_settings(RewardModelConfig, ROOT / "configs/reward_models/quickstart.yaml", [override])
