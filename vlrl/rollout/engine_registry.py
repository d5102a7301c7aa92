"""Engines by name: `engine: vllm` or `engine: {name: vllm, …}` in a config is the object that opens the engine."""

from __future__ import annotations

import importlib.util
from typing import Any, ClassVar, Protocol

import torch

from vlrl.errors import ConfigError
from vlrl.model.load import LoadedModel
from vlrl.registry import Registry
from vlrl.rollout.engine import RolloutEngine


class EngineSettings(Protocol):
    """An engine's settings. `open` raises ConfigError, before anything is started, where a library is missing.
    `check` raises it, before weights are read, for a model, a device or a context that the engine can't take.

    One with `leaves_early` false takes no request with `early_exit_below`.

    max_num_seqs    responses that are written at once at most
    max_num_batched_tokens  prompt tokens of one forward pass at most
    """

    max_num_seqs: int
    max_num_batched_tokens: int

    def check(self, config: Any, device: torch.device, context: int, dtype: torch.dtype) -> None: ...

    def open(self, loaded: LoadedModel) -> RolloutEngine: ...


class NeedsLibrary(Protocol):
    """What an engine that comes with an extra says besides: the module that must be installed, and how to get it."""

    library: ClassVar[str]
    remedy: ClassVar[str]


engines: Registry[Any] = Registry("engine")


def require_library(settings: Any, place: str = "engine") -> None:
    """Raises ConfigError where an engine's or a backend's library is missing. Looks, but imports nothing."""
    library: str | None = getattr(settings, "library", None)
    if library is not None and importlib.util.find_spec(library) is None:
        raise ConfigError(place, f"{library!r} is not installed", settings.remedy)
