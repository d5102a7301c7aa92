"""A model's start in shards: made on torch's meta device, then each rank reads its own rows from the weight files.

No rank ever holds the whole, and a node reads its files once: every rank takes its rows out of them and no others.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import safe_open
from torch.distributed.tensor import DTensor
from transformers.core_model_loading import WeightConverter, WeightRenaming, rename_source_key

from vlrl import dist
from vlrl.errors import ConfigError
from vlrl.model.folders.model_folder import class_of, is_finite
from vlrl.model.folders.weight_files import StoredTensor, stored_tensors
from vlrl.model.sharding.shards import Shards, first_row

GENERATION = "generation_config.json"


def meta_model(folder: Path, config: Any, dtype: torch.dtype, place: str) -> Any:
    """The model of this configuration without memory for weights; its buffers are as they are in a loaded one.

    dtype  what it computes in: buffers that follow it are made in it. Weights are float32
    """
    stored = stored_tensors(folder, place)
    with _quiet():
        model: Any = class_of(config).from_pretrained(
            None,
            config=config,
            state_dict={name: tensor.on_meta() for name, tensor in stored.items()},
            device_map="meta",
            dtype=torch.float32,
        )
    config.dtype = dtype
    if (folder / GENERATION).is_file():
        model.generation_config = transformers.GenerationConfig.from_pretrained(folder, local_files_only=True)
    _make_buffers(model)
    return model.eval()


def _make_buffers(model: Any) -> None:
    """Buffers are no part of weight files: they get memory, and the values that a new model's have."""
    for module in model.modules():
        module._is_hf_initialized = False
        for name, buffer in module._buffers.items():
            if buffer is not None and buffer.is_meta:
                module._buffers[name] = torch.empty_like(buffer, device="cpu")
    model.initialize_weights()  # of weights on the meta device nothing comes


def fill(model: Any, shards: Shards, folder: Path, place: str, device: torch.device) -> None:
    """Give every shard its values. Raises ConfigError at `place` for what isn't finite, on every rank."""
    stored, by_name = stored_tensors(folder, place), {}
    for held, name in _names(model, stored, place).items():
        by_name[name] = stored[held], held
    bad = []
    with torch.no_grad():
        for name, parameter in dict(model.named_parameters()).items():
            if name not in by_name:
                raise ConfigError(place, f"{folder}: {name} is missing from the files", "download the folder once more")
            rows = _own_rows(*by_name[name], parameter, device)
            if not is_finite(rows):
                bad.append(name)
            _put(model, parameter, rows)
    if bad := sorted({name for names in dist.gather(bad) for name in names}):
        raise ConfigError(
            place,
            f"{folder}: {len(bad)} weights with NaN or infinite values, first {bad[0]}",
            "the file is damaged, or the training that wrote it diverged: take an earlier one",
        )
    model.to(device)  # buffers
    shards.ready()


def _own_rows(held: StoredTensor, name: str, parameter: DTensor, device: torch.device) -> torch.Tensor:
    local = parameter.to_local()
    start = first_row(parameter.shape[0], parameter.device_mesh.size(), parameter.device_mesh.get_local_rank())
    rows = torch.empty(local.shape, dtype=parameter.dtype, device=device)
    if len(local):
        with safe_open(held.file, framework="pt") as opened:
            rows.copy_(opened.get_slice(name)[start : start + len(local)])
    return rows


def _put(model: Any, parameter: DTensor, rows: torch.Tensor) -> None:
    """A parameter with memory in the place of the one without, wherever the model has it (tied weights: twice)."""
    mesh, placements = parameter.device_mesh, parameter.placements
    shape, stride = parameter.shape, parameter.stride()
    held = DTensor.from_local(rows, mesh, placements, run_check=False, shape=shape, stride=stride)
    made = torch.nn.Parameter(held, requires_grad=parameter.requires_grad)
    for module in model.modules():
        for key, other in module._parameters.items():
            if other is parameter:
                module._parameters[key] = made


def _names(model: Any, stored: Mapping[str, StoredTensor], place: str) -> dict[str, str]:
    """The model's own name by that in the files, as transformers renames them.

    Raises ConfigError at `place` for files whose tensors have to be joined or split first.
    """
    conversions = getattr(model, "_weight_conversions", None) or []
    renamings = [one for one in conversions if isinstance(one, WeightRenaming)]
    converters = [one for one in conversions if isinstance(one, WeightConverter)]
    expected, prefix = model.state_dict(), model.base_model_prefix
    found = {}
    for name in stored:
        renamed, converter = rename_source_key(name, renamings, converters, prefix, expected)
        if renamed not in expected and name in expected:
            renamed, converter = rename_source_key(name, [], [], prefix, expected)
        if converter is not None:
            raise ConfigError(
                place,
                f"{name} in the files is a part of {renamed}, and shards are read row by row",
                "save the model once as this version of transformers holds it, or backend: {name: deepspeed}",
            )
        if renamed in expected:
            found[name] = renamed
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    transformers.utils.logging.disable_progress_bar()
    before = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        transformers.utils.logging.set_verbosity(before)
