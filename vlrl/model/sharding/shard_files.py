"""State in shards on disk (torch.distributed.checkpoint): each rank writes what it has, any number reads it again."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from vlrl import dist
from vlrl.model.sharding.shards import own_rows


class InShards(Protocol):
    """What has its state as tensors by name, in shards over the ranks or the same on all of them."""

    state_in_shards: bool

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The tensors, in the memory in which they lie."""

    def to_fill(self, names: Collection[str]) -> dict[str, torch.Tensor]:
        """Tensors of these names, in the memory in which they belong."""

    def filled(self) -> None:
        """The tensors of `to_fill` have their values now."""


def write_shards(folder: Path, state: dict[str, torch.Tensor]) -> list[Path]:
    """Into a folder that all ranks see; all come together. Returns the files that this rank wrote."""
    with _quiet():
        save(state, storage_writer=FileSystemWriter(folder, sync_files=False))
    mine = f"__{dist.rank()}_"
    files = [file for file in folder.iterdir() if file.name.startswith(mine)]
    return [*files, *(file for file in folder.iterdir() if dist.is_first() and not file.name.startswith("__"))]


def read_shards(folder: Path, part: InShards) -> None:
    """Put a written state into a part, whatever the number of ranks that wrote it. All ranks come together."""
    reader = FileSystemReader(folder)
    state: dict[str, Any] = part.to_fill(list(reader.read_metadata().state_dict_metadata))
    with _quiet():
        load(state, storage_reader=reader)
    part.filled()


def broken(state: Mapping[str, torch.Tensor]) -> list[str]:
    """Names of tensors that hold NaN or infinity on any rank."""
    mine = [n for n, t in state.items() if t.is_floating_point() and not bool(torch.isfinite(own_rows(t)).all())]
    return sorted({name for names in dist.gather(mine) for name in names})


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
