"""Signals that end a run: noted while a step goes on, and answered where everything can be saved.

Ctrl-C, a scheduler's SIGTERM, a closed terminal: where a stage has said that it will look (`deferred`), the first
signal is only noted, the step ends, a checkpoint is written and `Stopped` is raised. Everywhere else it is raised at
once, as is a second Ctrl-C. A process that ends so has the exit code of shells, 128 + the signal's number: 130 for
Ctrl-C, 143 for SIGTERM. A signal that the process was started to ignore (by nohup) stays ignored.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from vlrl import dist

ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
AGAIN_SECONDS = 0.05
NOT_TWICE_SECONDS = 0.25  # `timeout` and launchers signal a process and its group: that is one request


class Stopped(KeyboardInterrupt):
    """The run ends because a signal asked for it."""


class _Heard:
    """What has come so far."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.at = 0.0
        self.deferring = 0
        self.listening = False
        self.told = False
        self.dropped = False


_heard = _Heard()


@contextmanager
def listening() -> Iterator[None]:
    """Take the signals of ENDING for the time of the block; in another thread than the main one this does nothing."""
    global _heard
    _heard = _Heard()
    _heard.listening = True
    if threading.current_thread() is not threading.main_thread():
        try:
            yield
        finally:
            _heard.listening = False
        return
    before = {}
    for name in ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, _hear)
    unraisable, sys.unraisablehook = sys.unraisablehook, _come_again(sys.unraisablehook)
    try:
        yield
    finally:
        _heard.listening = False
        sys.unraisablehook = unraisable
        for number, handler in before.items():
            signal.signal(number, handler)


def _come_again(
    otherwise: Callable[[sys.UnraisableHookArgs], object],
) -> Callable[[sys.UnraisableHookArgs], object]:
    """A signal that came where Python drops exceptions (a destructor, a callback of fork) comes once more."""

    def hook(dropped: sys.UnraisableHookArgs) -> None:
        if not isinstance(dropped.exc_value, Stopped) or _heard.number is None:
            otherwise(dropped)
            return
        _heard.dropped = True
        threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), _heard.number)).start()

    return hook


def _hear(number: int, frame: FrameType | None) -> None:
    now, before = time.monotonic(), _heard.number
    if before is None:
        _heard.number = number
    elif _heard.dropped:
        _heard.dropped = False
    elif number != signal.SIGINT or now - _heard.at < NOT_TWICE_SECONDS:
        return
    _heard.at = now
    if number == getattr(signal, "SIGHUP", None):
        _leave_terminal()
    if _heard.deferring and before is None:
        said = f"\n{signal.Signals(number).name}: this step is finished and saved first; Ctrl-C stops at once\n"
        with suppress(OSError):  # of a terminal that is gone; `print` isn't safe in a handler
            os.write(2, said.encode())
        return
    raise Stopped(signal.Signals(number).name)


@contextmanager
def deferred() -> Iterator[None]:
    """In the block the first signal is only noted: it asks `wanted` where a step ends.

    Where nobody listens, as in a run that Python code starts, what an earlier run was asked counts no longer.
    """
    global _heard
    if not _heard.listening and not _heard.deferring:
        _heard = _Heard()
    _heard.deferring += 1
    try:
        yield
    finally:
        _heard.deferring -= 1


def wanted() -> bool:
    """Whether this process or another rank has been asked to stop; all ranks get the same answer and ask together."""
    return any(dist.gather(_heard.number is not None))


def stop(said: str) -> Stopped:
    """The exception that ends a stage here; `said` is what has been saved."""
    if _heard.number is None:  # another rank's
        _heard.number = signal.SIGTERM
    return Stopped(said)


def heard() -> str | None:
    """The name of the signal that has come, None before one."""
    return None if _heard.number is None else signal.Signals(_heard.number).name


def exit_code() -> int | None:
    """128 + the number of the signal that has come, None before one."""
    return None if _heard.number is None else 128 + _heard.number


def tell(text: str) -> None:
    """Say on stderr what is left and what to do next; `told` knows it."""
    _heard.told = True
    with suppress(OSError, ValueError):  # of a terminal that is gone
        print(text, file=sys.stderr, flush=True)


def told() -> bool:
    """Whether the user has been told what to do next."""
    return _heard.told


def _leave_terminal() -> None:
    """The terminal is gone: what is printed from now on must not fail."""
    with open(os.devnull, "w") as nowhere:
        for descriptor in (1, 2):
            if os.isatty(descriptor):
                os.dup2(nowhere.fileno(), descriptor)
