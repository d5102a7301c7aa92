"""Checkpoints: whole or absent. What has state has `state_dict`; a checkpoint is those, written beside and renamed.

`checkpoint.json` has the size and the SHA-256 of every file, so that one which was damaged later is passed over by name
and the newest whole one taken.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch

from vlrl import dist
from vlrl.errors import RunError
from vlrl.model.sharding.shard_files import broken, read_shards, write_shards
from vlrl.runlog import own_files
from vlrl.runlog.atomic_files import REPLACED, TEMPORARY, errors_at, file_digest, put_in_place, remove_whole, sync

SCHEMA = 3
CARD = "checkpoint.json"
_NAME = re.compile(r"step_(\d+)")
_LEFT = re.compile(rf"\.step_\d+({re.escape(TEMPORARY)}|{re.escape(REPLACED)})")  # of a write that was broken off


def save_checkpoint(folder: Path, step: int, parts: Mapping[str, Any], keep: int = 2) -> Path:
    """Write checkpoints/step_000123 and keep the newest `keep`. A killed run leaves the old ones whole.

    With several ranks the first one writes, into a folder that all ranks see; a part with `state_by_rank` has a file of
    every rank, one with `state_in_shards` a folder, which any number of ranks can read again. Raises RunError for
    weights that aren't finite, OSError where there is no room.
    """
    final = folder / f"step_{step:06d}"
    temporary = folder / f".{final.name}{TEMPORARY}"
    if dist.is_first():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        own_files.note_temporary(temporary)
        temporary.mkdir()
    dist.barrier()
    try:
        written: dict[str, dict[str, Any]] = {}
        for name, part in parts.items():
            if _in_shards(part):
                written |= _write_shards(temporary, name, part, step)
            elif dist.is_first() or _by_rank(part):
                state = part.state_dict()
                _refuse_broken_weights(name, state, step)
                file = temporary / _file_of(name, part)
                written[file.name] = _write(file, state)
        files = {name: fingerprint for of_rank in dist.gather(written) for name, fingerprint in of_rank.items()}
        if dist.is_first():
            card = {"schema": SCHEMA, "step": step, "parts": sorted(parts), "files": files}
            (temporary / CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")
            _put_in_place(temporary, final, keep)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        with errors_at(final):
            raise error
    dist.barrier()
    return final


def _by_rank(part: Any) -> bool:
    return bool(getattr(part, "state_by_rank", False))


def _in_shards(part: Any) -> bool:
    return bool(getattr(part, "state_in_shards", False))


def _write_shards(checkpoint: Path, name: str, part: Any, step: int) -> dict[str, dict[str, Any]]:
    """A part in shards, as a folder of that name; sizes and digests of this rank's files."""
    state = part.state_dict()
    if bad := broken(state):
        raise _broken_weights(step, bad[0])
    files = write_shards(checkpoint / name, state)
    return {f"{name}/{file.name}": {"bytes": file.stat().st_size, "sha256": file_digest(file)} for file in files}


def _file_of(name: str, part: Any) -> str:
    return f"{name}_rank{dist.rank()}.pt" if _by_rank(part) else f"{name}.pt"


class _Counted:
    """A file that counts and digests what goes through it; torch sees the system's own errors."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self.digest, self.size = hashlib.sha256(), 0
        self.failed: OSError | None = None

    def write(self, data: Any) -> int:
        with self._kept():
            self._file.write(data)
        self.digest.update(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        with self._kept():
            self._file.flush()

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            error.filename = error.filename or str(self._path)
            self.failed = error
            raise


def _write(path: Path, state: Any) -> dict[str, Any]:
    """Write one part; its size and digest. Raises OSError."""
    with open(path, "wb") as file:
        counted = _Counted(file, path)
        try:
            torch.save(state, counted)  # type: ignore[arg-type]  # it asks for no more than `write` and `flush`
            counted.flush()
        except Exception as error:
            raise counted.failed or error from error
    return {"bytes": counted.size, "sha256": counted.digest.hexdigest()}


def _refuse_broken_weights(name: str, state: Any, step: int) -> None:
    """What a run goes on from is finite; an earlier checkpoint stands. Raises RunError with the tensor's name."""
    if name != "policy":
        return
    for key, tensor in _tensors(state, ""):
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise _broken_weights(step, key)


def _broken_weights(step: int, key: str) -> RunError:
    return RunError(
        f"step {step}, {key}",
        "holds numbers that are not finite (NaN or infinite), so no checkpoint is written",
        "lower the learning rate or clip gradients; the run can go on from its last checkpoint",
    )


