"""A model and its processor from a folder, a hub id, or built small on the spot; the same objects in each case."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from pydantic import Field, model_validator

from vlrl import dist
from vlrl.config import PACE, Settings
from vlrl.errors import ConfigError
from vlrl.model.attention.prompt_attention import AttentionName, check_attention, set_attention
from vlrl.model.families.decoder_reading import has_state
from vlrl.model.families.family import family_of
from vlrl.model.families.tiny_parts import TinyShape
from vlrl.model.folders.model_folder import open_folder, refuse_bad_values, refuse_other_weights
from vlrl.model.optimization.adapter_files import save_adapter
from vlrl.model.optimization.lora import plain_weights
from vlrl.model.sharding.sharded_reading import fill, meta_model
from vlrl.model.sharding.shards import Shards
from vlrl.model.sharding.streamed_saving import help_saving, save_streamed
from vlrl.model.tiny import build_tiny, check_architecture
from vlrl.model.vision.feature_cache import FeatureStore
from vlrl.model.vision.patch_embed import set_patch_products
from vlrl.runlog.atomic_files import whole_folder

# raises ConfigError for a configuration that can't be used on the device, with this context or in this dtype
Check = Callable[[Any, torch.device, int, torch.dtype], None]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class ModelSettings(Settings):
    """Where the policy comes from: `path` (a Hugging Face folder or hub id) or `build` (a small one on the spot)."""

    path: str | None = None
    build: str | None = None
    shape: TinyShape = TinyShape()
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    device: str = Field(default="auto", json_schema_extra=PACE)
    context: int | None = Field(default=None, ge=1, description="prompt and response tokens; default: the model's own")
    rope_base: float | None = Field(
        default=None, gt=1.0, description="base of the rotary positions instead of the model's own, for long contexts"
    )
    attention: AttentionName = Field(
        default="auto", description="how long packed rows attend; see set_attention", json_schema_extra=PACE
    )
    gradient_checkpointing: bool = Field(default=False, json_schema_extra=PACE)
    feature_store_mib: int = Field(
        default=1024,
        ge=0,
        description="features of images kept between passes while the tower's weights stay; MiB",
        json_schema_extra=PACE,
    )

    @model_validator(mode="after")
    def _one_origin(self) -> ModelSettings:
        if (self.path is None) == (self.build is None):
            raise ValueError("give either `path` (folder or hub id) or `build` (e.g. tiny-qwen3-vl), exactly one")
        if self.build is not None:
            check_architecture(self.build)
        return self


@dataclass(frozen=True)
class LoadedModel:
    """A transformers model with its processor.

    placeholder_ids   token ids that stand for images or videos: never sampled, and masked in every log-probability
    stop_ids          token ids that end a response
    context           prompt + response tokens that fit
    store             features of images that every pass of this model may share; None: each looks for itself
    shards            where its weights lie in shards over all ranks; None: they are whole
    """

    model: Any
    processor: Any
    placeholder_ids: tuple[int, ...]
    stop_ids: tuple[int, ...]
    context: int
    device: torch.device
    store: FeatureStore | None = None
    shards: Shards | None = None

    def reading(self) -> AbstractContextManager[None]:
        """Within the block this rank may run passes without gradients, as many as it likes. With weights in shards all
        ranks enter together, and leave when none has a pass left.
        """
        return nullcontext() if self.shards is None else self.shards.reading()

    def help_saving(self) -> None:
        """While the first rank saves the model: with weights in shards, give it this rank's."""
        if self.shards is not None:
            help_saving(self.shards.weights())

    @property
    def dtype(self) -> torch.dtype:
        """What the model computes in."""
        found: torch.dtype = self.model.dtype if self.shards is None else self.shards.dtype
        return found

    @property
    def config(self) -> Any:
        """The model's configuration."""
        return self.model.config

    @property
    def tokenizer(self) -> Any:
        """The processor's tokenizer."""
        return self.processor.tokenizer

    @property
    def chat_template(self) -> str:
        """The processor's chat template; "" where it has none."""
        return str(getattr(self.processor, "chat_template", "") or "")


