"""Training backends by name: `backend: torch` or `backend: {name: …, …}` in a config is the object that opens it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from vlrl.config import Settings
from vlrl.errors import ConfigError
from vlrl.installation.extras import install
from vlrl.model.load import LoadedModel, ModelSettings
from vlrl.model.training.deepspeed_library import ZeroSettings
from vlrl.model.training.deepspeed_policy import DeepSpeedPolicy
from vlrl.model.training.policy import Policy
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.registry import Registry


class BackendSettings(Settings):
    """Base of every backend's settings.

    library, remedy  the module that must be installed, None: no other; and how to get it
    """

    library: ClassVar[str | None] = None
    remedy: ClassVar[str] = ""

    @abstractmethod
    def check(self, stage: str, model: ModelSettings, policy: PolicySettings) -> None:
        """Raises ConfigError, before a model is loaded, for what the backend can't do exactly."""

    @abstractmethod
    def open(self, loaded: LoadedModel, settings: PolicySettings) -> Policy:
        """The policy over the loaded model."""


backends: Registry[Any] = Registry("backend", base=BackendSettings)


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


@backends.register("deepspeed")
class DeepSpeedBackend(ZeroSettings, BackendSettings):
    """DeepSpeed's ZeRO over the ranks that a launcher started."""

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
                "adamw, or backend: torch, which keeps whole weights on every rank",
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
