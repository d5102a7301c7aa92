"""Settings of the pool of Ray actors: `engine: {name: ray, …}`."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field, model_validator

from vlrl.config import PACE
from vlrl.errors import ConfigError
from vlrl.model.load import LoadedModel
from vlrl.registry import PLUGIN
from vlrl.rollout.engine_registry import (
    EngineCapabilities,
    EngineField,
    EngineLoad,
    EngineMemory,
    EngineSettings,
    Parts,
    default_engine,
    engines,
)
from vlrl.rollout.ray.ray_cluster import REMEDY, store_bytes

if TYPE_CHECKING:
    from vlrl.rollout.ray.ray_pool import RayPool


@engines.register("ray")
class RayPoolSettings(EngineSettings):
    """`actors` engines in processes of their own. `engine` says which, with its settings."""

    actors: int = Field(default=2, ge=1, json_schema_extra=PACE)
    engine: EngineField = Field(default_factory=default_engine)
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
        if self.engine.inner is not None:
            raise ConfigError("engine.engine", "is a pool again", "use transformers or vllm")
        if type(self.engine).__module__.startswith(PLUGIN):
            raise ConfigError(
                "engine.engine",
                f"{type(self.engine).__name__} is defined in a plugin file, which actors on other machines don't have",
                "define it in an installed package, and import and register it in the plugin file",
            )
        if self.object_store_gib is not None and self.address is not None:
            raise ConfigError(
                "engine.object_store_gib", "belongs to a cluster of our own, but engine.address is given", "drop one"
            )
        return self

    @property
    def inner(self) -> EngineSettings:
        """What writes in each actor."""
        engine: EngineSettings = self.engine
        return engine

    @property
    def capabilities(self) -> EngineCapabilities:
        """What its actors' engines can; they are processes of their own, whatever those engines make in them."""
        return replace(
            self.inner.capabilities,
            serves_all_ranks=True,
            next_turns=False,
            in_step=False,
            ranks_per_engine=1,
            library="ray",
            remedy=REMEDY,
        )

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

    def check_ranks(self, ranks: int) -> None:
        """An actor is one process, however many ranks the trainer has."""
        self.inner.check_ranks(1)

    def check_memory(
        self, config: Any, device: torch.device, context: int, dtype: torch.dtype, device_bytes: int, weights: int
    ) -> None:
        """As its actors' engines do where their devices are of the policy's kind; nothing is known of others."""
        if torch.device(self.device).type == device.type:
            self.inner.check_memory(config, torch.device(self.device), context, dtype, device_bytes, weights)

    def memory(self, load: EngineLoad) -> EngineMemory:
        """Each actor has a model and what its engine holds, which may be a second copy of the weights; adapters come
        added in. All of them count where the trainer's memory is theirs, on this machine's CPU, with the weights that
        an engine was given last, too; one of them where it has a device of the policy's kind.
        """
        held = self.inner.memory(replace(load, ranks=1, merged=0))
        if self.gpus_per_actor and load.device.type == "cuda":
            return EngineMemory({}, {}, {}, apart={"actor's model": load.weights, **held.writing})
        if self.gpus_per_actor or self.address is not None or load.device.type != "cpu":
            return EngineMemory({}, {}, {})
        store = {"actors' shared memory": store_bytes(load.weights, self.object_store_gib)}

        def actors(parts: Parts) -> Parts:
            return {"actors": self.actors * (load.weights + held.given + sum(parts.values())), **store}

        return EngineMemory(actors(held.writing), actors(held.awake), actors(held.asleep))

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
