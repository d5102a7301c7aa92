"""Seconds of one step by phase."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Starts when it is made; wall-clock seconds."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Book the block's time under `name`."""
        started = time.monotonic()
        try:
            yield
        finally:
            self._seconds[name] += time.monotonic() - started

    def metrics(self, response_tokens: float) -> dict[str, float]:
        """time/<phase>_seconds, time/step_seconds until now, tokens/rollout_per_second."""
        found = {f"time/{name}_seconds": seconds for name, seconds in self._seconds.items()}
        found["time/step_seconds"] = time.monotonic() - self._start
        found["tokens/rollout_per_second"] = response_tokens / max(self._seconds["rollout"], 1e-9)
        return found
