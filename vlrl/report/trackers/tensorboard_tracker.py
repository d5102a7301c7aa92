"""TensorBoard's event files under <run folder>/tensorboard: `tensorboard --logdir runs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from vlrl.report.trackers.tracker import TrackerThread
from vlrl.runlog.shown_rollouts import ShownRollout, as_markdown


class TensorboardTracker(TrackerThread):
    """Numbers by phase and key; rollouts as text, their images beside it. A run that goes on adds a file."""

    name: ClassVar[str] = "tensorboard"
    library: ClassVar[str] = "torch.utils.tensorboard"

    _writer: Any

    def _start(self) -> None:
        self._writer = self._library.SummaryWriter(log_dir=str(self.folder / "tensorboard"))

    def _log(self, phase: str, step: int, numbers: Mapping[str, float]) -> None:
        for key, value in numbers.items():
            self._writer.add_scalar(f"{phase}/{key}", value, step)
        self._writer.flush()

    def _show(self, phase: str, step: int, shown: Sequence[ShownRollout]) -> None:
        self._writer.add_text(f"{phase}/rollouts", as_markdown(shown), step)
        for number, one in enumerate(shown):
            if (pixels := one.pixels()) is not None:
                self._writer.add_image(f"{phase}/rollout {number}", pixels, step, dataformats="HWC")

    def _end(self, failed: bool) -> None:
        self._writer.close()


TRACKER = TensorboardTracker
