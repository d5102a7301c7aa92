"""What runs in each actor of the pool: a model from a folder, an engine over it, and nothing that the trainer holds."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from vlrl import dist
from vlrl.errors import EngineError
from vlrl.model.load import ModelSettings, load_folder
from vlrl.rollout.engine import Request
from vlrl.rollout.engine_registry import opened
from vlrl.rollout.ray.ray_weights import Manifest, verified
from vlrl.rollout.ray.work_queue import Answer


def files_of(folder: Path) -> dict[str, bytes]:
    """What `RolloutActor.open` needs of a folder that its node can't see, by name."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


class RolloutActor:
    """An engine in a process of its own. Calls come one at a time.

    Requests, weights and settings come by calls, so that what can't be read here fails there, with its cause.
    """

    def __init__(self) -> None:
        self._engine: Any = None
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._serial, self._version = 0, 0

    def open(
        self, model: Mapping[str, Any], engine: Any, threads: int, files: Mapping[str, bytes] | None = None
    ) -> bool:
        """Load the model folder that `model` (ModelSettings) names and open the engine; `files` are its, by name.

        Returns False where the folder can't be seen from this node: then its files are needed. `threads` are torch's.
        """
        torch.set_num_threads(threads)
        if files is None:
            if not Path(model["path"]).is_dir():
                return False
            self._open(ModelSettings(**model), engine)
            return True
        with tempfile.TemporaryDirectory(prefix="vlrl-model-") as folder:
            for name, data in files.items():
                file = Path(folder) / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
            self._open(ModelSettings(**{**model, "path": folder}), engine)
        return True

    def _open(self, model: ModelSettings, engine: Any) -> None:
        dist.stand_alone()
        loaded = load_folder(str(model.path), model)
        self._shapes = {name: tuple(p.shape) for name, p in loaded.model.named_parameters()}
        self._engine = opened(engine, loaded)

    def load_weights(self, manifest: Manifest, *shards: Any) -> int:
        """Swap the weights once all of them are here and checked; returns the transfer's serial.

        Raises EngineError, with the old weights in place, for a transfer that is not whole or not this model's.
        """
        self._engine.load_weights(verified(manifest, shards, self._shapes), manifest.version)
        self._serial, self._version = manifest.serial, manifest.version
        return self._serial

    def generate(self, serial: int, requests: Sequence[Request]) -> Answer:
        """Answers with the weights of transfer `serial`; refuses to answer with others."""
        if serial != self._serial:
            raise EngineError("ray actor", f"has weights of transfer {self._serial}, asked for {serial}")
        responses = tuple(self._engine.generate(requests))
        return Answer(responses, self._serial, self._version, self._engine.pop_metrics())

    def process_id(self) -> int:
        """On its node."""
        return os.getpid()

    def sleep(self) -> None:
        """Free memory."""
        self._engine.sleep()

    def wake(self) -> None:
        """Take it back."""
        self._engine.wake()

    def close(self) -> None:
        """End what the engine started."""
        if self._engine is not None:
            self._engine.close()
