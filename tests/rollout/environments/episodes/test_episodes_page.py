"""The class of docs/episodes.md plays as the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml
from episode_cases import roomy
from small_models import BUDGET, ask

from vlrl.model.prompts.encode import Encoder
from vlrl.rollout.boundaries.boundary import boundary_hooks
from vlrl.rollout.engine import Sampling
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.episodes.episode_group import new_groups
from vlrl.rollout.environments.episodes.play import Play
from vlrl.rollout.environments.episodes.scripted_turns import ScriptedTurns

PAGE = Path(__file__).parents[4] / "docs/episodes.md"
CODE = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)  # a class, and a hook


def test_the_class_of_the_page_plays(tmp_path, loaded_models):
    code, _ = CODE
    (tmp_path / "my_env.py").write_text(code)
    environment = environments.build({"name": "class", "path": f"{tmp_path / 'my_env.py'}:MazeEnv"})
    model = roomy(loaded_models["tiny-qwen3-vl"])
    move = f"<tool_call>{json.dumps({'name': 'move', 'arguments': {'by': 3}})}</tool_call>"
    encoder = Encoder(model, BUDGET, tools=environment.tool_schemas())
    groups = environment.scripted(encoder, model, [ask("Go to 3.", answer="3")] * 2, [[move, "done"], ["done"]])
    assert [verdicts[0].correct for verdicts in environment.verdicts(groups)] == [True, False]
    assert "Move along the line." in model.tokenizer.decode(groups[0].encoded.token_ids), "the prompt describes it"
    assert [s.text for s in groups[0].rollouts[0].segments] == [move, "at 3<image>", "done"]


def test_the_settings_of_the_page_hold():
    blocks = re.findall(r"```yaml\nenvironment:\n(.*?)```", PAGE.read_text(), re.DOTALL)
    environment, grid, hooked = (environments.build(yaml.safe_load(block)) for block in blocks)
    assert environment.turns == 4
    assert environment.image.per_episode == 12
    assert (grid.id, grid.image.per_episode) == ("minigrid:MiniGrid-DoorKey-5x5-v0", 20)
    assert [type(hook).__name__ for hook in hooked.on_boundary] == ["PruneFailedCalls", "ResampleTurns"]


def test_the_hook_of_the_page_gives_a_hint_behind_calls_that_failed(tmp_path, loaded_models, temporarily):
    temporarily(boundary_hooks)
    code, hook = CODE
    (tmp_path / "my_env.py").write_text(code)
    exec(hook, {})
    model = roomy(loaded_models["tiny-qwen3-vl"])
    bad, good = (f"<tool_call>{json.dumps({'name': 'move', 'arguments': {'by': by}})}</tool_call>" for by in ("far", 3))

    def played(*hooks):
        given = {"name": "class", "path": f"{tmp_path / 'my_env.py'}:MazeEnv", "on_boundary": hooks}
        environment = environments.build(given)
        encoder = Encoder(model, BUDGET, tools=environment.tool_schemas())
        groups = new_groups([ask("Go to 3.", answer="3")], 1, [0])
        play = Play(groups, environment, environment.world, environment.row)
        (group,) = play.whole(encoder, ScriptedTurns(model, [[bad, good, "done"]]), Sampling(max_tokens=900))
        assert environment.verdicts([group])[0][0].correct
        return [(s.author, s.text) for s in group.rollouts[0].segments]

    plain, hinted = played(), played({"name": "hint_after_errors", "text": "3 is right."})
    assert played({"name": "hint_after_errors"}) == plain
    assert hinted == [*plain[:2], ("forced", "3 is right."), *plain[2:]]
