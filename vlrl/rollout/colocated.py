"""Rollout and training on one device, in turns: who holds the memory, and what the switch costs.

Kimi k1.5 §2.6.2 puts trainer and engine on the same devices: the engine sleeps while the policy trains and takes its
weights from it before it writes. Every switch is timed and the memory on both sides of it is read.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from vlrl.errors import EngineError
from vlrl.rollout.engine import GeneratesTurns, NextTurns, Request, RolloutEngine
from vlrl.types import Rollout

GIB = 2**30
STATM = Path("/proc/self/statm")
PAGE = 4096


class ColocatedEngine:
    """An engine that wakes with the policy's weights for a phase of rollout and sleeps after it.

    The one that wants responses asks here, so that an engine which starts by being asked is known to be awake. With an
    engine that uses the trainer's own model both switches cost nothing; the figures then say so.
    """

    def __init__(self, engine: RolloutEngine, device: torch.device) -> None:
        self.engine, self._device = engine, device
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._memory: dict[str, float] = {}
        self._awake = False

    def to_rollout(self, weights: Callable[[], Iterable[tuple[str, Any]]], version: int) -> None:
        """The engine is awake and has these weights; awake already, it only takes the weights.

        What `weights` does to have them, such as gathering shards, is part of the switch.
        """
        self._begin()
        with self._timed("to_rollout"):
            whole = weights()
            self.engine.wake()
            self.engine.load_weights(whole, version)
        self._note("rollout")

    def generate(self, requests: Sequence[Request]) -> list[tuple[Rollout, ...]]:
        """The engine's answers; one that was never told to wake writes with the weights of the loaded model."""
        self._begin()
        return self.engine.generate(requests)

    def generate_turns(self, requests: Sequence[Request], turns: NextTurns) -> list[tuple[Rollout, ...]]:
        """The same of an engine that goes on with single responses. Raises EngineError where it doesn't."""
        if not isinstance(self.engine, GeneratesTurns):
            raise EngineError(
                "environment.next_turn",
                f"{type(self.engine).__name__} writes all turns together",
                "next_turn: together",
            )
        self._begin()
        return self.engine.generate_turns(requests, turns)

    def _begin(self) -> None:
        if not self._awake:
            self._note("training", first=True)
        self._awake = True

    def to_training(self) -> None:
        """The engine sleeps; nothing happens where it does already."""
        if not self._awake:
            return
        self._note("rollout")
        with self._timed("to_training"):
            self.engine.sleep()
        self._awake = False
        self._memory.pop("after", None)
        self._note("after")

    def restart_metrics(self) -> None:
        """What was switched until now is in no metrics: `pop_metrics` counts from here on."""
        self.pop_metrics()

    def pop_metrics(self) -> dict[str, float]:
        """Since the last call: seconds of all switches each way, and GiB that were in use.

        colocated/memory_training_gib before the first switch, memory_rollout_gib at most while the engine was awake,
        memory_after_gib when it slept again. On CUDA the device's memory, else what this process has in RAM. With them
        the engine's own figures.
        """
        found = {f"colocated/{way}_seconds": seconds for way, seconds in self._seconds.items()}
        found |= {f"colocated/memory_{when}_gib": size / GIB for when, size in self._memory.items()}
        found |= self.engine.pop_metrics()
        self._seconds.clear()
        self._memory.clear()
        return found

    def _note(self, when: str, first: bool = False) -> None:
        """Read the memory; of several readings the largest counts, or the first."""
        used = used_memory(self._device)
        if used is not None and not (first and when in self._memory):
            self._memory[when] = max(used, self._memory.get(when, 0.0))

    @contextmanager
    def _timed(self, way: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self._seconds[way] += time.monotonic() - started


def used_memory(device: torch.device) -> float | None:
    """Bytes in use: of the whole CUDA device (an engine's own pools are seen too), else of this process in RAM.

    None where the system doesn't say (/proc is Linux).
    """
    if device.type == "cuda":
        free, whole = torch.cuda.mem_get_info(device)
        return float(whole - free)
    if not STATM.is_file():
        return None
    return float(int(STATM.read_text().split()[1]) * PAGE)
