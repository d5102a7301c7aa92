"""Ray itself: a private cluster on this machine, or the user's own, which is joined and never stopped.

Tested with Ray 2.60.
"""

from __future__ import annotations

import atexit
import importlib
import math
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from vlrl.errors import ConfigError, EngineError
from vlrl.installation.extras import install

REMEDY = f"{install('ray')} (the extra ray), or use engine: transformers"
TOKENS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


def import_ray() -> ModuleType:
    """Ray without usage statistics. Raises ConfigError where the extra isn't installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise ConfigError("engine", "'ray' is not installed", REMEDY) from error


class RayCluster:
    """The process's connection to Ray; `close` takes back exactly what `__init__` did.

    address   None: a cluster of our own on this machine, gone with `close`. "auto" or host:port: the user's cluster
    store     bytes of shared memory for objects, in a cluster of our own

    A connection that the process already has is used as it is and left as it is.
    """

    def __init__(self, address: str | None, store: int) -> None:
        if address is not None:
            send_a_token()
        self.ray = import_ray()
        self.private = False
        self._connected, self._folder = not self.ray.is_initialized(), ""
        if not self._connected:
            return
        quiet = {"log_to_driver": False, "logging_level": "ERROR", "namespace": "vlrl"}
        if address is not None:
            try:
                self.ray.init(address=address, **quiet)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise EngineError(
                    "engine.address",
                    f"no Ray cluster at {address!r}: {error}",
                    "start one (scripts/launch/ray_head.sh) and export its token here, or leave address out for one "
                    "on this machine alone",
                ) from error
            return
        self._folder = tempfile.mkdtemp(prefix="vlrl-ray-")  # a short path: sockets lie in it
        token_without_a_file()
        atexit.register(self.close)  # before Ray's own, for a program that ends without closing
        self.private = True
        self.ray.init(
            address="local",
            num_cpus=1,  # CPUs are not counted in a cluster of our own; this is how many idle workers are kept
            include_dashboard=False,
            object_store_memory=store,
            _node_ip_address="127.0.0.1",
            _temp_dir=self._folder,
            # by itself Ray adds 15 to its workers': beside other work they get no time, and the trainer waits for them
            _system_config={"worker_niceness": 0},
            **quiet,
        )

    def close(self) -> None:
        """Disconnect; a cluster of our own ends with all its processes and its folder."""
        if self._connected and self.ray.is_initialized():
            self.ray.shutdown()
        self._connected = False
        atexit.unregister(self.close)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def nodes(self) -> int:
        """How many nodes are alive."""
        return sum(bool(node["Alive"]) for node in self.ray.nodes())

    def free(self) -> str:
        """Free CPUs and GPUs, for a message."""
        found: dict[str, Any] = self.ray.available_resources()
        return ", ".join(f"{found.get(name, 0):g} {name}" for name in ("CPU", "GPU")) + " free"


def store_bytes(weights: int, given_gib: float | None) -> int:
    """Shared memory for objects: what is given, else old and new weights at once and room for requests."""
    if given_gib is not None:
        return math.ceil(given_gib * 2**30)
    return math.ceil(2.2 * weights) + 256 * 2**20


def send_a_token() -> None:
    """Ray's head turns its tokens on by itself, who joins a given address does not. Counts before Ray is imported."""
    if any(os.environ.get(name) for name in TOKENS) or (Path.home() / ".ray" / "auth_token").is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def token_without_a_file() -> None:
    """Ray wants a token and would write one into the home; a cluster that lives as long as we do needs no file."""
    if not any(name in os.environ for name in ("RAY_AUTH_MODE", *TOKENS)):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
