"""Timing that neighbours disturb least: A and B take turns, medians and ranges are told."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from vlrl.installation.instruction_set import in_words


@dataclass(frozen=True)
class Seconds:
    """What one side took over the repeats: wall seconds, and CPU seconds of this process (all threads)."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle wall time."""
        return statistics.median(self.wall)

    def __str__(self) -> str:
        return f"{self.median:.3g} s ({min(self.wall):.3g}–{max(self.wall):.3g})"


def alternate(sides: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, Seconds]:
    """Run all sides in turn `repeats` times. Warm up before calling this."""
    wall: dict[str, list[float]] = {name: [] for name in sides}
    cpu: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, run in sides.items():
            started, used = time.perf_counter(), time.process_time()
            run()
            wall[name].append(time.perf_counter() - started)
            cpu[name].append(time.process_time() - used)
    return {name: Seconds(tuple(wall[name]), tuple(cpu[name])) for name in sides}


def ratio(slow: Seconds, fast: Seconds) -> str:
    """Median and range of the wall-time ratio of neighbouring turns."""
    return _ratio(slow.wall, fast.wall)


def cpu_ratio(slow: Seconds, fast: Seconds) -> str:
    """The same of CPU seconds, which other people's processes disturb less."""
    return _ratio(slow.cpu, fast.cpu)


def _ratio(slow: tuple[float, ...], fast: tuple[float, ...]) -> str:
    each = sorted(s / f for s, f in zip(slow, fast, strict=True))
    return f"{statistics.median(each):.2f}× ({each[0]:.2f}–{each[-1]:.2f})"


def machine() -> str:
    """One line for the head of a table."""
    load = os.getloadavg()[0]
    threads = f"{torch.get_num_threads()} threads of {os.cpu_count()} cores"
    return f"{threads}, {in_words()}, torch {torch.__version__}, load average {load:.1f}"
