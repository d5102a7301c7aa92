"""The run's side of episodes in processes of their own: a tool that hangs, eats memory or ends its process is a fault
of its episode, and the run goes on.

One fork server an environment has loaded its code; every episode is a fork of it, which takes milliseconds. The kernel
holds its memory (`episode_memory_mib`) and processor time; the deadline of a turn is held here.
"""

from __future__ import annotations

import atexit
import base64
import json
import os
import pickle
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlrl.registry import Registry
from vlrl.rollout.environments.episodes.world import Reply
from vlrl.types import Image, Problem, Text, ToolCall, Verdict
from vlrl.verify.sandbox.worker_client import ForkServer, TooHeavy, Worker, WorkerFault

PROGRAM = Path(__file__).with_name("world_worker.py")
LOAD_SECONDS = 120.0  # for the libraries and the environment's file on a busy machine
_servers: dict[tuple[int, str, int, float], ForkServer] = {}  # by process and what they hold
_lock = threading.Lock()


class WorldProcess:
    """A World whose environment lives in another process; the same replies, and a fault where that process breaks."""

    def __init__(self, server: ForkServer, problem: Problem, seconds: float) -> None:
        self._server, self._problem, self._seconds = server, problem, seconds
        self._worker: Worker | None = None

    def begin(self, row: Mapping[str, Any]) -> Reply:
        """`reset`, in a new process."""
        given = base64.b64encode(pickle.dumps((self._problem, dict(row)))).decode()
        return self._reply({"begin": given})

    def answer(self, text: str, turn: int) -> Reply:
        """Make the calls of a turn in order."""
        return self._reply({"text": text, "turn": turn})

    def end(self) -> Verdict | None:
        """`get_reward` as a verdict; None where the environment has none."""
        said = self._ask({})
        if isinstance(said, str):
            return Verdict.broken(said)
        return None if said["verdict"] is None else Verdict(**said["verdict"])

    def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._worker.end()

    def _reply(self, job: Mapping[str, Any]) -> Reply:
        said = self._ask(job)
        if isinstance(said, str):
            return Reply(fault=said)
        messages = tuple(
            tuple(Text(p["text"]) if "text" in p else Image.from_bytes(base64.b64decode(p["image"])) for p in pieces)
            for pieces in said["messages"]
        )
        calls = tuple(ToolCall(**call) for call in said["calls"])
        return Reply(messages, calls, said["fault"], said["over"], said["reward"])

    def _ask(self, job: Mapping[str, Any]) -> dict[str, Any] | str:
        """The process's reply, or what went wrong with it."""
        deadline = time.monotonic() + self._seconds
        try:
            if self._worker is None:
                self._worker = self._server.fork(deadline)
            said = self._worker.ask({**job, "alarm_seconds": 10 * self._seconds + 60}, deadline)
        except (TooHeavy, WorkerFault) as error:
            return f"the environment's process: {error} (environment.tool_seconds, episode_memory_mib)"
        return f"the environment's process: {said['error']}" if "error" in said else said


def server_of(environment: Any, memory_mib: int, seconds: float, *registries: Registry[Any]) -> ForkServer:
    """The fork server that has loaded this environment; begins to load at the first asking, and returns at once."""
    held = [registry.plugin_of(name) for registry in registries for name in registry]
    argument = json.dumps(
        {
            "path": sys.path,
            "plugins": sorted({file for file in held if file is not None}),
            "environment": base64.b64encode(pickle.dumps(environment)).decode(),
        }
    )
    key = os.getpid(), argument, memory_mib, seconds
    with _lock:
        server = _servers.get(key)
        if server is None or not server.alive:
            server = _servers[key] = ForkServer(PROGRAM, memory_mib * 2**20, seconds + 1.0, argument)
        return server


def wait_until_loaded(server: ForkServer) -> None:
    """Returns once episodes can be forked. Raises WorkerFault where they never can."""
    server.wait_until_ready(time.monotonic() + LOAD_SECONDS)


@atexit.register
def _end_all() -> None:
    for (process, *_), server in _servers.items():
        if process == os.getpid():
            server.close()
