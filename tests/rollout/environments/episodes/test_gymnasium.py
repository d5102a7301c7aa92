"""A Gymnasium environment plays by its id: a step a turn, an image a step, its rewards as the verdict."""

from __future__ import annotations

import json

import pytest
from episode_cases import roomy
from small_models import BUDGET, ask

from vlrl.errors import ConfigError
from vlrl.model.prompts.encode import Encoder
from vlrl.rollout.environments.environment import environments

MAP = {"desc": ["SFF", "FHF", "FFG"], "is_slippery": False}


@pytest.fixture(scope="module")
def frozen_lake(library):
    library("gymnasium")
    library("pygame")
    return environments.build(
        {
            "name": "gymnasium",
            "id": "FrozenLake-v1",
            "arguments": MAP,
            "actions": ["left", "down", "right", "up"],
            "turns": 9,
            "image": {"min_pixels": 1024, "max_pixels": 1024},
        }
    )


def steps(*actions):
    return [f"<tool_call>{json.dumps({'name': 'act', 'arguments': {'action': one}})}</tool_call>" for one in actions]


def test_frozen_lake_is_won_and_lost_and_ends_by_itself(frozen_lake, loaded_models):
    model = roomy(loaded_models["tiny-qwen3-vl"])
    problems = [ask("Reach the goal.")] * 2
    won, lost = frozen_lake.scripted(
        Encoder(model, BUDGET),
        model,
        problems,
        [steps("down", 1, "right", "2", "up"), steps("right", "jump", "down", 0)],
    )
    verdicts = frozen_lake.verdicts([won, lost])
    assert [verdict[0].score for verdict in verdicts] == [1.0, 0.0]
    first, second = won.rollouts[0], lost.rollouts[0]
    assert first.episode.turn_rewards == (0.0, 0.0, 0.0, 1.0)
    assert [c.outcome for c in first.episode.calls] == ["done"] * 4, "it is over before the fifth"
    assert [c.outcome for c in second.episode.calls] == ["done", "failed", "done"]
    assert len(won.encoded.images) == 1, "the prompt shows where the episode begins"
    assert len(first.images) == 3
    assert len({image.digest for image in first.images}) == 3


def test_without_the_library_the_error_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="gymnasium"):
        environments.build({"name": "gymnasium", "id": "FrozenLake-v1"})
