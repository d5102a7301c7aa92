"""Foreign code side by side, each call with a deadline. A thread that doesn't come back is left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Late:
    """Stands for the result of a call that didn't come back in time."""


class _Call(Generic[T]):
    def __init__(self, work: Callable[[], T], done: threading.Condition) -> None:
        self._work, self._done = work, done
        self.began: float | None = None
        self.result: T | None = None
        self.ended = False

    def run(self) -> None:
        self.began = time.monotonic()
        result = self._work()
        with self._done:
            self.result, self.ended = result, True
            self._done.notify()


def side_by_side(calls: Sequence[Callable[[], T]], seconds: float, workers: int) -> list[T | Late]:
    """What the calls return, in order, or `Late` for one that took more than `seconds`; at most `workers` at a time.

    Calls must not raise. Threads are daemons: one that hangs keeps no process from its end.
    """
    done = threading.Condition()
    waiting = [_Call(work, done) for work in calls]
    found = list(waiting)
    busy: list[_Call[T]] = []
    late: set[int] = set()
    with done:
        while waiting or busy:
            while waiting and len(busy) < workers:
                call = waiting.pop(0)
                call.began = time.monotonic()
                busy.append(call)
                threading.Thread(target=call.run, name="tool", daemon=True).start()
            done.wait(max(0.001, min(seconds - (time.monotonic() - (call.began or 0.0)) for call in busy)))
            now = time.monotonic()
            late |= {id(call) for call in busy if not call.ended and now - (call.began or now) >= seconds}
            busy = [call for call in busy if not call.ended and id(call) not in late]
    return [Late() if id(call) in late or call.result is None else call.result for call in found]
