"""What a user says of vLLM, and what is refused before any of it is started."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field

from vlrl.config import PACE
from vlrl.errors import ConfigError
from vlrl.installation.extras import install_vllm
from vlrl.model.cost import CostModel, head_size
from vlrl.model.families.family import family_of
from vlrl.model.load import LoadedModel
from vlrl.rollout.engine_registry import EngineCapabilities, EngineLoad, EngineMemory, EngineSettings, engines
from vlrl.rollout.vllm.vllm_library import GIB

if TYPE_CHECKING:
    from vlrl.rollout.vllm.vllm_engine import VllmEngine

CPU_CACHE_GIB = 1.0  # for keys and values where cache_gib says nothing
CPU_HEADS = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)


@engines.register("vllm")
class VllmEngineSettings(EngineSettings):
    """`max_num_seqs` responses are written at once; `max_num_batched_tokens` tokens go through one forward pass at
    most.

    sleep  what `sleep` does while the policy trains. `stay`: everything stays where it is. `release`: weights and keys
           and values leave the device (CUDA). `restart`: the engine ends and a new one starts at the next rollout,
           which frees all it had on any device and takes seconds
    """

    max_num_seqs: int = Field(default=256, ge=1, json_schema_extra=PACE)
    max_num_batched_tokens: int = Field(default=8192, ge=1, json_schema_extra=PACE)
    block_tokens: int = Field(
        default=32, ge=32, multiple_of=32, description="tokens of one block of keys and values", json_schema_extra=PACE
    )
    cache_gib: float | None = Field(
        default=None,
        gt=0,
        description="GiB for keys and values; default: 1 on CPU, what memory_share leaves on CUDA",
        json_schema_extra=PACE,
    )
    memory_share: float = Field(
        default=0.5, gt=0, lt=1, description="share of a CUDA device's memory for the engine", json_schema_extra=PACE
    )
    eager: bool = Field(
        default=False,
        description="no CUDA graphs: a faster start, slower tokens; CPU is always eager",
        json_schema_extra=PACE,
    )
    sleep: Literal["stay", "release", "restart"] = Field(default="stay", json_schema_extra=PACE)
    restarts: int = Field(
        default=1, ge=0, description="how often what an engine failed at is redone on a new one", json_schema_extra=PACE
    )
    tensor_parallel_size: int = Field(
        default=1,
        ge=1,
        description="neighbouring ranks of the trainer that are one engine together; the number of ranks is a multiple",
        json_schema_extra=PACE,
    )

    @property
    def capabilities(self) -> EngineCapabilities:
        """It says of most responses that they have ended only when they have, and its sampler starts at a first token
        alone.
        """
        return EngineCapabilities(
            observed_images=True,
            next_turns=True,
            exact_resume=False,
            early_exit=False,
            in_step=True,
            ranks_per_engine=self.tensor_parallel_size,
            library="vllm",
            remedy=f"{install_vllm()}, or engine: transformers",
        )

    def check_ranks(self, ranks: int) -> None:
        """Raises ConfigError for a number of ranks that isn't a multiple of `tensor_parallel_size`."""
        if ranks % self.tensor_parallel_size:
            raise ConfigError(
                "engine.tensor_parallel_size",
                f"is {self.tensor_parallel_size}: this many ranks of the trainer are one engine, and there "
                f"{'is 1' if ranks == 1 else f'are {ranks}'}",
                "start a multiple of it with torchrun, or leave it out; an actor of a pool is one process, so "
                "engine: {name: ray, gpus_per_actor: 1, engine: {name: vllm}} takes several engines instead",
            )

    def check(self, config: Any, device: torch.device, context: int, dtype: torch.dtype) -> None:
        """Raises ConfigError for an architecture, heads or a way to sleep that vLLM hasn't on this device, or a cache
        that can't hold one response of the whole context.
        """
        if not family_of(config).vllm_patches:
            raise ConfigError(
                "engine", f"'vllm' does not take the images of {config.model_type}", "use engine: transformers"
            )
        width = head_size(config.get_text_config())
        if device.type == "cpu" and width not in CPU_HEADS:
            raise ConfigError(
                "engine",
                f"vLLM's attention on CPU has no heads of {width}, only of {CPU_HEADS}",
                "engine: transformers",
            )
        self._check_heads(config)
        if self.sleep == "release" and device.type != "cuda":
            raise ConfigError(
                "engine.sleep",
                f"'release' needs CUDA, the engine is on {device.type}",
                "sleep: stay, or sleep: restart, which frees memory on any device",
            )
        if self.cache_gib is not None or device.type == "cpu":
            room = self.cache_bytes(device, 0, 0)
            self._check_room("engine.cache_gib", room, self._needed(config, context, dtype), context)

    def check_memory(
        self, config: Any, device: torch.device, context: int, dtype: torch.dtype, device_bytes: int, weights: int
    ) -> None:
        """As `check`, of a cache that takes what `memory_share` of the device leaves beside the weights."""
        if self.cache_gib is None and device.type == "cuda":
            room = self.cache_bytes(device, device_bytes, weights)
            self._check_room("engine.memory_share", room, self._needed(config, context, dtype), context)

    def _check_heads(self, config: Any) -> None:
        """Raises ConfigError for sizes that `tensor_parallel_size` ranks can't share out evenly, as vLLM does: heads
        and inner columns of feed-forward layers, of decoder and tower. Fewer heads of keys and values than ranks are
        held by several ranks each.
        """
        n = self.tensor_parallel_size
        if n == 1:
            return
        text, vision = config.get_text_config(), config.vision_config
        keys = int(text.num_key_value_heads)
        sizes = {
            "num_attention_heads": int(text.num_attention_heads),
            "intermediate_size": int(text.intermediate_size),
            "vision_config.num_heads": int(vision.num_heads),
            "vision_config.intermediate_size": family_of(config).tower(config).mlp_width,
        }
        uneven = [f"{name} {size}" for name, size in sizes.items() if size % n]
        if keys % n and n % keys:
            uneven.append(f"num_key_value_heads {keys}")
        if uneven:
            fits = [m for m in range(1, n) if not any(s % m for s in sizes.values()) and not (keys % m and m % keys)]
            raise ConfigError(
                "engine.tensor_parallel_size",
                f"{n} ranks can't share this model's {', '.join(uneven)} out evenly",
                f"engine.tensor_parallel_size: {max(fits)}, or another divisor of all of them",
            )

    def _needed(self, config: Any, context: int, dtype: torch.dtype) -> int:
        """Bytes that a rank needs of one response of the whole context."""
        return self._own_heads(config, needed_bytes(config, context, dtype, self.block_tokens))

    def _own_heads(self, config: Any, cache: int) -> int:
        """A rank's part of keys and values of this many bytes: its share of the heads, one at least."""
        keys = int(config.get_text_config().num_key_value_heads)
        return ceil(cache / min(keys, self.tensor_parallel_size))

    @staticmethod
    def _check_room(place: str, room: int, needed: int, context: int) -> None:
        """vLLM starts only where one response of the whole context fits."""
        if needed > room:
            raise ConfigError(
                place,
                f"leaves {room / GIB:.3g} GiB for keys and values, one response of the whole context of "
                f"{context:,} tokens takes {needed / GIB:.3g} GiB",
                f"raise it, to engine.cache_gib: {ceil(1000 * needed / GIB) / 1000} or more, or lower model.context",
            )

    def cache_bytes(self, device: torch.device, device_bytes: int, weights: int) -> int:
        """Bytes that a rank's keys and values take where the whole weights have this many bytes; all of them from the
        engine's start on.
        """
        if self.cache_gib is None and device.type != "cpu":
            return max(0, int(self.memory_share * device_bytes) - self.own_weights(weights))
        return int((self.cache_gib or CPU_CACHE_GIB) * GIB)

    def own_weights(self, weights: int) -> int:
        """A rank's share of the engine's weights; norms, which are whole on every rank, are too small to count."""
        return ceil(weights / self.tensor_parallel_size)

    def memory(self, load: EngineLoad) -> EngineMemory:
        """An engine beside the trainer, with weights and a cache of its own; it sets apart what it reads with. Adapted
        layers are merged into copies while it takes their weights. Of several ranks that are one engine: one rank's
        share.
        """
        cache = self.cache_bytes(load.device, load.device_bytes, load.weights)
        beside = {"engine's weights": self.own_weights(load.weights), "keys and values": cache}
        merged = {"merged weights": load.merged} if load.merged else {}
        logits = load.wave(self.max_num_seqs, self.max_num_batched_tokens)["logits"]
        asleep = beside if self.sleep == "stay" else {}
        return EngineMemory({**beside, "logits": logits, **merged}, beside, asleep, given=load.weights)

    def open(self, loaded: LoadedModel) -> VllmEngine:
        """The engine beside the loaded model; it starts at its first use."""
        from vlrl.rollout.vllm.vllm_engine import VllmEngine  # it is made from these settings

        return VllmEngine(loaded, self)


def needed_bytes(config: Any, context: int, dtype: torch.dtype, block_tokens: int) -> int:
    """Keys and values of one response of the whole context, all heads, in blocks; vLLM keeps one more to itself."""
    blocks = ceil(context / block_tokens) + 1
    return CostModel(config, {}, dtype.itemsize).cache_bytes(blocks * block_tokens)
