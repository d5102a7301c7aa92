"""Verifiers that aren't ours are called where they can be ended: nothing that one does may harm the run.

worker  one from a plugin file: in a process of its own (`plugin_worker`) with limits of wall clock, processor time and
        memory for each verdict. It has a copy of the problem, what it prints is dropped, and what it raises, also
        SystemExit, its death and its limits are faults by name
thread  one that a program has registered itself, whose code no other process has, and ours that wait for a server
        (`model_judge`): in a thread, with a limit of wall clock alone and a copy of the problem's metadata. A thread
        can't be ended; it is left behind
here    all others of ours: called as they are
"""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import pickle
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from vlrl.config import Settings
from vlrl.registry import PLUGIN, Registry
from vlrl.types import Problem, Verdict
from vlrl.verify.plugins.returned import as_verdict
from vlrl.verify.sandbox.worker_pool import TooHeavy, WorkerFault, WorkerPool

Route = Literal["worker", "thread", "here"]


class JudgingSettings(Settings):
    """Limits of verifiers from plugins, and how many verdicts are asked for side by side.

    A verifier that waits for a server declares more: `@verifier("mine", wall_seconds=60)`.
    """

    workers: int = Field(default=8, ge=1, le=256, description="verdicts of plugins and judge models at a time")
    wall_seconds: float = Field(default=5.0, gt=0.0, le=3600.0, description="of one verdict, by the clock on the wall")
    processor_seconds: float = Field(default=2.0, gt=0.0, le=3600.0, description="that one verdict may compute")
    memory_mib: int = Field(default=512, ge=16, description="of one verdict, beside what the plugin's libraries take")


settings = JudgingSettings()
in_worker = False  # in `plugin_worker`, where every verifier is called as it is
wall_seconds: dict[str, float] = {}  # by verifier, where it declares its own
_routes: dict[str, tuple[Any, Route]] = {}
_pool: tuple[tuple[Any, ...], WorkerPool] | None = None
_pool_lock = threading.Lock()


def configure(chosen: JudgingSettings) -> None:
    """The limits that verdicts have from here on."""
    global settings
    settings = chosen


def route(name: str, verifiers: Registry[Any]) -> Route:
    """Where the verifier of this name is called. Raises ConfigError for an unknown one."""
    check = verifiers.get(name)
    if in_worker:
        return "here"
    held = _routes.get(name)
    if held is not None and held[0] is check:
        return held[1]
    found = _route_of(name, check, verifiers)
    _routes[name] = (check, found)
    return found


def _route_of(name: str, check: Any, verifiers: Registry[Any]) -> Route:
    if verifiers.plugin_of(name) is not None or _travels(check):
        return "worker"
    module = str(getattr(check, "__module__", None) or type(check).__module__)
    if module == "vlrl" or module.startswith("vlrl."):
        return "thread" if name in wall_seconds else "here"
    return "thread"


def _travels(check: Any) -> bool:
    """Whether this is of a plugin file, and can be found again in a process that has loaded the file."""
    if _file_of(check) is None:
        return False
    try:
        pickle.dumps(check)
    except Exception:  # whatever its own pickling does: it then stays where it is
        return False
    return True


def _file_of(check: Any) -> str | None:
    module = str(getattr(check, "__module__", None) or type(check).__module__)
    return getattr(sys.modules.get(module), "__file__", None) if module.startswith(PLUGIN) else None


def verdict(name: str, verifiers: Registry[Any], problem: Problem, response: str) -> Verdict:
    """The verdict of a verifier that is called in a worker or a thread; what it may not do is a fault."""
    if route(name, verifiers) == "worker":
        return _in_worker(name, verifiers, problem, response)
    return _in_thread(name, verifiers.get(name), problem, response)


def pool(verifiers: Registry[Any]) -> WorkerPool:
    """The workers that have loaded every plugin file with a verifier in it; others where a file has joined."""
    global _pool
    files = {verifiers.plugin_of(name) or _file_of(verifiers.get(name)) for name in verifiers}
    wanted = (settings, tuple(sorted(file for file in files if file is not None)))
    with _pool_lock:
        if _pool is None or _pool[0] != wanted:
            if _pool is not None:
                _pool[1].close()
            _pool = (
                wanted,
                WorkerPool(
                    Path(__file__).with_name("plugin_worker.py"),
                    size=settings.workers,
                    wall_seconds=settings.wall_seconds,
                    memory_bytes=settings.memory_mib * 2**20,
                    processor_seconds=settings.processor_seconds,
                    argument=json.dumps({"path": sys.path, "plugins": wanted[1]}),
                ),
            )
        return _pool[1]


def _in_worker(name: str, verifiers: Registry[Any], problem: Problem, response: str) -> Verdict:
    check = None if verifiers.plugin_of(name) is not None else verifiers.get(name)
    wall = wall_seconds.get(name, settings.wall_seconds)
    try:
        call = base64.b64encode(pickle.dumps((check, problem, response))).decode()
    except Exception as error:  # metadata that can't be handed over
        return Verdict.broken(f"{name}: the problem can't be handed to it: {type(error).__name__}: {error}")
    try:
        reply = pool(verifiers).ask({"verifier": name, "call": call, "alarm_seconds": wall + 30.0}, wall)
    except TooHeavy as error:
        memory = "memory" in str(error)
        limit = f"{settings.memory_mib} MiB" if memory else f"{settings.processor_seconds:g} s of processor time"
        key = "memory_mib" if memory else "processor_seconds"
        return Verdict.broken(f"{name}: took more than the {limit} that one verdict may have (judging.{key})")
    except WorkerFault as error:
        return Verdict.broken(f"{name}: {error} (a verdict may take {wall:g} s)")
    if "error" in reply:
        return Verdict.broken(f"{name}: {reply['error']}")
    return Verdict(**reply)


def _in_thread(name: str, check: Callable[..., Any], problem: Problem, response: str) -> Verdict:
    """In a thread that is left behind where it takes too long; an interrupt that is raised in it is the verifier's."""
    wall = wall_seconds.get(name, settings.wall_seconds)
    came: list[Verdict] = []

    def call() -> None:
        try:
            own = dataclasses.replace(problem, metadata=copy.deepcopy(dict(problem.metadata)))
            came.append(as_verdict(check(own, response), name))
        except BaseException as error:  # of a user's function; in this thread no interrupt is the user's own
            came.append(Verdict.broken(f"{name}: {type(error).__name__}: {error}"))

    thread = threading.Thread(target=call, name=f"verifier {name}", daemon=True)
    thread.start()
    thread.join(wall)
    return came[0] if came else Verdict.broken(f"{name}: no verdict within {wall:g} s (judging.wall_seconds)")
