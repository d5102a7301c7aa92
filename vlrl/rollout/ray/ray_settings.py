"""Settings of the pool of Ray actors: `engine: {name: ray, …}`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from pydantic import Field, model_validator

from vlrl.config import PACE, Settings
from vlrl.errors import ConfigError
from vlrl.model.load import LoadedModel
from vlrl.registry import component_field
from vlrl.rollout.engine_registry import engines
from vlrl.rollout.ray.ray_cluster import REMEDY
from vlrl.rollout.transformers.transformers_engine import TransformersEngineSettings

if TYPE_CHECKING:
    from vlrl.rollout.ray.ray_pool import RayPool


@engines.register("ray")
class RayPoolSettings(Settings):
    """`actors` engines in processes of their own. `engine` says which, with its settings."""

    library: ClassVar[str] = "ray"
    serves_all_ranks: ClassVar[bool] = True
    remedy: ClassVar[str] = REMEDY

    actors: int = Field(default=2, ge=1, json_schema_extra=PACE)
    engine: component_field(engines, default="transformers") = Field(default_factory=TransformersEngineSettings)  # type: ignore[valid-type]
    address: str | None = Field(
        default=None, description="auto or host:port of a cluster; default: our own, here", json_schema_extra=PACE
    )
    cpus_per_actor: float = Field(
        default=1.0, gt=0.0, description="CPUs and torch threads of an actor", json_schema_extra=PACE
    )
    gpus_per_actor: float = Field(
        default=0.0, ge=0.0, le=1.0, description="0: the actors' models lie on the CPU", json_schema_extra=PACE
    )
    resources_per_actor: dict[str, float] = Field(
        default={}, description="custom Ray resources, e.g. {rollout: 1}", json_schema_extra=PACE
    )
    pieces_per_actor: int = Field(
        default=2, ge=1, description="pieces of one call that an actor gets on average", json_schema_extra=PACE
    )
    tries: int = Field(
        default=4, ge=1, description="actors that one request may lose before it is named", json_schema_extra=PACE
    )
    start_timeout_seconds: float = Field(
        default=600.0, gt=0.0, description="without any actor at work", json_schema_extra=PACE
    )
    shard_mib: int = Field(default=256, ge=1, description="MiB of weights in one shared object", json_schema_extra=PACE)
    object_store_gib: float | None = Field(
        default=None,
        gt=0.0,
        description="shared memory of our own cluster; default: from the model's size",
        json_schema_extra=PACE,
    )
    resize_file: str | None = Field(
        default=None,
        description="a file with the number of actors, read while the run goes on; need not exist",
        json_schema_extra=PACE,
    )

    @model_validator(mode="after")
    def _can_be_opened(self) -> RayPoolSettings:
        if isinstance(self.engine, RayPoolSettings):
            raise ConfigError("engine.engine", "is a Ray pool again", "use transformers or vllm")
        if self.object_store_gib is not None and self.address is not None:
            raise ConfigError(
                "engine.object_store_gib", "belongs to a cluster of our own, but engine.address is given", "drop one"
            )
        return self

    @property
    def leaves_early(self) -> bool:
        """Whether its engines may leave responses unfinished that only hold others up."""
        return bool(getattr(self.engine, "leaves_early", True))

    @property
    def max_num_seqs(self) -> int:
        """Responses that one actor writes at once at most."""
        return int(self.engine.max_num_seqs)

    @property
    def max_num_batched_tokens(self) -> int:
        """Prompt tokens of one forward pass of an actor at most."""
        return int(self.engine.max_num_batched_tokens)

    def check(self, config: Any, device: torch.device, context: int, dtype: torch.dtype) -> None:
        """Its actors' engines say what they can't take, on the actors' devices. `device` is the policy's."""
        self._leave_its_gpu_to_the_policy(device)
        self.engine.check(config, torch.device(self.device), context, dtype)
        if device.type == "cuda" and not self.gpus_per_actor:
            warnings.warn(
                f"engine.gpus_per_actor is 0: the policy is on {device}, the actors' models lie on the CPU; "
                "gpus_per_actor: 1 gives each a GPU of a cluster (docs/ray.md)",
                stacklevel=2,
            )

    def _leave_its_gpu_to_the_policy(self, device: torch.device) -> None:
        """Ray would count all of this machine's GPUs and give the first to the first actor."""
        if device.type == "cuda" and self.gpus_per_actor and self.address is None:
            raise ConfigError(
                "engine.gpus_per_actor",
                f"{self.gpus_per_actor:g} without engine.address: the policy is on {device}, and a cluster of our own "
                "would give that GPU to an actor, too",
                "start a cluster that leaves it out, TRAINER_GPUS=1 scripts/launch/ray_head.sh, and set address: auto",
            )

    @property
    def device(self) -> str:
        """Where the actors' models lie."""
        return "cuda" if self.gpus_per_actor else "cpu"

    def open(self, loaded: LoadedModel) -> RayPool:
        """The pool with its first actor at work. Raises EngineError where no actor starts, and ConfigError where an
        actor would get the policy's GPU.
        """
        from vlrl.rollout.ray.ray_pool import RayPool  # it is made from these settings

        self._leave_its_gpu_to_the_policy(loaded.device)
        return RayPool(loaded, self)
