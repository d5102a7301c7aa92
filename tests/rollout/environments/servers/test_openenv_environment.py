"""The environment of a real OpenEnv server, by the official client over its WebSocket."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from small_models import BUDGET, ask

from vlrl.errors import ConfigError
from vlrl.model.prompts.encode import Encoder
from vlrl.rollout.engine import Sampling
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.episodes.scripted_turns import ScriptedTurns
from vlrl.rollout.partial_rollouts import PartialRollouts

SERVER = Path(__file__).with_name("openenv_server.py")
APART = (
    Path(__file__).parents[4] / ".venv" / "openenv"
)  # scripts/setup test puts it there, with an older Pillow's users


def call(name, **arguments):
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


act = partial(call, "act")


@pytest.fixture(scope="module")
def address(library, tmp_path_factory):
    """Of a server with two environments."""
    if APART.is_dir():
        sys.path.append(str(APART))
    library("openenv")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = tmp_path_factory.mktemp("openenv") / "said.txt"
    with said.open("w") as file:
        paths = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        server = subprocess.Popen([sys.executable, str(SERVER), str(port)], env=paths, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + 120
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert server.poll() is None, said.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()
        if str(APART) in sys.path:
            sys.path.remove(str(APART))


@pytest.fixture
def served(address):
    settings = {"name": "openenv", "url": f"{address}/line", "images": ["screen"], "tool_seconds": 20}
    return environments.build({**settings, "reset_columns": ["goal"]})


def test_a_servers_environment_is_played_and_judged_by_its_rewards(served, loaded_models):
    model = replace(loaded_models["tiny-qwen3-vl"], context=2000)
    schema = served.schemas()["act"]["function"]
    assert schema["description"] == "Go along the line."
    assert sorted(schema["parameters"]["properties"]) == ["by", "say"]
    problem = replace(ask("Go to 4."), metadata={"goal": 4})
    turns = [act(by=3), act(by="far"), act(by=12), act(by=-1), act(by=2)], [act(by=1), "done"]
    (group, other) = served.scripted(Encoder(model, BUDGET), model, [problem] * 2, turns)
    (rollout,) = group.rollouts
    assert [s.text for s in rollout.segments if s.author == "observation"] == [
        '{"at": 3}<image>',
        "error: the argument by is no integer",
        "error: too far (code: EXECUTION_ERROR)",
        '{"at": 2}<image>',
    ]
    assert [c.outcome for c in rollout.episode.calls] == ["done", "invalid", "failed", "done", "done"]
    assert (rollout.episode.turns, rollout.episode.over_limit) == (5, None), "the server ended it"
    assert rollout.episode.turn_rewards == (0.25, 0.0, 0.0, 0.0, 0.5)
    assert [served.verdicts([one])[0][0].score for one in (group, other)] == [0.75, 0.25]
    assert len(group.encoded.images) == 1, "what reset shows is in the prompt"
    assert '{"at": 0}' in model.tokenizer.decode(group.encoded.token_ids)


def test_an_episode_that_waits_is_played_on_in_another_session(served, loaded_models):
    model = replace(loaded_models["tiny-qwen3-vl"], context=2000)
    served.check_partial()
    encoder, engine = Encoder(model, BUDGET), ScriptedTurns(model, [[act(by=2), act(by=3), act(by=2)]])
    turn = len(model.tokenizer.encode(act(by=2))) + 1
    sampling, settings = Sampling(max_tokens=900), PartialRollouts(budget=2 * turn, early_exit_below=0.0)
    problem = replace(ask("Go."), metadata={"goal": 7})
    buffer, resumed = served.buffer(), served.buffer()
    ended, _ = buffer.serve(encoder, engine, [problem], sampling, 1, [0], settings, 0)
    assert (ended, len(buffer.waiting[0].progress[0].heard)) == ([], 2)
    resumed.load_state_dict(buffer.state_dict())
    buffer.close()
    ((group,), _) = resumed.serve(encoder, engine, [], sampling, 1, [], settings, 1)
    assert served.verdicts([group])[0][0].score == 1.0, "0.25 + 0.25 + 0.5"
    resumed.close()


def test_tools_of_an_mcp_server_behind_it_are_called_and_their_images_shown(address, loaded_models):
    model = replace(loaded_models["tiny-qwen3-vl"], context=2000)
    desk = environments.build({"name": "openenv", "url": f"{address}/desk", "judged_by": "verifier"})
    assert sorted(desk.schemas()) == ["add", "paint", "refuse"]
    script = [call("add", by=3), call("paint", red=200), call("refuse"), call("add", by="x"), "3"]
    (group,) = desk.scripted(Encoder(model, BUDGET), model, [ask("How many?", answer="3")], [script])
    (rollout,) = group.rollouts
    said = [s.text for s in rollout.segments if s.author == "observation"]
    assert said == [
        "3",
        "<image>",
        "error: Error calling tool 'refuse': not today",
        "error: the argument by is no integer",
    ]
    assert [c.outcome for c in rollout.episode.calls] == ["done", "done", "failed", "invalid"]
    assert rollout.episode.turn_rewards == ()
    assert desk.verdicts([group])[0][0].score == 1.0


def test_an_episode_without_rewards_is_a_zero_and_a_fault_only_where_the_server_ended_it(served):
    world = served.world(replace(ask("?"), metadata={"goal": 4}))
    assert world.begin({"id": "x", "goal": 4}).fault is None
    assert (world.end().score, world.end().fault) == (0.0, None), "the policy did nothing"
    world.played.over = True
    assert "no number" in world.end().fault
    world.close()


def test_a_server_that_takes_too_few_sessions_says_what_would_help(address):
    narrow = environments.build({"name": "openenv", "url": f"{address}/narrow", "images": ["screen"]})
    first, second = (narrow.world(ask("?")) for _ in range(2))
    assert first.begin({"id": "x"}).fault is None
    assert "as many at once as there are episodes" in second.begin({"id": "x"}).fault
    for world in (first, second):
        world.close()


def test_a_server_that_is_silent_or_gone_is_a_fault_and_one_that_is_not_there_an_error(served):
    hurried = served.model_copy(update={"tool_seconds": 1.0})
    world = hurried.world(replace(ask("?"), metadata={"goal": 4}))
    assert world.begin({"id": "x", "goal": 4}).fault is None
    reply = world.answer(act(by=1, say="hang"), 0)
    assert reply.fault is not None
    assert "no answer of the server within 1 s" in reply.fault
    world.close()
    gone = served.model_copy(update={"url": "http://127.0.0.1:9"})
    with pytest.raises(ConfigError, match=r"environment.url: http://127.0.0.1:9/schema gives no schema"):
        gone.schemas()
