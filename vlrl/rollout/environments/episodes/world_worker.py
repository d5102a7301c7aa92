"""One episode's environment in a process of its own: what verify/sandbox/fork_server.py runs.

A worker plays one episode. Pickles come from the run alone; what goes back is JSON, which the run can read whatever the
environment's code has done to this process.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import sys
from dataclasses import asdict
from typing import Any

LIMITED_ONCE_LOADED = True  # libraries take what they take; an episode may have so much beside them


def load(argument: str) -> Any:
    """The environment, as the run has it, and a place for the episode's world."""
    given = json.loads(argument)
    sys.path[:] = [one or os.getcwd() for one in given["path"]]
    from vlrl.registry import load_plugin

    for plugin in given["plugins"]:
        load_plugin(plugin)
    environment = pickle.loads(base64.b64decode(given["environment"]))
    environment.schemas()  # read the class once, for all
    return {"environment": environment, "world": None}


def answer(state: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    """Begin the episode, answer a turn, or say what it earned."""
    if "begin" in job:
        problem, row = pickle.loads(base64.b64decode(job["begin"]))
        state["world"] = state["environment"].world(problem)
        return _plain(state["world"].begin(row))
    if "text" in job:
        return _plain(state["world"].answer(job["text"], job["turn"]))
    verdict = state["world"].end()
    return {"verdict": None if verdict is None else asdict(verdict)}


def _plain(reply: Any) -> dict[str, Any]:
    from vlrl.types import Text

    messages = [
        [
            {"text": one.text} if isinstance(one, Text) else {"image": base64.b64encode(one.read_bytes()).decode()}
            for one in pieces
        ]
        for pieces in reply.messages
    ]
    calls = [asdict(call) for call in reply.calls]
    return {"messages": messages, "calls": calls, "fault": reply.fault, "over": reply.over, "reward": reply.reward}
