"""What a run says while it works: a live bar in a terminal, a plain line now and then everywhere else."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as RichProgress

LINE_SECONDS = 10.0  # between plain lines
_MEMORY = 10  # steps that "accuracy so far" is the mean of


class Progress:
    """Phase, step, time left, tokens a second and accuracy so far of a run; a context manager.

        with Progress({"sft": 200, "rl": 300}) as progress:
            progress.start("rl", 300)
            progress.step("rl", 1, {"accuracy/mean": 0.4, "tokens/rollout_per_second": 18_000})
            progress.say("saved runs/quickstart/checkpoints/step_000100")

    total_steps  steps by phase in the order they run; they stand in the display from the start
    console      where to write; a terminal gets the live bar, anything else plain lines
    clock        seconds, for tests
    """

    def __init__(
        self,
        total_steps: dict[str, int],
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._totals = dict(total_steps)
        self._console = console or Console(highlight=False)
        self._clock = clock
        self._live = self._console.is_terminal and not self._console.is_dumb_terminal
        self._bars = RichProgress(
            TextColumn("{task.fields[phase]:<10}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[said]}", markup=False),
            console=self._console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, tuple[float, int | None]] = {}  # phase → (clock, step it stood at)
        self._accuracy: dict[str, list[tuple[int, float]]] = {}  # phase → (step, accuracy), in order
        self._last_line = -math.inf

    def __enter__(self) -> Progress:
        if self._live:
            for phase, total in self._totals.items():
                self._add_bar(phase, total)
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._bars.stop()

    def start(self, phase: str, total: int) -> None:
        """A phase begins; `total` replaces what was expected of it."""
        self._totals[phase] = total
        self._began[phase] = (self._clock(), None)
        self._last_line = -math.inf
        if self._live:
            if phase not in self._tasks:
                self._add_bar(phase, total)
            self._bars.update(self._tasks[phase], total=total)

    def step(self, phase: str, step: int, values: Mapping[str, float]) -> None:
        """Step `step` (from 1, or later in a resumed run) is done; `values` are its metrics, any may be absent."""
        if phase not in self._began:
            self.start(phase, self._totals.get(phase, step))
        began, first = self._began[phase]
        if first is None:  # a resumed run starts late: only steps of this session count towards the speed
            first = step - 1
            self._began[phase] = (began, first)
        now = self._clock()
        total = self._totals[phase]
        left = (now - began) / (step - first) * (total - step) if step > first else math.nan
        said = self._describe(phase, step, values, left)
        if self._live:
            self._bars.update(self._tasks[phase], completed=step, said=said)
        elif step >= total or now - self._last_line >= LINE_SECONDS:
            self._last_line = now
            self.say(f"{phase} {step}/{total} · {said}")

    def say(self, text: str) -> None:
        """One line of its own; in a terminal it appears above the bars."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _add_bar(self, phase: str, total: int) -> None:
        self._tasks[phase] = self._bars.add_task("", total=total, phase=phase, said="")

    def _describe(self, phase: str, step: int, values: Mapping[str, float], left: float) -> str:
        parts = [f"{_clock_text(left)} left"] if math.isfinite(left) else []
        speed = tokens_per_second(values)
        if speed is not None:
            parts.append(f"{_short(speed)} tokens/s")
        accuracy = _number(values, "accuracy/mean")
        if accuracy is not None:
            self._accuracy.setdefault(phase, []).append((step, accuracy))
        if phase in self._accuracy:
            parts.append(f"accuracy {self._accuracy_so_far(phase, step):.3f}")
        loss = _number(values, "loss/total")
        if loss is not None and phase not in self._accuracy:
            parts.append(f"loss {loss:.3f}")
        return " · ".join(parts)

    def _accuracy_so_far(self, phase: str, step: int) -> float:
        """Mean over the last steps; where accuracy is measured now and then only, its latest value."""
        held = self._accuracy[phase]
        recent = [accuracy for at, accuracy in held if at > step - _MEMORY] or [held[-1][1]]
        self._accuracy[phase] = held[-len(recent) :]
        return sum(recent) / len(recent)


def tokens_per_second(values: Mapping[str, float]) -> float | None:
    """Response tokens a second of one step: the rollout's own figure, else over the seconds of the step."""
    written = _number(values, "tokens/rollout_per_second")
    if written is not None:
        return written
    tokens, seconds = _number(values, "tokens/response"), _number(values, "time/step_seconds")
    return tokens / seconds if tokens is not None and seconds else None


def _number(values: Mapping[str, float], key: str) -> float | None:
    value = values.get(key)
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _short(value: float) -> str:
    return f"{value / 1000:.1f}k" if value >= 1000 else f"{value:.0f}"


def _clock_text(seconds: float) -> str:
    whole = max(round(seconds), 0)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
