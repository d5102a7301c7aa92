"""The maze of examples/: a Gymnasium environment whose images say where to go, and worked episodes that arrive."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from small_models import BUDGET

from vlrl.config import load_settings
from vlrl.model.prompts.encode import Encoder
from vlrl.registry import load_plugin
from vlrl.scenes.domain import domains, draw_problem
from vlrl.training.run_settings import RunSettings


def test_worked_episodes_arrive_and_others_do_not(library, loaded_models):
    library("gymnasium")
    load_plugin("examples/image_maze.py")
    environment = load_settings(RunSettings, "configs/rl/image_maze.yaml", []).environment
    rng, made_by = np.random.default_rng(0), domains.build("image_maze")
    drawn = [draw_problem(made_by, rng, 0.0) for _ in range(24)]
    problems = [replace(problem, verifier="exact") for problem, _ in drawn]  # the environment judges
    model = replace(loaded_models["tiny-qwen3-vl"], context=1000)
    worked = [(*demo.turns, demo.response) for _, demo in drawn]
    assert {len(script) for script in worked} == {1, 2, 3, 4}
    astray = [["nowhere"], *[["up", "down"] * 4] * 23]
    groups = environment.scripted(Encoder(model, BUDGET), model, [*problems, *problems], [*worked, *astray])
    verdicts = [one[0] for one in environment.verdicts(groups)]
    assert [one.correct for one in verdicts[:24]] == [True] * 24
    assert not verdicts[24].correct
    assert sum(one.correct for one in verdicts[24:]) < 12
    for group, script in zip(groups[:24], worked, strict=True):
        assert len(group.encoded.images) == 1
        assert len(group.rollouts[0].images) == len(script) - 1, "an image a step, but where it ends"


def test_a_maze_is_all_to_be_seen(library):
    """Two seeds with one image are one maze, and every wall, the walker and the goal have their pixels."""
    library("gymnasium")
    maze = load_plugin("examples/image_maze.py").ImageMaze()
    seen = {}
    for seed in range(200):
        image, _ = maze.reset(seed=seed)
        state = (maze.walker, maze.goal, frozenset(maze.walls))
        assert seen.setdefault(image.tobytes(), state) == state
        assert 1 <= len(maze.way()) <= 4
    assert len(seen) == 200