def choose_device(name: str) -> torch.device:
    """`auto`: CUDA where there is one, else CPU; of several ranks each takes the CUDA device of its own number.

    Raises ConfigError for a device that isn't there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and dist.launched() and torch.cuda.is_available():
        name = f"cuda:{dist.local_rank()}"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError("model.device", f"{name!r} is not a device", "auto, cpu, cuda or cuda:0") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("model.device", f"{name!r}: this build of torch sees no CUDA device", "use auto or cpu")
    return device


def say_accelerator() -> None:
    """Without CUDA, say so to DeepSpeed: where it is installed, transformers imports it, and it would warn."""
    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")


def load_model(
    settings: ModelSettings,
    seed: int,
    texts: Callable[[], Iterable[str]],
    build_folder: Path,
    check: Check | None = None,
    in_shards: bool = False,
) -> LoadedModel:
    """The model that the settings name; a small one is written to `build_folder` first and loaded like any other.

    `texts` gives the texts that a small model's tokenizer is trained on; it is called only then.
    `check` looks at the configuration before weights are read.
    """
    say_accelerator()
    if settings.build is not None:
        build_tiny(settings.build, texts(), build_folder, seed, settings.shape)
        return load_folder(str(build_folder), settings, check, in_shards=in_shards)
    assert settings.path is not None
    return load_folder(settings.path, settings, check, in_shards=in_shards)


def load_folder(
    path: str,
    settings: ModelSettings,
    check: Check | None = None,
    place: str = "model.path",
    in_shards: bool = False,
) -> LoadedModel:
    """A model and processor from a folder or hub id. Raises ConfigError at `place` for everything wrong with it.

    `check` looks at the configuration before weights are read. With `in_shards` all ranks come together, and each reads
    its own rows of the weights.
    """
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    say_accelerator()
    device, dtype = choose_device(settings.device), DTYPES[settings.dtype]
    check_attention(settings.attention, device, dtype)
    opened = open_folder(path, place)
    config, processor = adapt_config(opened.config, settings), opened.processor
    if settings.gradient_checkpointing and has_state(config):
        raise ConfigError(
            "model.gradient_checkpointing",
            f"{config.model_type!r} has recurrent layers: a prompt's state is handed on, which checkpoints would drop",
            "leave it out, and take a smaller micro_batch_tokens",
        )
    if check is not None:
        check(config, device, context_of(config, settings), dtype)
    if in_shards:
        model = meta_model(opened.path, config, dtype, place)
    else:
        model = _whole_model(opened.path, config, dtype, path, place)
    set_attention(model, settings.attention, device, dtype)
    set_patch_products(model)
    model.eval()
    if settings.gradient_checkpointing:
        checkpoint_layers(model)
    shards = None
    if in_shards:
        shards = Shards(model, dtype, device)
        fill(model, shards, opened.path, place, device)
    else:
        model.to(device)
    context = context_of(model.config, settings)
    store = FeatureStore(model, settings.feature_store_mib * 2**20) if settings.feature_store_mib else None
    forbidden = placeholder_ids(model.config, processor.tokenizer)
    found = LoadedModel(model, processor, forbidden, stop_ids(model), context, device, store, shards)
    from vlrl.model.folders.reading_check import check_reading  # which reads with a loaded model

    check_reading(found, place)
    return found


def _whole_model(folder: Path, config: Any, dtype: torch.dtype, path: str, place: str) -> Any:
    try:
        loaded: Any = transformers.AutoModelForImageTextToText.from_pretrained(
            folder, config=config, dtype=dtype, output_loading_info=True, local_files_only=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(place, f"{path} can't be loaded: {error}", "give a vision-language model folder") from error
    model, told = loaded
    refuse_other_weights(told, path, place)
    refuse_bad_values(model, path, place)
    return model


def checkpoint_layers(model: Any) -> None:
    """Let layers be computed again in the backward pass."""
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.disable_input_require_grads()  # hooks that only reentrant checkpoints need; supported_decoders.py knows none


def random_model(config: Any, processor: Any, settings: ModelSettings) -> LoadedModel:
    """A model of this shape on its device, with random weights and no features kept: for what takes time alone."""
    device, dtype = choose_device(settings.device), DTYPES[settings.dtype]
    config = adapt_config(config, settings)
    with device:
        model: Any = transformers.AutoModelForImageTextToText.from_config(config, dtype=dtype)  # type: ignore[no-untyped-call]
    set_attention(model.eval(), settings.attention, device, dtype)
    set_patch_products(model)
    context = context_of(config, settings)
    return LoadedModel(model, processor, placeholder_ids(config, processor.tokenizer), (), context, device)


def context_of(config: Any, settings: ModelSettings) -> int:
    """Prompt and response tokens that fit: the settings' own, else the model's."""
    return settings.context or int(config.get_text_config().max_position_embeddings)


def adapt_config(config: Any, settings: ModelSettings) -> Any:
    """The configuration with the settings' context and rotary base: as the model is built, and as it is saved."""
    text = config.get_text_config()
    if settings.rope_base is not None:
        text.rope_parameters = {**text.rope_parameters, "rope_theta": settings.rope_base}
    if settings.context is not None:
        text.max_position_embeddings = max(settings.context, int(text.max_position_embeddings))
    return config


def placeholder_ids(config: Any, tokenizer: Any) -> tuple[int, ...]:
    """Ids of the tokens that stand for images and videos, or around them, in this architecture's prompts."""
    family, vocabulary = family_of(config), tokenizer.get_vocab()
    found = {getattr(config, name, None) for name in family.placeholder_fields(config)}
    found |= {family.image_token(config), *(vocabulary.get(mark) for mark in family.marks)}
    return tuple(sorted(i for i in found if isinstance(i, int) and i >= 0))


def stop_ids(model: Any) -> tuple[int, ...]:
    """Ids that end a response, from the generation config."""
    ids = model.generation_config.eos_token_id
    if ids is None:
        ids = model.config.get_text_config().eos_token_id
    if ids is None:
        raise ConfigError("model", "names no end token", "set eos_token_id in its generation_config.json")
    return tuple(ids) if isinstance(ids, list | tuple) else (int(ids),)


def save_model(loaded: LoadedModel, folder: Path) -> None:
    """Hugging Face format: loadable by transformers, vLLM and lmms-eval. Adapters are added in, and lie beside them in
    `adapter/` where they alone train. Of several ranks the first one saves, and the others `help_saving`.
    """
    if loaded.shards is not None:
        save_streamed(loaded.model, loaded.shards, loaded.processor, folder)
        return
    state = dict(plain_weights(loaded.model, loaded.model.state_dict().items()))
    with whole_folder(folder) as unfinished:
        loaded.model.save_pretrained(unfinished, state_dict=state)
        loaded.processor.save_pretrained(unfinished)
        save_adapter(loaded.model, unfinished)
