"""The weight files of a model folder, read as far as their headers: names, shapes and dtypes of the tensors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from vlrl.errors import ConfigError

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
ADAPTERS = "adapter_config.json"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")
POINTER = b"version https://git-lfs"
DOWNLOAD = "download the folder once more (`hf download NAME --local-dir FOLDER`), or copy it whole"
DTYPES = {  # what a trained weight may be stored in, by safetensors' names
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}


@dataclass(frozen=True)
class StoredTensor:
    """One tensor as the header of its file tells it."""

    file: Path
    shape: tuple[int, ...]
    dtype: str

    def on_meta(self) -> torch.Tensor:
        """A tensor of this shape and dtype without memory."""
        return torch.empty(self.shape, dtype=DTYPES[self.dtype], device="meta")


def read_json(file: Path, place: str) -> dict[str, Any]:
    """A JSON object. Raises ConfigError at `place` for a file that is missing, a pointer, damaged or another value."""
    refuse_pointer(file, place)
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(place, f"{file}: can't be read: {error.strerror or error}", DOWNLOAD) from error
    except ValueError as error:
        raise ConfigError(place, f"{file}: is no JSON ({error})", DOWNLOAD) from error
    if not isinstance(held, dict):
        raise ConfigError(place, f"{file}: holds a {type(held).__name__} where an object belongs", DOWNLOAD)
    return held


def refuse_pointer(file: Path, place: str) -> None:
    """Raises ConfigError at `place` for a file that only points to its content (Git LFS), or is empty."""
    if not file.is_file():
        return
    with open(file, "rb") as opened:
        start = opened.read(len(POINTER))
    if start == POINTER:
        raise ConfigError(place, f"{file}: is a Git LFS pointer, not the file", "run `git lfs pull` in its folder")
    if not start:
        raise ConfigError(place, f"{file}: is empty", DOWNLOAD)


def missing_files(folder: Path) -> list[str]:
    """Names of files that a whole model folder has and this one lacks; the shards that its index names among them."""
    missing = [] if (folder / "config.json").is_file() else ["config.json"]
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        missing.append("tokenizer.json")
    if (folder / INDEX).is_file():
        try:
            shards = set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return [*missing, INDEX]
        return missing + sorted(str(name) for name in shards if not (folder / str(name)).is_file())
    return missing if (folder / SINGLE).is_file() else [*missing, SINGLE]


def stored_tensors(folder: Path, place: str) -> dict[str, StoredTensor]:
    """Every tensor of the folder's safetensors files by its name there; of an index, those that it names.

    Raises ConfigError at `place` for a folder without them, a shard that is missing, cut off or a pointer, a tensor
    that isn't in its shard, and a dtype that can't be trained.
    """
    index = folder / INDEX
    if index.is_file():
        named = read_json(index, place).get("weight_map")
        if not isinstance(named, dict) or not named:
            raise ConfigError(place, f"{index}: has no weight_map", DOWNLOAD)
        files = sorted({str(file) for file in named.values()})
        absent = [file for file in files if not (folder / file).is_file()]
        if absent:
            raise ConfigError(
                place, f"{folder}: {len(absent)} of {len(files)} shards are missing, first {absent[0]}", DOWNLOAD
            )
        held = {file: _header(folder / file, place) for file in files}
        for name, file in named.items():
            if name not in held[str(file)]:
                raise ConfigError(place, f"{folder / str(file)}: has no {name}, which {INDEX} places there", DOWNLOAD)
        found = {name: held[str(file)][name] for name, file in named.items()}
    elif (folder / SINGLE).is_file():
        found = _header(folder / SINGLE, place)
    else:
        raise _no_weights(folder, place)
    for name, tensor in found.items():
        if tensor.dtype not in DTYPES:
            raise ConfigError(
                place,
                f"{tensor.file}: {name} is stored as {tensor.dtype}",
                f"give weights in {', '.join(DTYPES)}; quantised ones can't be trained",
            )
    return found


def _header(file: Path, place: str) -> dict[str, StoredTensor]:
    refuse_pointer(file, place)
    try:
        with safe_open(file, framework="pt") as opened:
            slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
            return {name: StoredTensor(file, tuple(s.get_shape()), s.get_dtype()) for name, s in slices.items()}
    except (SafetensorError, OSError) as error:
        raise ConfigError(place, f"{file}: is cut off or damaged ({error})", DOWNLOAD) from error


def _no_weights(folder: Path, place: str) -> ConfigError:
    pickled = sorted(file.name for pattern in PICKLED for file in folder.glob(pattern))
    if pickled:
        return ConfigError(
            place,
            f"{folder}: its weights are pickled ({pickled[0]}), and reading such a file can run code",
            "save them as safetensors, where you trust them: "
            "AutoModelForImageTextToText.from_pretrained(FOLDER).save_pretrained(NEW)",
        )
    return ConfigError(place, f"{folder}: has no weights, neither {SINGLE} nor {INDEX}", DOWNLOAD)
