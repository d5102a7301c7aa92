"""A Gymnasium environment plays by its id: a step a turn, an image a step, its rewards as the verdict."""

from __future__ import annotations

import ast
import json
from typing import ClassVar

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


def test_a_taxi_whose_observation_is_a_number_begins_as_its_seed_says(frozen_lake):
    taxi = environments.build({"name": "gymnasium", "id": "Taxi-v4", "reward_range": [-200, 20]})
    first, again, other = (taxi.world(ask("?")) for _ in range(3))
    shown = [one.begin({"id": "x", "seed": seed}).messages[0] for one, seed in ((first, 1), (again, 1), (other, 2))]
    assert shown[0] == shown[1] != shown[2]
    turns = steps("0")[0], steps("0")[0] + steps("1")[0], steps("nowhere")[0], "no call"
    assert [first.answer(text, turn).reward for turn, text in enumerate(turns)] == [-1.0, -2.0, 0.0, 0.0]
    assert first.played.get_reward() == -3.0
    for world in (first, again, other):
        world.close()


def test_one_that_reads_texts_tells_its_task_and_says_what_became_of_them_as_visgyms_do(frozen_lake):
    import gymnasium
    import numpy as np

    class Line(gymnasium.Env):
        """By VisGym's interface: https://github.com/visgym/VisGym."""

        metadata: ClassVar = {"render_modes": ["rgb_array"]}
        action_space = gymnasium.spaces.Dict({})
        observation_space = gymnasium.spaces.Dict({})

        def __init__(self, render_mode):
            self.render_mode = render_mode

        def get_prompt(self):
            return f"Walk from {self.at} to 2 by `('move', 1)`."

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self.at = 0
            return {"agent": self.at, "mission": "go"}, {"env_feedback": None}

        def step(self, action):
            try:
                self.at += ast.literal_eval(action)[1]
                said = "Action executed successfully."
            except (SyntaxError, ValueError):
                said = f"Cannot parse {action}."
            return {"agent": self.at, "mission": "go"}, float(self.at == 2), self.at == 2, False, {"env_feedback": said}

        def render(self):
            return np.full((32, 32, 3), 20 * self.at, np.uint8)

    gymnasium.register("Line-v0", Line, disable_env_checker=True)
    try:
        settings = {"name": "gymnasium", "id": "Line-v0", "text_actions": True, "task": "get_prompt"}
        world = environments.build({**settings, "shown_info": ["env_feedback"]}).world(ask("?"))
        (begun,) = world.begin({"id": "x"}).messages
        assert [getattr(one, "text", "<image>") for one in begun] == [
            "Walk from 0 to 2 by `('move', 1)`.",
            "go",
            "<image>",
        ]
        moves = steps("('move', 1)", "north", "('move', 1)")
        replies = [world.answer(move, turn) for turn, move in enumerate(moves)]
        done = "Action executed successfully."
        assert [one.messages[0][1].text for one in replies] == [done, "Cannot parse north.", done]
        assert [(one.reward, one.over) for one in replies] == [(0.0, False), (0.0, False), (1.0, True)]
        assert world.end().correct
    finally:
        gymnasium.registry.pop("Line-v0")
    with pytest.raises(ConfigError, match=r"environment\.actions"):
        environments.build({**settings, "actions": ["left"]})


def test_without_the_library_the_error_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="gymnasium"):
        environments.build({"name": "gymnasium", "id": "FrozenLake-v1"})
