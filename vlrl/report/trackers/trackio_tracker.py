"""Trackio (Hugging Face): a local dashboard, `trackio show`, or a Space where TRACKIO_SPACE_ID names one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from vlrl.report.trackers.tracker import PROJECT, TrackerThread
from vlrl.runlog.shown_rollouts import ShownRollout, as_markdown


class TrackioTracker(TrackerThread):
    """Numbers by phase and key, over the step of the phase; the run has the name of its folder and goes on under it."""

    name: ClassVar[str] = "trackio"
    library: ClassVar[str] = "trackio"

    _run: Any

    def _start(self) -> None:
        self._run = self._library.init(
            project=os.environ.get("TRACKIO_PROJECT", PROJECT),
            name=self.folder.name,
            config=self.settings,
            resume="allow",
            embed=False,
            auto_log_gpu=False,
        )

    def _log(self, phase: str, step: int, numbers: Mapping[str, float]) -> None:
        self._run.log({f"{phase}/{key}": value for key, value in numbers.items()}, step=step)

    def _show(self, phase: str, step: int, shown: Sequence[ShownRollout]) -> None:
        found: dict[str, Any] = {f"{phase}/rollouts": self._library.Markdown(as_markdown(shown))}
        for number, one in enumerate(shown):
            if (image := one.opened()) is not None:
                found[f"{phase}/rollout_{number}"] = self._library.Image(image, caption=one.caption)
        self._run.log(found, step=step)

    def _end(self, failed: bool) -> None:
        self._run.finish()


TRACKER = TrackioTracker
