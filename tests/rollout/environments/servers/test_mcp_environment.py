"""Tools of a real MCP server, called by the official client over its standard streams."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_models import BUDGET, ask

from vlrl.errors import ConfigError
from vlrl.model.prompts.encode import Encoder
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.servers.mcp_connection import shared_connection

SERVER = str(Path(__file__).with_name("glyph_server.py"))


def call(name, **arguments):
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


@pytest.fixture(scope="module")
def served(library):
    library("mcp")
    environment = environments.build(
        {"name": "mcp", "command": ["python", SERVER], "tool_seconds": 3, "describe_tools": False}
    )
    yield environment
    shared_connection(environment.command, environment.variables).close()


def outcomes(world, *turns):
    """Of each turn: what the call was counted as, what the policy reads, the fault."""
    assert world.begin({}).fault is None
    found = []
    for number, text in enumerate(turns):
        reply = world.answer(text, number)
        texts = [getattr(piece, "text", "<image>") for pieces in reply.messages for piece in pieces]
        found.append((reply.calls[-1].outcome, "".join(texts), reply.fault))
    world.close()
    return found


def test_a_servers_tools_are_called_and_its_images_shown(served, loaded_models):
    assert served.files() == (SERVER,), "another server is another run"
    model = replace(loaded_models["tiny-qwen3-vl"], context=1000)
    assert sorted(served.schemas()) == ["add", "die", "hang", "paint", "protest", "refuse", "reset"]
    assert served.schemas()["add"]["function"]["description"] == "Add to the counter."
    script = [call("reset", to=4), call("add", by=3), call("paint", red=200), "7"]
    (group,) = served.scripted(Encoder(model, BUDGET), model, [ask("red?", answer="7")], [script])
    (rollout,) = group.rollouts
    assert [s.text for s in rollout.segments if s.author == "observation"] == ["counter 4", "counter 7", "<image>"]
    assert [c.outcome for c in rollout.episode.calls] == ["done"] * 3


def test_what_a_server_refuses_goes_to_the_policy_and_what_it_breaks_is_a_fault(served):
    turns = [call("refuse"), call("add", by="x"), call("nothing"), call("protest"), call("add", by=0)]
    told = outcomes(served.world(ask("?")), *turns)
    assert [outcome for outcome, _, _ in told] == ["failed", "invalid", "invalid", "failed", "done"]
    assert "not today" in told[0][1]
    assert "not so" in told[3][1]
    assert all(fault is None for _, _, fault in told)
    ((outcome, _, fault),) = outcomes(served.model_copy(update={"tool_seconds": 0.3}).world(ask("?")), call("hang"))
    assert outcome == "failed"
    assert "no answer of the server" in fault
    ((outcome, _, fault),) = outcomes(served.world(ask("?")), call("die"))
    assert outcome == "failed"
    assert "die: " in fault
    ((outcome, said, fault),) = outcomes(served.world(ask("?")), call("add", by=2))
    assert (outcome, said, fault) == ("done", "counter 2", None), "the next episode has a server again"


def test_a_command_that_is_no_server_and_a_tool_that_it_lacks_are_told(served):
    with pytest.raises(ConfigError, match=r"environment\.command"):
        environments.build({"name": "mcp", "command": ["python", "-c", "raise SystemExit(1)"]}).schemas()
    with pytest.raises(ConfigError, match=r"no 'ad'"):
        served.model_copy(update={"tools": ("ad",)}).schemas()
    with pytest.raises(ConfigError, match="episode_memory_mib"):
        environments.build({"name": "mcp", "command": ["x"], "episode_memory_mib": 64})
