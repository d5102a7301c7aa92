"""Faults at the writes of one process: a kill in the middle of one, or a disk that is full from one on.

Installed in a child process by kills.py and nowhere else. Every call that changes the disk is an event: the writes of
open files, renames, removals, new folders and syncs. `install` counts them, and at the given one does what is asked.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

CALLS = ("replace", "rename", "unlink", "remove", "rmdir", "mkdir", "fsync", "truncate", "ftruncate")


class Faults:
    """Counts events below `folder`; `at` is the one that fails, from 1 on."""

    def __init__(self, folder: Path, at: int = 0, how: str = "kill") -> None:
        self.folder, self.at, self.how = str(folder.resolve()), at, how
        self.events = 0

    def concerns(self, path: Any) -> bool:
        """Whether a path lies in the folder; of a file's number nobody knows, and it counts."""
        return isinstance(path, int) or os.path.abspath(os.fspath(path)).startswith(self.folder)

    def event(self, half: Callable[[], object] = lambda: None) -> None:
        """One change of the disk is about to happen; `half` does the first part of it."""
        self.events += 1
        if not self.at or self.events < self.at:
            return
        if self.how == "kill":
            half()
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class _File:
    """An open file whose writes are events."""

    def __init__(self, file: Any, faults: Faults) -> None:
        self._file, self._faults = file, faults

    def write(self, data: Any) -> Any:
        def half() -> None:
            self._file.write(data[: len(data) // 2])
            self._file.flush()

        self._faults.event(half)
        return self._file.write(data)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *given: Any) -> None:
        self._file.close()

    def __iter__(self) -> Any:
        return iter(self._file)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def install(faults: Faults) -> None:
    """From here on this process's changes below the folder are events."""
    opened = builtins.open

    def counted_open(file: Any, mode: str = "r", *given: Any, **named: Any) -> Any:
        held = opened(file, mode, *given, **named)
        writes = any(letter in mode for letter in "wax+")
        return _File(held, faults) if writes and not isinstance(file, int) and faults.concerns(file) else held

    builtins.open = counted_open  # type: ignore[assignment]
    io.open = counted_open  # type: ignore[assignment]
    for name in CALLS:
        setattr(os, name, _counted(getattr(os, name), faults))


def _counted(call: Callable[..., Any], faults: Faults) -> Callable[..., Any]:
    def guarded(path: Any, *given: Any, **named: Any) -> Any:
        if faults.concerns(path):
            faults.event()
        return call(path, *given, **named)

    return guarded
