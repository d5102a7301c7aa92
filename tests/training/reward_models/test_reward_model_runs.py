"""From rows to rewards: make, train and eval by the command, then a run whose verifier is the model; and a planted one
that leaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from vlrl.cli import app
from vlrl.errors import ConfigError, RunError
from vlrl.reward_models.reward_model_card import RewardModelCard
from vlrl.runlog.run_folder import read_jsonl
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.training.run import start_run
from vlrl.verify.learned.reward_model import Judgement, use_reward_model

SHAPE = {"text_width": 32, "text_layers": 2, "vision_width": 32, "head_size": 16, "key_value_heads": 1, "mlp_width": 48}
ADAM = {"optimizer": {"name": "adamw", "lr": 3.0e-3}}
STAGE = {"steps": 2, "batch": 4, "validate_every": 2, "policy": ADAM}


def write(file: Path, values: object) -> str:
    file.write_text(yaml.safe_dump(values, sort_keys=False))
    return str(file)


@pytest.fixture
def config(tmp_path: Path) -> str:
    return write(
        tmp_path / "judges.yaml",
        {
            "name": "judges",
            "run_folder": str(tmp_path / "judges"),
            "make": {"rewriting": {"families": ["relations", "units"], "problems": 60}, "held_out": 0.2},
            "instruction": "",
            "model": {"build": "tiny-qwen3-vl", "shape": SHAPE, "device": "cpu"},
            "classic": STAGE,
            "chain_of_thought": {
                "max_tokens": 8,
                "sft": {**STAGE, "demonstrations": "all"},
                "eval": {"problems": 4, "curve_problems": 4},
            },
            "threads": 1,
        },
    )


@pytest.fixture
def rl_config(tmp_path: Path) -> str:
    sources = [{"name": "sums", "kind": "domain", "domain": "judged_sums"}]
    (tmp_path / "judged_sums.py").write_text(
        "from dataclasses import dataclass\n"
        "from vlrl.scenes.arithmetic import Arithmetic\n"
        "from vlrl.scenes.domain import domain\n\n\n"
        "@domain('judged_sums', family='arithmetic', modality='text')\n"
        "@dataclass(frozen=True)\n"
        "class JudgedSums(Arithmetic):\n"
        "    '''Sums whose answers the reward model judges.'''\n\n"
        "    verifier = 'reward_model'\n"
    )
    recipe = write(tmp_path / "recipe.yaml", {"plugins": ["judged_sums.py"], "sources": sources})
    return write(
        tmp_path / "run.yaml",
        {
            "name": "judged",
            "run_folder": str(tmp_path / "judged"),
            "data": recipe,
            "stages": ["sft", "rl"],
            "model": {"build": "tiny-qwen3-vl", "shape": SHAPE, "device": "cpu"},
            "sft": {**STAGE, "demonstrations": 8},
            "rl": {
                "steps": 2,
                "problems_per_step": 2,
                "rollouts_per_problem": 2,
                "sampling": {"max_tokens": 12},
                "policy": ADAM,
                "max_fault_rate": 1.0,
            },
            "eval": {"problems": 2, "curve_problems": 2, "sampling": {"max_tokens": 12}},
            "threads": 1,
        },
    )


@pytest.fixture(autouse=True)
def no_model_stays() -> Iterator[None]:
    yield
    use_reward_model(None)


def command(*words: str) -> str:
    result = CliRunner().invoke(app, ["reward-model", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_recipe_that_wants_a_reward_model_says_so_before_a_model_is_loaded(rl_config: str, temporarily):
    from vlrl.scenes.domain import domains

    temporarily(domains)
    with pytest.raises(ConfigError, match=r"reward_model: is missing, and a source names the verifier"):
        start_run(Path(rl_config), [])
    with pytest.raises(ConfigError, match="no such folder: nowhere"):
        start_run(Path(rl_config), ["reward_model.path=nowhere"])
    folder = Path(rl_config).parent / "judge"
    folder.mkdir()
    RewardModelCard("classic", ".", "Is it right?", "").write(folder)
    for name in ("config.json", "value_head.safetensors"):
        (folder / name).write_text("{}")
    process = "rl.audit={verifier: number, process: reward_model}"
    with pytest.raises(ConfigError, match="a classic one reads no reasoning"):
        start_run(Path(rl_config), [f"reward_model.path={folder}", process])


def test_rows_of_other_settings_are_refused_and_those_of_the_same_are_left(config: str):
    from vlrl.commands.reward_models.reward_model_commands import rows_of
    from vlrl.config import load_settings
    from vlrl.training.reward_models.reward_model_config import RewardModelConfig

    def settings(*more: str) -> RewardModelConfig:
        return load_settings(RewardModelConfig, config, more)

    rows = rows_of(settings(), False)
    before = (rows.path / "train.jsonl").stat().st_mtime_ns
    assert (rows_of(settings(), False).path / "train.jsonl").stat().st_mtime_ns == before
    with pytest.raises(RunError, match=r"other settings: seed, salt[\s\S]*--fresh"):
        rows_of(settings("seed=5"), False)
    assert rows_of(settings("seed=5"), True).digests != rows.digests


@pytest.mark.slow
def test_both_kinds_are_trained_compared_on_the_same_rows_and_reward_a_run(
    config: str, rl_config: str, tmp_path: Path, temporarily
):
    from vlrl.scenes.domain import domains

    temporarily(domains)
    folder = tmp_path / "judges"
    assert "relations/turned round" in command("make", config)
    command("train", config)
    said = command("eval", config)
    assert "classic" in said
    assert "chain_of_thought" in said
    held = json.loads((folder / "evaluation.json").read_text())
    counted = {
        name: one["by_origin"]["all"]["n"] + one["by_origin"]["all"]["unparsed"] for name, one in held["judges"].items()
    }
    assert len(set(counted.values())) == 1  # all on the same rows
    assert counted["rule"] == held["rows"]["test"]
    assert held["judges"]["rule"]["by_origin"]["units"]["accuracy"] == 1.0
    for judge in held["judges"].values():
        assert "relations/turned round" in judge["by_rewriting"]
        assert sum(one["n"] for one in judge["by_rewriting"].values()) == judge["by_origin"]["all"]["n"]
    assert held["judges"]["chain_of_thought"]["unparsed"] > 0  # two steps of training teach no JSON
    assert held["judges"]["classic"]["calibration"]["bins"]

    run = start_run(Path(rl_config), [f"reward_model.path={folder / 'classic'}"])
    judged = [one for record in read_jsonl(run / "rollouts.jsonl") for one in record["rollouts"]]
    assert judged
    assert all(one["fault"] is None for one in judged)
    card = json.loads((run / "run_card.json").read_text())
    assert "value_head.safetensors" in " ".join(card["weights"]["read"]["reward_model"]["files"])
    assert "reward_model: value_head.safetensors" in (run / "inputs.json").read_text()


@pytest.mark.slow
def test_the_audit_finds_a_planted_reward_model_that_accepts_everything(rl_config: str, monkeypatch, temporarily):
    """It leaks: any answer is right. The rule beside it refuses most of what it rewarded."""
    from vlrl.scenes.domain import domains
    from vlrl.training.session import open_session

    temporarily(domains)
    leaks = lambda some: [Judgement(True) for _ in some]  # noqa: E731
    monkeypatch.setattr(open_session, "_open_judge", lambda settings, recipe: use_reward_model(leaks))
    bound = {"rate": 1.0, "verifier": "number", "max_disagreement_rate": 0.02, "on_excess": "stop"}
    with pytest.raises(RunError, match="a second verifier refuses"):
        start_run(
            Path(rl_config),
            [f"rl.audit={json.dumps(bound)}", "sft.steps=60", "sft.demonstrations=40", "rl.problems_per_step=16"],
        )
    assert RlSettings.model_validate({"audit": bound}).audit is not None