def _tensors(state: Any, place: str) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(state, torch.Tensor):
        yield place, state
    elif isinstance(state, Mapping):
        for key, value in state.items():
            yield from _tensors(value, f"{place}.{key}" if place else str(key))
    elif isinstance(state, list | tuple):
        for number, value in enumerate(state):
            yield from _tensors(value, f"{place}.{number}")


def _put_in_place(temporary: Path, final: Path, keep: int) -> None:
    for file in temporary.rglob("*"):
        sync(file)
    sync(temporary)
    put_in_place(temporary, final, by_name=True)
    earlier = [checkpoint for checkpoint in _all(final.parent) if step_of(checkpoint) < step_of(final)]
    # those that were passed over when the run went on
    later = [checkpoint for checkpoint in _all(final.parent) if step_of(checkpoint) > step_of(final)]
    for old in [*earlier[: max(len(earlier) - (keep - 1), 0)], *later]:
        remove_whole(old)


def _all(folder: Path) -> list[Path]:
    """Checkpoints by step, whole or not."""
    folders = (entry for entry in folder.glob("step_*") if _NAME.fullmatch(entry.name) and entry.is_dir())
    return sorted(folders, key=step_of)


def step_of(folder: Path) -> int:
    """How many steps a checkpoint comes after."""
    return int(folder.name.removeprefix("step_"))


def newest_step(folder: Path) -> int:
    """How many steps the newest checkpoint comes after, whole or not; 0 without one."""
    return max(map(step_of, _all(folder)), default=0)


def latest_checkpoint(folder: Path, say: Callable[[str], None] = print, before: int | None = None) -> Path | None:
    """The newest whole checkpoint, None where there is none; those that are damaged are passed over with a line.

    before  one after fewer steps is wanted, if there is one: what was logged from that step on is damaged
    Raises RunError where there are checkpoints and none is whole. With several ranks the first one looks.
    """
    return dist.from_first(lambda: _latest(folder, say, before))


def _latest(folder: Path, say: Callable[[str], None], before: int | None) -> Path | None:
    for left in folder.glob(".step_*"):
        if _LEFT.fullmatch(left.name) and left.is_dir():
            shutil.rmtree(left)
    checkpoints, damages, whole = _all(folder)[::-1], [], []
    for checkpoint in checkpoints:
        damage = damage_of(checkpoint)
        if damage is None:
            whole.append(checkpoint)
            if before is None or step_of(checkpoint) < before:
                break
        else:
            damages.append(f"{checkpoint.name}: {damage}")
            say(f"the checkpoint {checkpoint} is passed over: {damage}")
    if checkpoints and not whole:
        raise RunError(
            str(folder),
            f"none of its checkpoints is whole ({'; '.join(damages)})",
            "restore one from a copy, or move the folder away: the stage then starts from its beginning",
        )
    early = [checkpoint for checkpoint in whole if before is not None and step_of(checkpoint) < before]
    return next(iter(early or whole), None)


def damage_of(folder: Path) -> str | None:
    """What is wrong with a checkpoint, None where all its files are as they were written."""
    try:
        card = json.loads((folder / CARD).read_bytes())
        schema, files = card["schema"], {str(name): (file["bytes"], file["sha256"]) for name, file in _files(card)}
    except FileNotFoundError:
        return f"it has no {CARD}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{CARD} can't be read"
    if schema != SCHEMA:
        return f"it is of schema {schema}, this version reads {SCHEMA}"
    for name, (size, digest) in files.items():
        file = folder / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != size:
            return f"{name} has {file.stat().st_size} bytes of {size}"
        if file_digest(file) != digest:
            return f"the contents of {name} have changed since it was written"
    return None


def _files(card: Mapping[str, Any]) -> Any:
    return card["files"].items() if card["schema"] == SCHEMA else ()


def load_checkpoint(folder: Path, parts: Mapping[str, Any]) -> int:
    """Put every part's state back; returns the step. Raises RunError if the checkpoint is of another make."""
    card = json.loads((folder / CARD).read_bytes())
    if card.get("schema") != SCHEMA or card["parts"] != sorted(parts):
        header = {key: card.get(key) for key in ("schema", "parts")}
        raise RunError(
            str(folder), f"holds {header}, this version reads schema {SCHEMA} with {sorted(parts)}", "start a fresh run"
        )
    for name, part in parts.items():
        file = folder / (name if _in_shards(part) else _file_of(name, part))
        if not file.exists():
            raise RunError(
                str(file), "is not there: the backend or the number of ranks was another", "start a fresh run"
            )
        if _in_shards(part):
            read_shards(file, part)
            continue
        part.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return int(card["step"])
