"""An environment of a plugin plays the problems of RL, of validation and of the held-out test."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar

import pytest
from untrained_world import SHAPE

from vlrl.config import load_settings
from vlrl.errors import ConfigError
from vlrl.registry import load_plugin
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.single_turn import SingleTurn
from vlrl.runlog.run_folder import read_jsonl
from vlrl.training.run import start_run
from vlrl.training.run_settings import RunSettings

PLUGIN = """
from dataclasses import replace
from vlrl.rollout.collector import collect
from vlrl.rollout.environments.environment import Environment, environments
from vlrl.types import Text, Verdict

@environments.register("hinted")
class Hinted(Environment):
    hint: str

    def roll_out(self, encode, engine, problems, sampling, k, seed):
        asked = [replace(p, prompt=(*p.prompt, Text(self.hint))) for p in problems]
        answered = collect(encode, engine, asked, sampling, k, seed)
        return [replace(group, problem=problem) for group, problem in zip(answered, problems, strict=True)]

    def verdicts(self, groups):
        return [
            tuple(Verdict(j / max(1, len(g.rollouts) - 1), False, note="by its place") for j in range(len(g.rollouts)))
            for g in groups
        ]
"""


@pytest.fixture
def config(tmp_path, temporarily):
    temporarily(environments)
    (tmp_path / "hinted.py").write_text(PLUGIN)
    (tmp_path / "recipe.yaml").write_text("sources:\n- {name: sums, kind: domain, domain: arithmetic}\n")
    (tmp_path / "run.yaml").write_text(
        f"name: hinted\nplugins: [{tmp_path / 'hinted.py'}]\ndata: {tmp_path / 'recipe.yaml'}\n"
        f"run_folder: {tmp_path / 'run'}\nstages: [rl, eval]\nthreads: 1\n"
        f"model: {{build: tiny-qwen3-vl, shape: {json.dumps(SHAPE)}}}\n"
        "environment: {name: hinted, hint: Count twice.}\n"
        "rl: {steps: 1, problems_per_step: 2, rollouts_per_problem: 3, sampling: {max_tokens: 4}}\n"
        "eval: {problems: 2, curve_problems: 2, sampling: {max_tokens: 4}}\n"
    )
    return tmp_path / "run.yaml"


def test_its_verdicts_are_the_scores_of_training_and_of_the_evaluation(config):
    folder = start_run(config, [])
    groups = [row for row in read_jsonl(folder / "rollouts.jsonl") if row["phase"] == "rl"]
    assert groups
    for group in groups:
        assert [one["score"] for one in group["rollouts"]] == [0.0, 0.5, 1.0]
        assert {one["note"] for one in group["rollouts"]} == {"by its place"}
        assert "Count twice." not in json.dumps(group["problem"])
    results = json.loads((folder / "results.json").read_text())
    assert results["rl"]["average"]["sampled"] == 0.0, "its verdicts say that nothing is correct"


def test_it_is_refused_with_partial_rollouts_that_it_does_not_write(config):
    with pytest.raises(ConfigError, match=r"rl\.partial[\s\S]*Hinted writes its responses in one iteration"):
        load_settings(RunSettings, config, ["rl.partial.budget=8"])


@pytest.fixture
def hinted_page(temporarily) -> type[SingleTurn]:
    """The class of CONTRIBUTING.md."""
    temporarily(environments)
    page = (Path(__file__).parents[3] / "CONTRIBUTING.md").read_text()
    (block,) = [one for one in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "environments.register" in one]
    names: dict[str, Any] = {}
    exec(block, names)
    return names["Hinted"]


def test_the_documented_one_is_refused_with_partial_rollouts_which_would_leave_its_hint_out(hinted_page, config):
    assert SingleTurn.partial_rollouts
    assert not hinted_page.partial_rollouts
    text = config.read_text()
    config.write_text("\n".join(line for line in text.splitlines() if not line.startswith("plugins")) + "\n")
    with pytest.raises(ConfigError, match=r"rl\.partial[\s\S]*Hinted writes its responses in one iteration"):
        load_settings(RunSettings, config, ["rl.partial.budget=8"])


def test_partial_rollouts_are_taken_over_only_with_the_roll_out_that_they_were_declared_for():
    class Writes:
        def roll_out(self, *_):
            return []

    class Judges(SingleTurn):
        def verdicts(self, groups):
            return []

    class Mixed(Writes, SingleTurn):
        pass

    class Further(Mixed):
        pass

    class Declared(SingleTurn):
        partial_rollouts: ClassVar[bool] = True

        def roll_out(self, *_):
            return []

    class Bare(SingleTurn):
        partial_rollouts = True  # without its annotation

        def roll_out(self, *_):
            return []

    taken = [one.partial_rollouts for one in (Judges, Mixed, Further, Declared, Bare)]
    assert taken == [True, False, False, True, True]


def test_one_that_lacks_a_part_is_refused_when_it_is_filed(tmp_path, temporarily):
    temporarily(environments)
    (tmp_path / "stranger.py").write_text(
        "from vlrl.rollout.environments.environment import environments\n"
        "@environments.register('stranger')\nclass Stranger: pass\n"
    )
    with pytest.raises(ConfigError, match=r"'stranger': is no subclass of .*environment\.Environment"):
        load_plugin(tmp_path / "stranger.py")
