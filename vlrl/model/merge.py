"""Long2short by merging (row K35): the weighted mean of two models' weights, shard by shard, without training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from vlrl.errors import ConfigError

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
NOT_COMPARED = ("_name_or_path", "transformers_version", "dtype", "torch_dtype", "_attn_implementation")


def merge_models(first: Path, second: Path, weight: float, out: Path) -> Path:
    """Write `weight`·first + (1 − weight)·second in Hugging Face format to `out`; the rest is copied from `first`.

    The paper's merge has weight 0.5. Means are taken in float32 and written in the dtype of `first`; one shard of
    `first` is in memory at a time. Raises ConfigError, before anything is written, for a folder without safetensors,
    another architecture, tokenizer, set of weights or shape, or an `out` that is there.
    """
    if not 0.0 <= weight <= 1.0:
        raise ConfigError("merge, weight", f"{weight} is outside [0, 1]", "give the share of the first model")
    if out.exists():
        raise ConfigError(f"merge, {out}", "is there already", "choose another folder")
    _refuse_different(first, second)
    shards, of_second = _shards(first), {name: file for file, names in _shards(second).items() for name in names}
    temporary = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(first, temporary, ignore=shutil.ignore_patterns("*.safetensors", "*.bin", "*.pt"))
    for file, names in shards.items():
        merged = {}
        with safe_open(file, framework="pt") as one:
            for name in names:
                mine = one.get_tensor(name)
                with safe_open(of_second[name], framework="pt") as other:
                    merged[name] = mean_of(mine, other.get_tensor(name), weight)
        save_file(merged, temporary / file.name, metadata={"format": "pt"})
    temporary.rename(out)
    return out


def mean_of(first: torch.Tensor, second: torch.Tensor, weight: float) -> torch.Tensor:
    """weight·first + (1 − weight)·second in the dtype of `first`; at 0 and 1 exactly the one or the other."""
    if not first.is_floating_point():
        return first.clone()
    mixed = torch.lerp(second.float(), first.float(), weight)
    return mixed.to(first.dtype)


def _shards(folder: Path) -> dict[Path, list[str]]:
    """Weight files with the names in them."""
    index = folder / INDEX
    if index.is_file():
        held: dict[Path, list[str]] = {}
        for name, file in json.loads(index.read_text(encoding="utf-8"))["weight_map"].items():
            held.setdefault(folder / file, []).append(name)
        return held
    if not (folder / SINGLE).is_file():
        raise ConfigError(f"merge, {folder}", f"has neither {SINGLE} nor {INDEX}", "give a Hugging Face model folder")
    with safe_open(folder / SINGLE, framework="pt") as file:
        return {folder / SINGLE: list(file.keys())}


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
    shapes = [dict(_shapes(folder)) for folder in (first, second)]
    for name in sorted(shapes[0].keys() ^ shapes[1].keys()):
        raise ConfigError(f"merge, weight {name!r}", f"is only in {first if name in shapes[0] else second}")
    for name, shape in shapes[0].items():
        if shape != shapes[1][name]:
            raise ConfigError(f"merge, weight {name!r}", f"has shape {shape} in {first}, {shapes[1][name]} in {second}")


def _config(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    if not file.is_file():
        raise ConfigError(f"merge, {folder}", "has no config.json", "give a Hugging Face model folder")
    held: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return held


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
    held = json.loads(file.read_text(encoding="utf-8"))
    return held["model"], held.get("added_tokens")


def _shapes(folder: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    for file, names in _shards(folder).items():
        with safe_open(file, framework="pt") as held:
            for name in names:
                yield name, tuple(held.get_slice(name).get_shape())
