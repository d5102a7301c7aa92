"""What a config says of the engine on transformers' own modules, and what the engine declares of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field

from vlrl.config import PACE
from vlrl.errors import ConfigError
from vlrl.model.decoding.supported_decoders import known_decoders
from vlrl.model.load import LoadedModel
from vlrl.rollout.engine_registry import EngineCapabilities, EngineLoad, EngineMemory, EngineSettings, engines

if TYPE_CHECKING:
    from vlrl.rollout.transformers.transformers_engine import TransformersEngine


@engines.register("transformers")
class TransformersEngineSettings(EngineSettings):
    """How the engine on transformers' own modules decodes.

    max_num_seqs            responses that decode at once
    max_num_batched_tokens  prompt tokens, padding included, that they decode behind; also tokens of one forward pass
                            that reads prompts and unfinished responses, where a longer response is read alone
    """

    max_num_seqs: int = Field(default=1024, ge=1, json_schema_extra=PACE)
    max_num_batched_tokens: int = Field(default=16_384, ge=1, json_schema_extra=PACE)
    drop_share: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description="share of finished rows at which they are cut out; while responses wait for slots, at once",
        json_schema_extra=PACE,
    )

    decode_step: Literal["auto", "own", "model"] = Field(
        default="auto",
        description="tokens are read by a step of few operations (own) or the model's own forward pass (model); "
        "auto: own where every module of the decoder is known",
    )
    cuda_graphs: bool = Field(
        default=True, description="on CUDA, launch the own step as a graph while rows stay", json_schema_extra=PACE
    )

    @property
    def capabilities(self) -> EngineCapabilities:
        """Everything that a request may ask."""
        return EngineCapabilities(observed_images=True, next_turns=True, records_routing=True)

    def check(self, config: Any, device: torch.device, context: int, dtype: torch.dtype) -> None:
        """Any model that can be loaded will do. Raises ConfigError where `own` doesn't know the decoder."""
        kind = config.get_text_config().model_type
        if self.decode_step == "own" and kind not in known_decoders():
            raise ConfigError("engine.decode_step", f"own doesn't know {kind!r}", "decode_step: auto, or model")

    def check_adapters(self, place: str, parts: Sequence[str]) -> None:
        """Raises ConfigError for adapters in the decoder with `own`, which doesn't know such modules."""
        if "language" in parts and self.decode_step == "own":
            raise ConfigError(
                "engine.decode_step",
                f"is own, but {place} has adapters in the decoder, which own doesn't know",
                "decode_step: auto, or model",
            )

    def memory(self, load: EngineLoad) -> EngineMemory:
        """A wave of responses alone, since weights are the trainer's. On the CPU, layers in float32 have a packed copy
        besides, at most of the whole decoder; small ones have none.
        """
        packs = load.device.type == "cpu" and load.dtype == torch.float32
        wave = load.wave(self.max_num_seqs, self.max_num_batched_tokens)
        return EngineMemory({**wave, "packed weights": 4 * load.language if packs else 0}, {}, {})

    def open(self, loaded: LoadedModel) -> TransformersEngine:
        """The engine over the loaded model itself."""
        from vlrl.rollout.transformers.transformers_engine import TransformersEngine

        return TransformersEngine(loaded, self)
