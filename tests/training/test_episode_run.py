"""A run whose responses have several turns: cold start, RL, evaluation, and what stays of it on disk."""

from __future__ import annotations

import json

import pytest
from untrained_world import SHAPE

from vlrl.config import load_settings
from vlrl.errors import ConfigError
from vlrl.report.viewer import viewer_payload
from vlrl.runlog.run_folder import read_jsonl
from vlrl.training.run import start_run
from vlrl.training.run_settings import RunSettings


@pytest.fixture
def config(tmp_path):
    (tmp_path / "recipe.yaml").write_text(
        "image: {min_pixels: 4096, max_pixels: 4096}\nsources:\n- {name: glyphs, kind: domain, domain: small_glyph}\n"
    )
    (tmp_path / "run.yaml").write_text(
        f"name: episodes\ndata: {tmp_path / 'recipe.yaml'}\nrun_folder: {tmp_path / 'run'}\nthreads: 1\n"
        f"model: {{build: tiny-qwen3-vl, shape: {json.dumps(SHAPE)}}}\n"
        "environment: {name: tools, tools: [zoom], turns: 2, tokens_per_turn: 90, describe_tools: false}\n"
        "sft: {demonstrations: 8, steps: 10, batch: 4, validate_every: 10}\n"
        "rl: {steps: 1, problems_per_step: 2, rollouts_per_problem: 3, sampling: {max_tokens: 240}}\n"
        "eval: {problems: 2, curve_problems: 2, sampling: {max_tokens: 240}}\n"
    )
    return tmp_path / "run.yaml"


@pytest.mark.parametrize("next_turn", ["together", "as_answered"])
def test_a_run_of_episodes_leaves_its_conversations_and_figures(config, next_turn):
    folder = start_run(config, [f"environment.next_turn={next_turn}"])
    lines = list(read_jsonl(folder / "metrics.jsonl"))
    (step,) = [line for line in lines if line["phase"] == "rl"]
    assert {"episodes/call_rate", "episodes/turns", "episodes/images", "episodes/over_limit_rate"} <= step.keys()
    assert any("episodes/call_rate" in line for line in lines if line["phase"] == "sft")
    assert "episodes" in json.loads((folder / "results.json").read_text())["rl"]
    groups = [row for row in read_jsonl(folder / "rollouts.jsonl") if row["phase"] == "rl"]
    for rollout in (one for group in groups for one in group["rollouts"]):
        parts = rollout["episode"]["parts"]
        assert parts[0]["author"] == "policy"
        assert rollout["tokens"] == sum(part["tokens"] for part in parts if part["author"] == "policy")
        for digest in (d for part in parts for d in part.get("images", ())):
            assert list((folder / "images").glob(f"{digest}.*"))
    payload = viewer_payload(folder)
    assert all("episode" in r for entry in payload["entries"] for g in entry["groups"] for r in g["responses"])


def test_demonstrations_that_call_tools_want_an_environment_that_has_them(config):
    with pytest.raises(
        ConfigError, match=r"sft\.demonstrations[\s\S]*call tools, and environment 'single_turn' has none"
    ):
        start_run(config, ["environment=single_turn"])


def test_an_engine_that_does_not_go_on_behind_tools_is_refused(config, temporarily):
    from vlrl.rollout.engine_registry import EngineCapabilities, engines
    from vlrl.rollout.transformers.transformers_settings import TransformersEngineSettings

    class Blind(TransformersEngineSettings):
        @property
        def capabilities(self) -> EngineCapabilities:
            return EngineCapabilities()

    temporarily(engines, blind=Blind)
    with pytest.raises(ConfigError, match="tools has several turns, and engine 'blind'"):
        load_settings(RunSettings, config, ["engine=blind"])
