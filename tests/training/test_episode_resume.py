"""A killed run of episodes, cut over iterations, writes in the end, bit for bit, what an uninterrupted one writes."""

from __future__ import annotations

import json

import pytest
import torch
from resumed_runs import Killed, lines
from safetensors.torch import load_file
from untrained_world import SHAPE

from vlrl.runlog.run_folder import RunFolder
from vlrl.training.run import start_run

PLUGIN = '''
from PIL import Image
from vlrl.rollout.environments.calls.call_formats import WrittenCall, call_formats

@call_formats.register("by_length")
def by_length(text):
    """What an untrained model writes: a turn of an even number of characters is a call."""
    return [WrittenCall("look", {"at": len(text)})] if len(text) % 2 == 0 else []

class Dim:
    def reset(self, answer):
        self.seen = 0

    def look(self, at: int) -> list:
        """Look.

        Args:
            at: Where.
        """
        self.seen += at
        return [{"type": "image", "image": Image.new("RGB", (32, 32), (at % 256, 9 * at % 256, 0))}]

    def get_reward(self) -> float:
        return self.seen % 5 / 4
'''


@pytest.fixture
def config(tmp_path):
    (tmp_path / "looking.py").write_text(PLUGIN)
    (tmp_path / "recipe.yaml").write_text(
        "image: {min_pixels: 1024, max_pixels: 1024}\nsources:\n- {name: glyphs, kind: domain, domain: small_glyph}\n"
    )
    (tmp_path / "run.yaml").write_text(
        f"name: episodes\ndata: {tmp_path / 'recipe.yaml'}\nthreads: 1\nstages: [rl, eval]\n"
        f"model: {{build: tiny-qwen3-vl, shape: {json.dumps(SHAPE)}}}\nplugins: ['{tmp_path / 'looking.py'}']\n"
        f"environment: {{name: class, path: '{tmp_path / 'looking.py'}:Dim', call_format: by_length, turns: 4,\n"
        "  tokens_per_turn: 9, describe_tools: false, over_limit: zero,\n"
        "  on_boundary: [{name: resample_turns, threshold: 0.5, tries: 1},\n"
        "    {name: end_thinking, every: 3, threshold: 9, text: x}]}\n"
        "rl: {steps: 5, problems_per_step: 2, rollouts_per_problem: 4, validate_every: 5,\n"
        "  sampling: {max_tokens: 150, stop: [e, o, '1']}, skip_uninformative: false, over_sampling: null,\n"
        "  checkpoint_every: 1, log_every: 1, partial: {budget: 8, early_exit_below: 0.0}, loss: {name: grpo},\n"
        "  problem_sampler: {weights: [{name: prioritised}]},\n"
        "  credit: {shape: [{name: calls, bonus: 0.5, duplicate: 0.2}], token_credit: [gigpo]}}\n"
        "eval: {problems: 2, curve_problems: 2, sampling: {max_tokens: 150}}\n"
    )
    return tmp_path / "run.yaml"


def test_a_killed_run_of_episodes_goes_on_as_if_nothing_had_been(config, tmp_path, monkeypatch):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    start_run(config, [f"run_folder={whole}"])
    metrics = RunFolder.metrics

    def until(self, of, number, values):
        record = metrics(self, of, number, values)
        if (of, number) == ("rl", 3):
            raise Killed
        return record

    monkeypatch.setattr(RunFolder, "metrics", until)
    with pytest.raises(Killed):
        start_run(config, [f"run_folder={killed}"])
    monkeypatch.undo()
    start_run(config, [f"run_folder={killed}"])
    assert lines(killed) == lines(whole)
    assert lines(killed, "rollouts.jsonl") == lines(whole, "rollouts.jsonl")
    steps = [line for line in lines(whole) if line["phase"] == "rl"]
    assert any(line.get("episodes/images", 0) > 0 for line in steps)
    assert steps[2]["rollout/unfinished"] > 0, "the checkpoint held episodes"
    assert steps[3]["rollout/tokens_continued"] > 0
    assert sum(line.get("gradient/norm", 0) > 0 for line in steps) >= 2
    assert any(line.get("episodes/rewrites", 0) > 0 and line.get("episodes/discarded_tokens", 0) > 0 for line in steps)
    weights = [load_file(folder / "model/model.safetensors") for folder in (whole, killed)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
