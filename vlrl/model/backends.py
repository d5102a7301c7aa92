"""Training backends by name: `backend: torch` or `backend: {name: …, …}` in a config is the object that opens it."""

from __future__ import annotations

from typing import Any, Protocol

from vlrl.config import Settings
from vlrl.model.load import LoadedModel
from vlrl.model.policy import Policy
from vlrl.model.torch_policy import PolicySettings, TorchPolicy
from vlrl.registry import Registry


class BackendSettings(Protocol):
    """A backend's settings. `open` raises ConfigError, before anything is started, where a library is missing."""

    def open(self, loaded: LoadedModel, settings: PolicySettings) -> Policy: ...


backends: Registry[Any] = Registry("backend")


@backends.register("torch")
class TorchBackend(Settings):
    """One process, one device."""

    def open(self, loaded: LoadedModel, settings: PolicySettings) -> Policy:
        """The policy over the loaded model itself."""
        return TorchPolicy(loaded, settings)
