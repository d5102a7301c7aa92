"""SwanLab: its cloud, or files under <run folder>/swanlab for `swanlab sync`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from vlrl.report.trackers.tracker import PROJECT, TrackerThread
from vlrl.runlog.shown_rollouts import ShownRollout


class SwanlabTracker(TrackerThread):
    """Numbers by phase and key, rollouts as texts and images. SWANLAB_MODE decides; without a key it writes offline."""

    name: ClassVar[str] = "swanlab"
    library: ClassVar[str] = "swanlab"

    def _start(self) -> None:
        mode = os.environ.get("SWANLAB_MODE")
        if mode is None and not self._logged_in():
            self._warn(
                "is not logged in (`swanlab login`, or SWANLAB_API_KEY)", "it writes offline, for `swanlab sync` later"
            )
            mode = "offline"
        options = {} if mode is None else {"mode": mode}
        self._library.init(
            project=PROJECT,
            experiment_name=self.folder.name,
            config=self.settings,
            logdir=str(self.folder / "swanlab"),
            **options,
        )

    @staticmethod
    def _logged_in() -> bool:
        home = Path(os.environ.get("SWANLAB_SAVE_DIR") or "~/.swanlab").expanduser()
        return bool(os.environ.get("SWANLAB_API_KEY")) or (home / ".netrc").is_file()

    def _log(self, phase: str, step: int, numbers: Mapping[str, float]) -> None:
        self._library.log({f"{phase}/{key}": value for key, value in numbers.items()}, step=step)

    def _show(self, phase: str, step: int, shown: Sequence[ShownRollout]) -> None:
        texts = [self._library.Text(f"{one.question}\n\n{one.response}", caption=one.caption) for one in shown]
        found: dict[str, Any] = {f"{phase}/rollouts": texts}
        images = [(one, image) for one in shown if (image := one.opened()) is not None]
        if images:
            found[f"{phase}/images"] = [self._library.Image(image, caption=one.caption) for one, image in images]
        self._library.log(found, step=step)

    def _end(self, failed: bool) -> None:
        self._library.finish()


TRACKER = SwanlabTracker
