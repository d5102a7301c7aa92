"""Whether a model folder holds what its config.json promises, found out before weights are read or anything is written.

The measure is the model itself: built on torch's meta device, it says which weights it has, and transformers' own
loading, given the headers of the weight files alone, says which are missing, over or of another shape. So renamings
between releases count as transformers counts them, and no list of names stands here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from vlrl.errors import ConfigError
from vlrl.model.families.family import family_of, refuse_other_reading
from vlrl.model.folders.hub import local_folder
from vlrl.model.folders.model_processor import load_processor
from vlrl.model.folders.weight_files import ADAPTERS, DOWNLOAD, StoredTensor, read_json, stored_tensors

VISION = "give a vision-language model folder"


@dataclass(frozen=True)
class ModelFolder:
    """A folder that was checked, with what was read on the way."""

    path: Path
    config: Any
    processor: Any


def check_folder(path: str, place: str) -> None:
    """Raises ConfigError at `place` for a path, or a hub id, that is no whole vision-language model.

    Answers are kept for as long as the folder's files stay as they are.
    """
    folder = local_folder(path, place)
    state = tuple(sorted((f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in folder.iterdir() if f.is_file()))
    if _whole.get(str(folder)) != state:
        open_folder(path, place)
        _whole[str(folder)] = state


_whole: dict[str, tuple[Any, ...]] = {}


def open_folder(path: str, place: str) -> ModelFolder:
    """The folder of a path or hub id with its configuration and processor.

    Raises ConfigError at `place`, with the file, the value and the remedy, for whatever is wrong with either of them or
    with the weights' names, shapes and dtypes. Values of weights are not read.
    """
    folder = local_folder(path, place)
    _refuse_other_things(folder, place)
    config = read_config(folder, place)
    processor = load_processor(folder, config, place)
    check_weights(folder, config, place)
    return ModelFolder(folder, config, processor)


def _refuse_other_things(folder: Path, place: str) -> None:
    files = [file for file in folder.iterdir() if not file.name.startswith(".")]
    if not files:
        raise ConfigError(place, f"{folder}: is an empty folder", VISION)
    if (folder / "config.json").is_file():
        return
    if (folder / ADAPTERS).is_file():
        base = read_json(folder / ADAPTERS, place).get("base_model_name_or_path")
        raise ConfigError(
            place,
            f"{folder}: holds adapters of {base or 'a model'}, not a model",
            "add them in with peft (PeftModel.from_pretrained(…).merge_and_unload()) and save the whole model",
        )
    inside = sorted(file.parent.name for file in folder.glob("*/config.json"))
    raise ConfigError(
        place,
        f"{folder}: has no config.json",
        f"did you mean {folder / inside[0]}?" if inside else VISION,
    )


def read_config(folder: Path, place: str) -> Any:
    """The configuration of a vision-language model of a known family. Raises ConfigError at `place`."""
    file = folder / "config.json"
    written = read_json(file, place)
    if not isinstance(written.get("model_type"), str):
        raise ConfigError(place, f"{file}: names no model_type", VISION)
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # whatever transformers raises about a user's file is about that file
        raise ConfigError(place, f"{file}: {_line(error)}", VISION) from error
    if type(config) not in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise ConfigError(place, f"{file}: {config.model_type!r} is a model without a vision tower", VISION)
    family_of(config, place)
    refuse_other_reading(config, place)
    if getattr(config, "quantization_config", None):
        raise ConfigError(place, f"{file}: the weights are quantised", "give the folder of the unquantised model")
    return config


def class_of(config: Any) -> Any:
    """transformers' model class of a configuration."""
    return transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING[type(config)]


def check_weights(folder: Path, config: Any, place: str) -> None:
    """Raises ConfigError at `place` unless the folder's files hold exactly the weights of this configuration."""
    stored = stored_tensors(folder, place)
    transformers.utils.logging.disable_progress_bar()
    before = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity(logging.CRITICAL)
    try:
        _, told = class_of(config).from_pretrained(
            None,
            config=config,
            state_dict={name: tensor.on_meta() for name, tensor in stored.items()},
            device_map="meta",
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    except Exception as error:  # sizes that don't go together fail anywhere in a model's constructor
        raise ConfigError(
            place, f"{folder}: its config.json makes no model of these weights: {_line(error)}", VISION
        ) from error
    finally:
        transformers.utils.logging.set_verbosity(before)
    refuse_other_weights(told, folder, place)
    _refuse_surplus(folder, stored, told, place)


def refuse_other_weights(told: Mapping[str, Any], folder: Path | str, place: str) -> None:
    """Raises ConfigError at `place` for weights that were missing or of another shape when a model was loaded.

    told  transformers' loading info
    """
    for name, stored, expected in sorted(told["mismatched_keys"], key=str):
        raise ConfigError(
            place,
            f"{folder}: {name} has shape {list(stored)} in the file, {list(expected)} by config.json",
            f"config.json or the weights are another model's; {DOWNLOAD}",
        )
    missing = sorted(told["missing_keys"])
    if missing:
        raise ConfigError(
            place,
            f"{folder}: {_count(missing, 'weight')}, of the model that config.json names, missing from the files",
            _remedy_of(missing),
        )
    if told["error_msgs"]:
        raise ConfigError(place, f"{folder}: {_line(told['error_msgs'][0])}", DOWNLOAD)


def _refuse_surplus(folder: Path, stored: Mapping[str, StoredTensor], told: Mapping[str, Any], place: str) -> None:
    surplus = sorted(told["unexpected_keys"])
    if surplus:
        raise ConfigError(
            place,
            f"{folder}: {_count(surplus, 'weight')} in the files, which the model of config.json hasn't",
            f"config.json or the weights are another model's; {DOWNLOAD}",
        )


def _remedy_of(missing: Iterable[str]) -> str:
    tied = "; or the model ties its embeddings: set tie_word_embeddings" if "lm_head.weight" in missing else ""
    return f"config.json or the weights are another model's{tied}; {DOWNLOAD}"


def refuse_bad_values(model: Any, folder: Path | str, place: str) -> None:
    """Raises ConfigError at `place` for a loaded model with NaN or infinite weights, or with two different tensors
    where its configuration ties them to one.
    """
    bad = [name for name, tensor in model.state_dict().items() if not is_finite(tensor)]
    if bad:
        raise ConfigError(
            place,
            f"{folder}: {_count(bad, 'weight')} with NaN or infinite values as {model.dtype}",
            "the file is damaged, or the training that wrote it diverged: take an earlier one"
            + ("; or load it in float32" if model.dtype == torch.float16 else ""),
        )
    held = dict(model.named_parameters(remove_duplicate=False))
    # asked once more: when the two differ, transformers has taken the pair out of what it noted at the start
    for name, source in model.get_expanded_tied_weights_keys(all_submodels=True).items():
        one, other = held.get(name), held.get(source)
        if one is not None and other is not None and one.data_ptr() != other.data_ptr():
            raise ConfigError(
                place,
                f"{folder}: config.json ties {name} to {source}, the files hold two different tensors",
                "set tie_word_embeddings to false in config.json, or save the model as it is meant",
            )


def is_finite(tensor: torch.Tensor) -> bool:
    """Whether no value is NaN or infinite. Tensors of whole numbers are."""
    if not tensor.is_floating_point():
        return True
    with torch.no_grad():  # a sum needs no second tensor, and one bad value makes it so
        return bool(torch.isfinite(tensor.sum(dtype=torch.float32))) or bool(torch.isfinite(tensor).all())


def _count(names: list[str], noun: str) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{noun}s {names[0]}{more}" if more else f"{noun} {names[0]}"


def _line(error: object) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
