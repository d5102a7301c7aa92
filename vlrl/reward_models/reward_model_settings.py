"""What a run says of its reward model, and what can be known of the folder before a weight is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

from pydantic import Field, model_validator

from vlrl.config import PACE, Settings
from vlrl.errors import ConfigError
from vlrl.model.load import ModelSettings
from vlrl.reward_models.judged_row import INSTRUCTION
from vlrl.reward_models.reward_model_card import CARD, HEAD_FILE, RewardModelCard, RewardModelKind, read_card
from vlrl.rollout.engine_registry import EngineField, EngineSettings, default_engine, name_of
from vlrl.verify.learned.asked_answer import MAX_ANSWER_CHARS
from vlrl.verify.learned.chat_endpoint import EndpointSettings

HERE = ("engine", "context", "device", "dtype", "micro_batch_tokens", "threshold")  # of weights that are read here
BARE = "`kind: chain_of_thought`"


class RewardModelSettings(Settings):
    """Which reward model judges, and how it is asked.

    path              folder that `vlrl reward-model train` left; with `kind: chain_of_thought` any model folder
    endpoint          a server that has the weights; `path` then says how the model was taught to read, if it was
    kind              classic or chain_of_thought; default: what the folder says
    threshold         probability from which on a classic model's answer is right
    swap              asks with answer and reference in each other's places, too: right is what both ways call right
    max_answer_chars  longer answers are wrong, and the model isn't asked
    max_tokens        of a reply; default: what the folder says, or 512
    batch             answers that are judged at a time
    sleeps            on a CUDA device the weights wait on the host between calls
    engine            of a model that reasons: `transformers` in the trainer's process, `vllm` in one of its own
    context           tokens of prompt and reply; default: the model's own
    """

    path: str | None = None
    endpoint: EndpointSettings | None = None
    kind: RewardModelKind | None = None
    threshold: float = Field(default=0.5, gt=0.0, lt=1.0)
    swap: bool = False
    max_answer_chars: int = Field(default=MAX_ANSWER_CHARS, ge=1)
    max_tokens: int | None = Field(default=None, ge=1)
    batch: int = Field(default=64, ge=1, json_schema_extra=PACE)
    micro_batch_tokens: int = Field(default=16_384, ge=1, json_schema_extra=PACE)
    device: str = Field(default="auto", json_schema_extra=PACE)
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    sleeps: bool = Field(default=True, json_schema_extra=PACE)
    engine: EngineField = Field(default_factory=default_engine)
    context: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_place(self) -> RewardModelSettings:
        if self.path is None and self.endpoint is None:
            raise ConfigError(
                "reward_model", "names no model", "give `path:` a trained one's folder, or `endpoint: {url, model}`"
            )
        if self.endpoint is not None:
            for name in HERE:
                if getattr(self, name) != type(self).model_fields[name].get_default(call_default_factory=True):
                    raise ConfigError(
                        f"reward_model.{name}", "says how weights are read here, and a server has them", "leave it out"
                    )
            if self.kind == "classic":
                raise ConfigError(
                    "reward_model.kind", "a classic reward model can't be asked in a chat", "leave `endpoint` out"
                )
        return self

    @model_validator(mode="after")
    def _an_engine_that_judges(self) -> RewardModelSettings:
        name = name_of(self.engine)
        if name not in ("transformers", "vllm"):
            raise ConfigError("reward_model.engine", f"{name!r} doesn't judge", "engine: transformers, or engine: vllm")
        if getattr(self.engine, "tensor_parallel_size", 1) > 1:
            raise ConfigError(
                "reward_model.engine.tensor_parallel_size",
                "each rank has a judge of its own",
                "leave it out, or name a server of your own by `endpoint`",
            )
        return self

    @property
    def apart(self) -> bool:
        """Whether it judges in a process of its own."""
        return name_of(self.engine) == "vllm"

    def model(self, device: str | None = None) -> ModelSettings:
        """How its weights are loaded."""
        return ModelSettings(
            path=str(self.weights), device=device or self.device, dtype=self.dtype, context=self.context
        )

    def engine_on(self, device: str) -> EngineSettings:
        """The engine as it runs: a vLLM that sleeps gives its memory back on CUDA."""
        if device == "cuda" and self.apart and self.sleeps and getattr(self.engine, "sleep", None) == "stay":
            return cast("EngineSettings", self.engine.model_copy(update={"sleep": "release"}))
        return cast("EngineSettings", self.engine)

    @property
    def folder(self) -> Path:
        """The folder of `path`."""
        assert self.path is not None, "a served model has none"
        return Path(self.path).expanduser()

    @property
    def read(self) -> Path | None:
        """What this run reads of it: weights, a served one's card, or nothing. Raises ConfigError as `card`."""
        if self.endpoint is None:
            return self.weights
        return None if self.path is None else self.folder / CARD

    def card(self, place: str = "reward_model") -> RewardModelCard:
        """What the folder says of its model. Raises ConfigError for one that holds no reward model of this kind."""
        card = self._card(place)
        return card if self.max_tokens is None else replace(card, max_tokens=self.max_tokens)

    def _card(self, place: str) -> RewardModelCard:
        bare = RewardModelCard("chain_of_thought", ".", INSTRUCTION, "")
        if self.path is None:
            return bare
        if not self.folder.is_dir():
            raise ConfigError(
                f"{place}.path", f"no such folder: {self.path}", "train one with `vlrl reward-model train`"
            )
        held = read_card(self.folder, f"{place}.path")
        if held is None and (self.kind != "chain_of_thought" or self.endpoint is not None):
            raise ConfigError(
                f"{place}.path",
                f"{self.path} holds no {CARD}",
                "name the folder classic or chain_of_thought of a trained one, or "
                + ("leave `path` out" if self.endpoint else f"say {BARE} of a model that follows instructions"),
            )
        card = held or bare
        wanted = "chain_of_thought" if self.endpoint is not None else self.kind
        if wanted is not None and card.kind != wanted:
            raise ConfigError(f"{place}.kind", f"is {wanted}, the folder holds a {card.kind} one", "leave it out")
        if self.endpoint is None:
            weights = self.folder / card.weights
            missing = [name for name in _files_of(card.kind) if not (weights / name).is_file()]
            if missing:
                raise ConfigError(f"{place}.path", f"{weights} has no {missing[0]}", "train the reward model again")
        return card

    @property
    def weights(self) -> Path:
        """The folder of the model's weights. Raises ConfigError as `card` does."""
        return self.folder / self.card().weights


def _files_of(kind: RewardModelKind) -> tuple[str, ...]:
    return ("config.json", HEAD_FILE) if kind == "classic" else ("config.json",)
