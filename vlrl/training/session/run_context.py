"""What a run was asked for, where it is written down, and what it says while it works."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlrl.runlog.run_folder import RunFolder
from vlrl.training.monitoring.progress import Progress
from vlrl.training.run_settings import RunSettings


@dataclass
class RunContext:
    """Settings, folder and display of one run.

    seconds  wall-clock time by phase
    at       the step that is being made, for errors
    """

    settings: RunSettings
    run: RunFolder
    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)
    at: str = ""

    @property
    def seed(self) -> int:
        """From which every other seed of the run is derived."""
        return self.settings.seed

    def say(self, text: str) -> None:
        """A line on the display."""
        self.progress.say(text)

    def note(self, **fields: Any) -> None:
        """Fields of the run card."""
        self.run.note(**fields)

    def checkpoints(self, stage: str) -> Path:
        """Where a stage's checkpoints lie."""
        return self.run.path / ("checkpoints" if stage == "rl" else f"checkpoints_{stage}")

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Add the block's wall-clock time to `seconds[phase]`."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[phase] = self.seconds.get(phase, 0.0) + time.monotonic() - started
