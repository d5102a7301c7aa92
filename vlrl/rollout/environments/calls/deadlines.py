"""Foreign code side by side, each call with a deadline. A thread that doesn't come back is left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")


class Late:
    """Stands for the result of a call that didn't come back in time."""


class _Call(Generic[T]):
    def __init__(self, work: Callable[[], T], done: threading.Condition) -> None:
        self._work, self._done = work, done
        self.began: float | None = None
        self.result: T | None = None
        self.ended = False

    def left(self, seconds: float) -> float:
        """Of these seconds, which began with it."""
        return seconds - (time.monotonic() - (self.began or 0.0))

    def run(self) -> None:
        result = self._work()
        with self._done:
            self.result, self.ended = result, True
            self._done.notify()


class SideBySide(Generic[K, T]):
    """Calls by their keys, at most `workers` at a time, each with `seconds` from its begin.

    Calls must not raise. Threads are daemons: one that hangs keeps no process from its end.
    """

    def __init__(self, seconds: float, workers: int) -> None:
        self._seconds, self._workers = seconds, workers
        self._done = threading.Condition()
        self._waiting: list[tuple[K, _Call[T]]] = []
        self._busy: list[tuple[K, _Call[T]]] = []

    def __len__(self) -> int:
        """Calls that haven't been told of."""
        return len(self._waiting) + len(self._busy)

    def add(self, key: K, work: Callable[[], T]) -> None:
        """One more call; it begins at once where a worker is free."""
        self._waiting.append((key, _Call(work, self._done)))
        self._begin()

    def ended(self, wait: bool) -> list[tuple[K, T | Late]]:
        """What has come back since the last time, or is late; with `wait` at least one, unless there is none."""
        with self._done:
            while True:
                found = [(key, call) for key, call in self._busy if call.ended or call.left(self._seconds) <= 0]
                self._busy = [(key, call) for key, call in self._busy if all(call is not one for _, one in found)]
                self._begin()
                if found or not wait or not self._busy:
                    break
                self._done.wait(max(0.001, min(call.left(self._seconds) for _, call in self._busy)))
        return [(key, Late() if not call.ended or call.result is None else call.result) for key, call in found]

    def _begin(self) -> None:
        while self._waiting and len(self._busy) < self._workers:
            self._busy.append(self._waiting.pop(0))
            call = self._busy[-1][1]
            call.began = time.monotonic()
            threading.Thread(target=call.run, name="tool", daemon=True).start()


def side_by_side(calls: Sequence[Callable[[], T]], seconds: float, workers: int) -> list[T | Late]:
    """What the calls return, in order, or `Late` for one that took more than `seconds`."""
    together: SideBySide[int, T] = SideBySide(seconds, workers)
    for number, work in enumerate(calls):
        together.add(number, work)
    found: dict[int, T | Late] = {}
    while len(together):
        found.update(together.ended(wait=True))
    return [found[number] for number in range(len(calls))]
