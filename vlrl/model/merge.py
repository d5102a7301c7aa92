"""Long2short by merging (k1.5 §2.4): the weighted mean of two models' weights, shard by shard, without training."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from vlrl.errors import ConfigError
from vlrl.model.folders.model_folder import check_folder, is_finite
from vlrl.model.folders.weight_files import read_json, stored_tensors
from vlrl.runlog.atomic_files import whole_folder

OF_ONE = ("README.md", "adapter")  # true of one model alone: its card, its adapter
NOT_COMPARED = ("_name_or_path", "transformers_version", "dtype", "torch_dtype", "_attn_implementation")


def merge_models(first: Path, second: Path, weight: float, out: Path, replace: bool = False) -> Path:
    """Write `weight`·first + (1 − weight)·second in Hugging Face format to `out`; the rest is copied from `first`.

    The paper's merge has weight 0.5. Means are taken in float32 and written in the dtype of `first`; one shard of
    `first` is in memory at a time. Raises ConfigError, before anything is written, for a folder that is no whole model,
    another architecture, tokenizer, set of weights or shape, or an `out` that is there and not to be replaced; and for
    weights that are NaN or infinite, with nothing left behind.
    """
    if not 0.0 <= weight <= 1.0:
        raise ConfigError("merge, weight", f"{weight} is outside [0, 1]", "give the share of the first model")
    if out.exists() and not replace:
        raise ConfigError(f"merge, {out}", "is there already", "choose another folder")
    for folder in (first, second):
        check_folder(str(folder), "merge")
    _refuse_different(first, second)
    shards, of_second = _shards(first), {name: file for file, names in _shards(second).items() for name in names}
    with whole_folder(out) as place:
        ignored = shutil.ignore_patterns("*.safetensors", "*.bin", "*.pt", *OF_ONE)
        shutil.copytree(first, place, ignore=ignored, dirs_exist_ok=True)
        for file, names in shards.items():
            merged = {}
            with safe_open(file, framework="pt") as one:
                for name in names:
                    mine = one.get_tensor(name)
                    with safe_open(of_second[name], framework="pt") as other:
                        its = other.get_tensor(name)
                    for folder, tensor in ((first, mine), (second, its)):
                        _refuse_bad(tensor, name, f"merge, {folder}")
                    merged[name] = mean_of(mine, its, weight)
                    _refuse_bad(merged[name], name, "merge, the mean")
            save_file(merged, place / file.name, metadata={"format": "pt"})
    return out


def _refuse_bad(tensor: torch.Tensor, name: str, place: str) -> None:
    if not is_finite(tensor):
        raise ConfigError(
            place, f"weight {name!r} has NaN or infinite values", "take a model of an earlier step, which has none"
        )


def mean_of(first: torch.Tensor, second: torch.Tensor, weight: float) -> torch.Tensor:
    """weight·first + (1 − weight)·second in the dtype of `first`; at 0 and 1 exactly the one or the other."""
    if not first.is_floating_point():
        return first.clone()
    mixed = torch.lerp(second.float(), first.float(), weight)
    return mixed.to(first.dtype)


def _shards(folder: Path) -> dict[Path, list[str]]:
    """Weight files with the names in them."""
    held: dict[Path, list[str]] = {}
    for name, tensor in stored_tensors(folder, f"merge, {folder}").items():
        held.setdefault(tensor.file, []).append(name)
    return held


def _refuse_different(first: Path, second: Path) -> None:
    for key, one, other in _differences(_config(first), _config(second)):
        raise ConfigError(
            f"merge, {key}",
            f"{one!r} in {first}, {other!r} in {second}",
            "only models of one architecture can be merged",
        )
    vocabularies = [_tokenizer(folder) for folder in (first, second)]
    if vocabularies[0] != vocabularies[1]:
        raise ConfigError(
            "merge, tokenizer.json", f"{first} and {second} have different tokenizers", "merge models that share one"
        )
    shapes = [
        {name: list(tensor.shape) for name, tensor in stored_tensors(folder, f"merge, {folder}").items()}
        for folder in (first, second)
    ]
    for name in sorted(shapes[0].keys() ^ shapes[1].keys()):
        raise ConfigError(f"merge, weight {name!r}", f"is only in {first if name in shapes[0] else second}")
    for name, shape in shapes[0].items():
        if shape != shapes[1][name]:
            raise ConfigError(f"merge, weight {name!r}", f"has shape {shape} in {first}, {shapes[1][name]} in {second}")


def _config(folder: Path) -> dict[str, Any]:
    return read_json(folder / "config.json", f"merge, {folder}")


def _differences(one: dict[str, Any], other: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    for key in sorted((one.keys() | other.keys()) - set(NOT_COMPARED)):
        mine, its = one.get(key), other.get(key)
        if isinstance(mine, dict) and isinstance(its, dict):
            yield from _differences(mine, its, f"{prefix}{key}.")
        elif mine != its:
            yield f"{prefix}{key}", mine, its


def _tokenizer(folder: Path) -> Any:
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise ConfigError(f"merge, {folder}", "has no tokenizer.json", "give a Hugging Face model folder")
    held = read_json(file, f"merge, {folder}")
    return held.get("model"), held.get("added_tokens")
