"""Small models of real architectures, built on the spot: Hugging Face folders that everything else loads as usual.

Each family says what its small model looks like (families/); families/tiny_parts.py has what they share.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import transformers

from vlrl.errors import ConfigError, did_you_mean
from vlrl.model.families.family import known_families
from vlrl.model.families.small import generic_models
from vlrl.model.families.tiny_parts import TinyModel, TinyShape, train_tokenizer
from vlrl.runlog.atomic_files import whole_folder


def tiny_models() -> dict[str, TinyModel]:
    """The small models of all registered families, and of those that are read in the generic way, by name."""
    own = {name: model for family in known_families() for name, model in family.tiny.items()}
    return {**generic_models(), **own}


def check_architecture(name: str) -> str:
    """The name itself. Raises ValueError with the closest known one."""
    known = tiny_models()
    if name not in known:
        raise ValueError(f"unknown small architecture {name!r}; {did_you_mean(name, known)}")
    return name


def small_parts(name: str, texts: Iterable[str], shape: TinyShape | None = None) -> tuple[Any, Any]:
    """(configuration, processor) of a small model, before any weight is made. `texts` train the tokenizer."""
    transformers.utils.logging.disable_progress_bar()
    shape, model = shape or TinyShape(), tiny_models()[check_architecture(name)]
    frame = "<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n"  # the template's own words become single tokens
    tokenizer = train_tokenizer([*texts, *[frame] * 1000], shape.vocabulary, model.special(shape))
    tokenizer.model_max_length = shape.context
    config = model.config(shape, tokenizer)
    config.dtype = "float32"
    try:
        return config, model.processor(shape, tokenizer)
    except ImportError as error:  # transformers' own of a library that some processors need
        line = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ConfigError("model.build", f"{name}: {line}", "install torchvision in the build of torch") from error


def build_tiny(name: str, texts: Iterable[str], folder: str | Path, seed: int, shape: TinyShape | None = None) -> Path:
    """Write a randomly initialised small model with its processor to `folder`; returns the folder.

    `texts` train the tokenizer. The same arguments write the same weights.
    """
    folder = Path(folder)
    config, processor = small_parts(name, texts, shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.AutoModelForImageTextToText.from_config(config)
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=config.text_config.eos_token_id, pad_token_id=config.text_config.pad_token_id
    )
    with whole_folder(folder) as place:
        model.save_pretrained(place)
        processor.save_pretrained(place)
    return folder
