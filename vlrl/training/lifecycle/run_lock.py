"""One process a folder: who writes a run folder holds its lock, and a second one is refused while the first lives.

The lock is the system's (`fcntl`), so it ends with its process however that ends, and children don't inherit it. The
file `.lock` says who holds it. Hosts don't see each other's locks on every file system: there its time of change is the
sign of life, since the holder touches it every few seconds.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vlrl.errors import RunError

FILE = ".lock"
BEAT_SECONDS = 5.0
SILENT_SECONDS = 20.0  # a holder on another host that gives no sign of life for so long is dead
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_mine: set[tuple[int, int]] = set()  # (device, inode) of the locks of this process: the system lets it lock twice


@contextmanager
def locked(folder: Path, say: Callable[[str], None] = print) -> Iterator[None]:
    """Hold the lock of an existing folder; the lock of a dead process is taken over with a line that says so.

    Raises RunError that names the process which holds it, OSError where the folder can't be written.
    """
    file = folder / FILE
    left = _left(file)
    if left is not None:
        if left.get("host") != socket.gethostname():
            _refuse_living(file, left, say)
        elif _is_mine(file):
            raise _taken(file, left)
    handle = _lock(file)
    try:
        if left is not None and file.is_file():
            say(f"{folder} was being written by {_who(left)}, which ended without a word")
        _write(handle)
        stop = threading.Event()
        beat = threading.Thread(target=_beat, args=(handle, stop), daemon=True, name="lock of the run folder")
        beat.start()
        _mine.add(_identity(os.fstat(handle)))
        try:
            yield
        finally:
            stop.set()
            beat.join()
            _mine.discard(_identity(os.fstat(handle)))
            with suppress(OSError):  # on a disk that has become read-only; the lock ends with the handle
                file.unlink()
    finally:
        os.close(handle)


def _lock(file: Path) -> int:
    """The locked file; tried again where it was removed between opening and locking."""
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            held = _parsed(os.pread(handle, 4096, 0)) or {}
            if error.errno in (errno.EACCES, errno.EAGAIN):
                os.close(handle)
                raise _taken(file, held) from error
            if error.errno not in _NO_LOCKS:
                os.close(handle)
                raise
        with suppress(FileNotFoundError):
            if _identity(os.stat(file)) == _identity(os.fstat(handle)):
                return handle
        os.close(handle)


def _is_mine(file: Path) -> bool:
    """Whether this process holds it. The file is not opened: closing it again would end the lock."""
    with suppress(FileNotFoundError):
        return _identity(os.stat(file)) in _mine
    return False


def _identity(held: os.stat_result) -> tuple[int, int]:
    return held.st_dev, held.st_ino


def _left(file: Path) -> dict[str, Any] | None:
    """Who holds the lock or died with it, None where nobody does."""
    if _is_mine(file):
        return {"pid": os.getpid(), "host": socket.gethostname()}
    with suppress(FileNotFoundError):
        return _parsed(file.read_bytes())
    return None


def _parsed(text: bytes) -> dict[str, Any] | None:
    """What the file says; None where it says nothing. One that names no host is of this one."""
    if not text:
        return None
    with suppress(ValueError):
        held = json.loads(text)
        if isinstance(held, dict) and isinstance(held.get("host"), str):
            return held
    return {"host": socket.gethostname()}


def _refuse_living(file: Path, left: dict[str, Any], say: Callable[[str], None]) -> None:
    """A process on another host lives while it touches the file. Waits to see it. Raises RunError."""
    say(f"{file.parent} is or was being written by {_who(left)}: waiting {SILENT_SECONDS:.0f} s for a sign of life")
    before, end = _touched(file), time.monotonic() + SILENT_SECONDS
    while time.monotonic() < end:
        time.sleep(min(1.0, SILENT_SECONDS / 4))
        now = _touched(file)
        if now is None:
            return
        if now != before:
            raise _taken(file, left)


def _touched(file: Path) -> int | None:
    """Time of change, read through an open file: what a network file system remembers of closed ones may be old."""
    with suppress(FileNotFoundError), open(file, "rb") as held:
        return os.fstat(held.fileno()).st_mtime_ns
    return None


def _taken(file: Path, held: dict[str, Any]) -> RunError:
    return RunError(
        str(file.parent),
        f"is being written by {_who(held)}",
        "wait for it, end it (on SIGTERM it saves a checkpoint first), or give another run_folder=…",
    )


def _who(held: dict[str, Any]) -> str:
    if "pid" not in held:
        return "another process"
    since = f", started {held['started']}" if "started" in held else ""
    return f"process {held['pid']} on host {held['host']}{since}"


def _write(handle: int) -> None:
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    said = {"pid": os.getpid(), "host": socket.gethostname(), "started": started}
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps(said).encode(), 0)


def _beat(handle: int, stop: threading.Event) -> None:
    while not stop.wait(BEAT_SECONDS):
        with suppress(OSError):  # the next one counts as well
            os.utime(handle)
