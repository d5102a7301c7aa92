"""A model in shards as a Hugging Face folder: weights are gathered one after another, and written some at a time."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers.core_model_loading import revert_weight_conversion

from vlrl.model.folders.weight_files import INDEX, SINGLE
from vlrl.model.optimization.adapter_files import save_adapter
from vlrl.model.optimization.lora import plain_weights
from vlrl.model.sharding.shards import Shards
from vlrl.runlog.atomic_files import whole_folder

FILE_BYTES = 2**28  # of one file's weights, at most, which the first rank holds; a larger weight has a file of its own


def save_streamed(model: Any, shards: Shards, processor: Any, folder: Path) -> None:
    """Loadable by transformers, vLLM and lmms-eval; adapters are added in, and lie beside them as `save_model` says.
    For the first rank, while the others `help_saving`.
    """
    with whole_folder(folder) as unfinished:
        _write_files(_as_published(model, plain_weights(model, shards.weights())), unfinished)
        config = copy.deepcopy(model.config)
        config.dtype, config.architectures = shards.dtype, [type(model).__name__]
        config.save_pretrained(unfinished)
        model.generation_config.save_pretrained(unfinished)
        processor.save_pretrained(unfinished)
        save_adapter(model, unfinished)


def help_saving(weights: Iterable[object]) -> None:
    """Gather all weights, for a rank that has no use of them: the first one takes them."""
    for _ in weights:
        pass


def _as_published(model: Any, weights: Iterable[tuple[str, torch.Tensor]]) -> Iterator[tuple[str, torch.Tensor]]:
    """Under the names that the files had, as `save_pretrained` writes them."""
    for name, weight in weights:
        yield from revert_weight_conversion(model, {name: weight}).items()


def _write_files(weights: Iterable[tuple[str, torch.Tensor]], folder: Path) -> None:
    files: list[list[str]] = []
    held: dict[str, torch.Tensor] = {}
    size = total = 0

    def write() -> None:
        save_file(held, folder / f"part-{len(files)}", metadata={"format": "pt"})
        files.append(list(held))
        held.clear()

    for name, weight in weights:
        if held and size + weight.nbytes > FILE_BYTES:
            write()
            size = 0
        held[name] = weight.cpu().contiguous()
        size, total = size + weight.nbytes, total + weight.nbytes
    write()
    if len(files) == 1:
        (folder / "part-0").rename(folder / SINGLE)
        return
    places = {}
    for number, names in enumerate(files):
        file = f"model-{number + 1:05d}-of-{len(files):05d}.safetensors"
        (folder / f"part-{number}").rename(folder / file)
        places.update(dict.fromkeys(names, file))
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
