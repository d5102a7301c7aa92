"""Files and folders that are whole or absent: written beside, brought to the disk, renamed.

A reader, or a run that goes on after a kill or a full disk, finds the old one or the new one, never half of one. What a
broken-off write leaves has a name of its own (`.<name>.tmp`, `.<name>.old`) and is swept away by the next run.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from vlrl.errors import StorageError, VlrlError, storage_error
from vlrl.runlog import own_files

TEMPORARY, REPLACED = ".tmp", ".old"


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file whole. Text is UTF-8. Raises OSError; then the old file stands and nothing lies beside it."""
    temporary = path.with_name(f".{path.name}{TEMPORARY}")
    try:
        with open(temporary, "wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        own_files.note(temporary, path)
        if os.path.lexists(path):
            own_files.keep_foreign(path, stays=True)
        os.replace(temporary, path)
        sync(path.parent)
    except BaseException as error:
        with suppress(OSError):  # what is said is the first error
            temporary.unlink(missing_ok=True)
        raise _at(path, error) from None


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into that takes the place of `folder` when the block ends, with ordinary file modes.

    Raises OSError; then, and whenever the block raises, what was there before stands and the rest is removed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}{TEMPORARY}")
    shutil.rmtree(temporary, ignore_errors=True)
    own_files.note_temporary(temporary)
    temporary.mkdir()
    try:
        yield temporary
        _settle(temporary)
        put_in_place(temporary, folder)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise _at(folder, error) from None


@contextmanager
def errors_at(path: Path) -> Iterator[None]:
    """An error of the system in the block names this path, where it names none."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise _at(path, error) from None


def put_in_place(temporary: Path, folder: Path, by_name: bool = False) -> None:
    """Rename a finished folder to where it belongs; one that stands there goes, but for what no run wrote."""
    own_files.note_tree(temporary, folder, by_name)
    remove_whole(folder)
    os.replace(temporary, folder)
    sync(folder.parent)


def remove_whole(folder: Path) -> None:
    """Remove a folder; renamed first, so that a kill on the way leaves a hidden rest and never half a folder.

    Where the files of a run are noted, those in it that no run wrote are kept (`vlrl/runlog/own_files.py`).
    """
    if folder.is_dir():
        own_files.keep_foreign(folder)
        hidden = folder.with_name(f".{folder.name}{REPLACED}")
        shutil.rmtree(hidden, ignore_errors=True)
        own_files.note_temporary(hidden)
        os.replace(folder, hidden)
        shutil.rmtree(hidden)


def sweep(folder: Path, names: Collection[str]) -> None:
    """Remove what broken-off writes of entries with these names (patterns) left directly in a folder."""
    found = {one for name in names for end in (TEMPORARY, REPLACED) for one in folder.glob(f".{name}{end}")}
    for left in sorted(found):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's contents."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def changed_files(folder: Path, digests: Mapping[str, str]) -> list[tuple[str, str]]:
    """(path in the folder, what happened to it) of files that are gone, or haven't the digest that they had."""
    found = []
    for name, digest in digests.items():
        file = folder / name
        if not file.is_file():
            found.append((name, "is missing"))
        elif file_digest(file) != digest:
            found.append((name, "has changed since it was written"))
    return found


def sync(path: Path) -> None:
    """Bring a file or a folder's list of names to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _settle(folder: Path) -> None:
    """Files of a library get the mode that an `open` would have given them, and all of it is on the disk."""
    mask = os.umask(0)
    os.umask(mask)
    for place, _, files in os.walk(folder):
        for name in files:
            file = Path(place, name)
            file.chmod(0o666 & ~mask)
            sync(file)
        sync(Path(place))


def _at(path: Path, error: BaseException) -> BaseException:
    """The error with a path, where the system's has none (a full disk says no more than that it is full)."""
    if not isinstance(error, (OSError, VlrlError)) and (known := storage_error(error)) is not None:
        return StorageError(str(path), known.problem, known.remedy)  # a library's own error around the system's
    if isinstance(error, OSError) and error.filename is None:
        error.filename = str(path)
    return error
