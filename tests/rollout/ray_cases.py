"""An engine for tests of the pool: deterministic, slow where wanted, and deadly where a prompt says so."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlrl.errors import EngineFailedError
from vlrl.rollout.engine import Request
from vlrl.rollout.engine_registry import EngineLoad, EngineMemory, EngineSettings
from vlrl.rollout.ray.work_queue import Answer
from vlrl.types import Rollout, Segment


@dataclass(frozen=True)
class Prompt:
    """An encoded prompt without a model behind it."""

    problem_id: str
    num_tokens: int = 10
    images: tuple[()] = ()

    @property
    def content_hash(self) -> str:
        return f"content of {self.problem_id}"


def written(request: Request, version: int = 0) -> tuple[Rollout, ...]:
    """What a traced engine says to a request: its problem and its seed, spelled in token ids."""
    tokens = (*request.encoded.problem_id.encode(), request.seed % 251)
    read = request.encoded.content_hash
    return tuple(
        Rollout((Segment((*tokens, i), (-1.0,) * (len(tokens) + 1), version),), f"{i}", "stop", read)
        for i in range(request.num_rollouts)
    )


class TracedEngineSettings(EngineSettings):
    """Writes a file a start (`started_PID`) and a line a request (`served_PID`) into `folder`.

    seconds        that a request takes, until there is a file `hurry` in `folder`
    deadly         a problem id at which the process ends, and `broken` one at which the engine raises
    fails_once_at  what the first engine of all says it can't go on at: `generate` or `sleep`
    """

    max_num_seqs: int = 8
    max_num_batched_tokens: int = 512
    folder: str
    seconds: float = 0.0
    deadly: str = ""
    broken: str = ""
    dies_at_start: bool = False
    dies_asleep: bool = False
    fails_once_at: str = ""

    def check(self, config: Any, device: Any, context: int, dtype: Any) -> None:
        """It takes everything."""

    def memory(self, load: EngineLoad) -> EngineMemory:
        return EngineMemory({}, {}, {})

    def open(self, loaded: Any = None) -> TracedEngine:
        return TracedEngine(self)


class TracedEngine:
    def __init__(self, settings: TracedEngineSettings) -> None:
        self._settings, self._folder = settings, Path(settings.folder)
        self.version = 0
        if settings.dies_at_start:
            os._exit(3)
        (self._folder / f"started_{os.getpid()}").touch()

    def generate(self, requests: Sequence[Request]) -> list[tuple[Rollout, ...]]:
        (self._folder / f"working_{os.getpid()}").touch()
        self._fail_once("generate")
        for request in requests:
            if not (self._folder / "hurry").exists():
                time.sleep(self._settings.seconds)
            if request.encoded.problem_id == self._settings.deadly:
                os._exit(4)
            if request.encoded.problem_id == self._settings.broken:
                raise RuntimeError("the device fell over")
            self._note(request.encoded.problem_id)
            if request.early_exit_below:
                self._note(f"may leave {request.encoded.problem_id}")
        return [written(request, self.version) for request in requests]

    def load_weights(self, weights: Any, version: int) -> None:
        self.version = version
        self._note(f"weights {version} {len(list(weights))}")

    def sleep(self) -> None:
        if self._settings.dies_asleep:
            os._exit(5)
        self._fail_once("sleep")
        (self._folder / f"asleep_{os.getpid()}").touch()

    def wake(self) -> None:
        (self._folder / f"asleep_{os.getpid()}").unlink()

    def close(self) -> None:
        """Nothing to end."""

    def pop_metrics(self) -> dict[str, float]:
        return {"rollout/slot_utilisation": 0.5}

    def _fail_once(self, doing: str) -> None:
        failed = self._folder / f"failed_at_{doing}"
        if doing == self._settings.fails_once_at and not failed.exists():
            failed.touch()
            raise EngineFailedError("traced engine", f"can't go on at {doing}")

    def _note(self, line: str) -> None:
        with open(self._folder / f"served_{os.getpid()}", "a") as file:
            file.write(line + "\n")


class LightActor:
    """RolloutActor without a model, so that a process starts in a second: for what is the pool's own business."""

    def open(self, model: Any, engine: TracedEngineSettings, threads: int, files: Any = None) -> bool:
        self._engine, self._serial = engine.open(), 0
        return True

    def load_weights(self, manifest: Any, *shards: Any) -> int:
        self._engine.load_weights((name for shard in shards for name in shard.tensors), manifest.version)
        self._serial = int(manifest.serial)
        return self._serial

    def generate(self, serial: int, requests: Sequence[Request]) -> Answer:
        assert serial == self._serial
        return Answer(
            tuple(self._engine.generate(requests)), self._serial, self._engine.version, self._engine.pop_metrics()
        )

    def sleep(self) -> None:
        self._engine.sleep()

    def wake(self) -> None:
        self._engine.wake()

    def close(self) -> None:
        self._engine.close()


def started(folder: Path) -> list[int]:
    """Process ids of all actors that ever opened their engine."""
    return [int(file.name.removeprefix("started_")) for file in folder.glob("started_*")]


def alive(folder: Path) -> list[int]:
    """Those that still live."""
    return [pid for pid in started(folder) if Path(f"/proc/{pid}").is_dir() and not _zombie(pid)]


def working(folder: Path) -> list[int]:
    """Those that live and have begun to answer requests."""
    return [pid for pid in alive(folder) if (folder / f"working_{pid}").exists()]


def served(folder: Path) -> list[str]:
    """All lines of all actors."""
    return [line for file in folder.glob("served_*") for line in file.read_text().splitlines()]


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].startswith("Z")
    except OSError:
        return True
