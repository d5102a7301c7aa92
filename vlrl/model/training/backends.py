"""Training backends by name: `backend: torch` or `backend: {name: …, …}` in a config is the object that opens it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from vlrl.config import Settings
from vlrl.errors import ConfigError
from vlrl.installation.extras import install
from vlrl.model.load import LoadedModel, ModelSettings
from vlrl.model.memory import BYTES, fsdp_state_bytes, state_bytes, zero_state_bytes
from vlrl.model.sharding.fsdp_policy import FsdpPolicy
from vlrl.model.sizes import ParameterCounts
from vlrl.model.training.deepspeed_library import ZeroSettings
from vlrl.model.training.deepspeed_policy import DeepSpeedPolicy
from vlrl.model.training.policy import Policy
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.registry import Registry


class BackendSettings(Settings):
    """Base of every backend's settings.

    library, remedy  the module that must be installed, None: no other; and how to get it
    in_shards        whether the model is loaded in shards over the ranks, and lies so for the whole run
    keeps_moments    whether moments take memory, too, when they have been forgotten
    """

    library: ClassVar[str | None] = None
    remedy: ClassVar[str] = ""
    in_shards: ClassVar[bool] = False
    keeps_moments: ClassVar[bool] = False

    @abstractmethod
    def check(self, stage: str, model: ModelSettings, policy: PolicySettings) -> None:
        """Raises ConfigError, before a model is loaded, for what the backend can't do exactly."""

    @abstractmethod
    def open(self, loaded: LoadedModel, settings: PolicySettings) -> Policy:
        """The policy over the loaded model."""

    def state_bytes(
        self, counts: ParameterCounts, model: ModelSettings, policy: PolicySettings, ranks: int
    ) -> dict[str, int]:
        """What one of `ranks` holds on its device while it trains, by part."""
        return state_bytes(counts, model, policy)

    def reading_bytes(self, counts: ParameterCounts, model: ModelSettings, ranks: int) -> dict[str, int]:
        """The same where nothing trains."""
        return {"weights": counts.total * BYTES[model.dtype]}

    def start_bytes(
        self, counts: ParameterCounts, model: ModelSettings, policy: PolicySettings, ranks: int
    ) -> dict[str, int]:
        """What a policy takes while it is opened; empty where that is no more than what it holds then."""
        return {}


backends: Registry[Any] = Registry("backend", base=BackendSettings)


def default_backend(ranks: int) -> BackendSettings:
    """Where a config names none: shards over several ranks, whole weights in one process."""
    return FsdpBackend() if ranks > 1 else TorchBackend()


def _refuse_float16(model: ModelSettings) -> None:
    if model.dtype == "float16":
        raise ConfigError(
            "model.dtype",
            "'float16' rounds small gradients to zero without a loss scale, and with one updates are skipped",
            "bfloat16 or float32; float16 is for runs that only evaluate",
        )


@backends.register("torch")
class TorchBackend(BackendSettings):
    """All weights on one device; with several ranks on the device of each, and every update's rows shared out."""

    def check(self, stage: str, model: ModelSettings, policy: PolicySettings) -> None:
        """Raises ConfigError for the one precision that it can't train in."""
        _refuse_float16(model)

    def open(self, loaded: LoadedModel, settings: PolicySettings) -> Policy:
        """The policy over the loaded model itself."""
        return TorchPolicy(loaded, settings)


@backends.register("fsdp")
class FsdpBackend(BackendSettings):
    """Weights, gradients and moments in shards over the ranks that a launcher started (torch FSDP2), from start to end:
    what needs whole weights gathers them layer by layer.
    """

    in_shards: ClassVar[bool] = True

    def check(self, stage: str, model: ModelSettings, policy: PolicySettings) -> None:
        """Raises ConfigError for the one precision that it can't train in."""
        _refuse_float16(model)

    def open(self, loaded: LoadedModel, settings: PolicySettings) -> Policy:
        """The policy over the shards of the loaded model."""
        return FsdpPolicy(loaded, settings)

    def state_bytes(
        self, counts: ParameterCounts, model: ModelSettings, policy: PolicySettings, ranks: int
    ) -> dict[str, int]:
        """Shards, and what is gathered at once."""
        return fsdp_state_bytes(counts, model, policy, ranks)

    def reading_bytes(self, counts: ParameterCounts, model: ModelSettings, ranks: int) -> dict[str, int]:
        """The same without what trains."""
        return fsdp_state_bytes(counts, model, None, ranks)


@backends.register("deepspeed")
class DeepSpeedBackend(ZeroSettings, BackendSettings):
    """DeepSpeed's ZeRO over the ranks that a launcher started."""

    keeps_moments: ClassVar[bool] = True
    library: ClassVar[str | None] = "deepspeed"
    remedy: ClassVar[str] = f"{install('deepspeed')}, or use backend: torch"

    def check(self, stage: str, model: ModelSettings, policy: PolicySettings) -> None:
        """Raises ConfigError for optimisers and precisions that ZeRO's shards can't step as one process does."""
        if self.sequence_parallel > 1:
            raise ConfigError(
                "backend.sequence_parallel",
                f"{self.sequence_parallel}: DeepSpeed's Ulysses puts the causal mask in place of every other, so that "
                "a response of a packed row would read those before it, and refuses the attention of the vision tower",
                "leave it out; gradient checkpointing, stage 3 and smaller micro_batch_tokens make room for long rows",
            )
        if policy.optimizer.name != "adamw":
            raise ConfigError(
                f"{stage}.policy.optimizer.name",
                f"{policy.optimizer.name!r} orthogonalises whole matrices, and ZeRO gives a rank pieces of them",
                "adamw, or backend: fsdp, which gathers each matrix on one rank for its step",
            )
        _refuse_float16(model)
        if model.dtype == "bfloat16" and self.stage == 1 and not self.offload_optimizer:
            raise ConfigError(
                "backend.stage",
                "1: for bfloat16 weights whose gradients add up in float32, DeepSpeed takes another optimiser in this "
                "stage, which keeps all gradients on every rank and isn't tested here",
                "stage: 2, which takes less memory, or offload_optimizer: true",
            )

    def open(self, loaded: LoadedModel, settings: PolicySettings) -> Policy:
        """The policy over the loaded model, or in stage 3 over a copy of it that is sharded."""
        return DeepSpeedPolicy(loaded, settings, self)

    def state_bytes(
        self, counts: ParameterCounts, model: ModelSettings, policy: PolicySettings, ranks: int
    ) -> dict[str, int]:
        """By stage; what is offloaded isn't on the device."""
        return zero_state_bytes(counts, model, policy, self, ranks)

    def start_bytes(
        self, counts: ParameterCounts, model: ModelSettings, policy: PolicySettings, ranks: int
    ) -> dict[str, int]:
        """Stage 3 copies the whole model before it is cut into shards."""
        if self.stage < 3:
            return {}
        weights = state_bytes(counts, model, policy)["weights"]
        return {"weights": weights, "copy to be sharded": weights}
