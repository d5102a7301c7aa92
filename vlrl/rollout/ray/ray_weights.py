"""Weights on their way to other processes: shards of tensors by Hugging Face name, with version and checksum.

A shard holds plain bytes, so that Ray keeps one copy in shared memory which every actor of a node reads in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xxhash

from vlrl.errors import EngineError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Shard:
    """Some tensors of one version.

    serial   number of the transfer that it belongs to: two transfers differ even where their versions are equal
    tensors  name → (shape, dtype such as "bfloat16", its bytes (n,) uint8)
    """

    serial: int
    tensors: Mapping[str, tuple[Shape, str, np.ndarray]]

    def checksum(self) -> str:
        """xxh3, 128 bits, over serial, names, shapes, types and bytes: against accidents, not against an enemy."""
        digest = xxhash.xxh3_128(repr(self.serial).encode())
        for name, (shape, dtype, data) in self.tensors.items():
            digest.update(f"{len(name)}:{name}{shape}{dtype}{len(data)}:".encode())
            digest.update(np.ascontiguousarray(data).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Manifest:
    """What a transfer must consist of: its serial, the policy version, and each shard's checksum in order."""

    serial: int
    version: int
    checksums: tuple[str, ...]


def ship(
    weights: Iterable[tuple[str, torch.Tensor]], serial: int, version: int, limit: int, put: Callable[[Shard], Any]
) -> tuple[Manifest, list[Any]]:
    """Hand the weights to `put` in shards of at most `limit` bytes (a larger tensor is a shard of its own).

    Only one shard at a time is held here. Returns the manifest and what `put` returned for each shard.
    """
    checksums, handles = [], []
    for tensors in _portions(weights, limit):
        shard = Shard(serial, tensors)
        checksums.append(shard.checksum())
        handles.append(put(shard))
    return Manifest(serial, version, tuple(checksums)), handles


def verified(
    manifest: Manifest, shards: Sequence[Shard], expected: Mapping[str, Shape]
) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors of a whole transfer, after everything was checked.

    Raises EngineError before the first tensor is given out: a missing or foreign shard, bytes that changed on the way,
    a name or a shape that the model doesn't have, a name that is missing or there twice.
    """
    if len(shards) != len(manifest.checksums):
        raise EngineError("load_weights", f"{len(shards)} shards came, the manifest has {len(manifest.checksums)}")
    found: dict[str, Shape] = {}
    for place, (shard, checksum) in enumerate(zip(shards, manifest.checksums, strict=True)):
        if shard.serial != manifest.serial:
            raise EngineError(
                f"load_weights, shard {place}", f"is of transfer {shard.serial}, the others of {manifest.serial}"
            )
        if shard.checksum() != checksum:
            raise EngineError(f"load_weights, shard {place}", "its checksum is not the one that was sent")
        for name, (shape, _, _) in shard.tensors.items():
            if name in found:
                raise EngineError("load_weights", f"{name!r} came twice")
            found[name] = shape
    compare(found, expected)
    return (
        (name, _tensor(shape, dtype, data)) for shard in shards for name, (shape, dtype, data) in shard.tensors.items()
    )


def compare(found: Mapping[str, Shape], expected: Mapping[str, Shape]) -> None:
    """Raises EngineError unless names and shapes are exactly the expected ones."""
    for name, shape in found.items():
        if name not in expected:
            raise EngineError("load_weights", f"the engine's model has no parameter {name!r}")
        if shape != expected[name]:
            raise EngineError("load_weights", f"{name}: shape {shape}, here {expected[name]}")
    missing = expected.keys() - found.keys()
    if missing:
        raise EngineError("load_weights", f"{len(missing)} parameters are missing, e.g. {min(missing)!r}")


def _portions(
    weights: Iterable[tuple[str, torch.Tensor]], limit: int
) -> Iterator[dict[str, tuple[Shape, str, np.ndarray]]]:
    held: dict[str, tuple[Shape, str, np.ndarray]] = {}
    size = 0
    for name, tensor in weights:
        flat = tensor.detach().to("cpu").contiguous().reshape(-1)
        if held and size + flat.nbytes > limit:
            yield held
            held, size = {}, 0
        data = flat.view(torch.uint8).numpy()  # numpy has no bfloat16
        held[name] = (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), data)
        size += flat.nbytes
    if held:
        yield held


def _tensor(shape: Shape, dtype: str, data: np.ndarray) -> torch.Tensor:
    """A tensor that owns its bytes: what lies in shared memory must not be written to."""
    return torch.from_numpy(data.copy()).view(getattr(torch, dtype)).reshape(shape)
