"""A pure Python function in a child of this process, within limits: what it computes comes back, or why it didn't end.

For a chat template, which is a program that somebody wrote: it may loop for ever, or fill memory.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import time
import warnings
from collections.abc import Callable
from typing import Any

MEMORY_BYTES = 2**30


class UnboundedError(Exception):
    """The function took too long, or more memory than it may."""


def call_bounded(function: Callable[[], Any], seconds: float, memory: int = MEMORY_BYTES) -> Any:
    """`function()`, computed in a forked child. Its result and its exceptions must be picklable.

    `memory` is what it may take besides what this process holds, in bytes. Raises UnboundedError, or what the function
    raises. Where processes can't be forked, it is called here without limits.
    """
    if not hasattr(os, "fork"):
        return function()
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads go on in the parent alone, as is meant
        child = os.fork()
    if child == 0:
        os.close(read)
        _work(function, write, seconds, memory)
    os.close(write)
    try:
        answer = _read(read, time.monotonic() + seconds)
    finally:
        os.close(read)
        if _is_running(child):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    if answer is None:
        raise UnboundedError(f"doesn't end within {seconds:g} seconds")
    if not answer:
        raise UnboundedError(f"takes more than {seconds:g} seconds of a core or {memory / 2**20:g} MiB")
    worked, value = pickle.loads(answer)
    if not worked:
        raise value
    return value


def _work(function: Callable[[], Any], write: int, seconds: float, memory: int) -> None:
    """In the child: leave by os._exit, so that nothing of the parent is cleaned up twice."""
    try:
        _limit(seconds, memory)
        try:
            said: tuple[bool, Any] = True, function()
            data = pickle.dumps(said)
        except MemoryError:
            os._exit(1)
        except Exception as error:
            said = False, error if _picklable(error) else RuntimeError(f"{type(error).__name__}: {error}")
            data = pickle.dumps(said)
        with os.fdopen(write, "wb") as pipe:
            pipe.write(data)
    finally:
        os._exit(0)


def _picklable(error: Exception) -> bool:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # an exception's own constructor may ask for anything
        return False
    return True


def _limit(seconds: float, memory: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            held = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:  # no Linux: time is bounded alone
        return
    resource.setrlimit(resource.RLIMIT_AS, (held + memory, held + memory))


def _read(pipe: int, until: float) -> bytes | None:
    """All that the child writes; None if it is still at it when time is over."""
    parts: list[bytes] = []
    while True:
        left = until - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            return None
        part = os.read(pipe, 2**16)
        if not part:
            return b"".join(parts)
        parts.append(part)


def _is_running(child: int) -> bool:
    return os.waitpid(child, os.WNOHANG)[0] == 0
