"""Weights & Biases, online or offline. Each phase has its own step axis, so that SFT and RL don't share one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from vlrl.report.trackers.tracker import PROJECT, TrackerMode, TrackerThread, kept_id
from vlrl.runlog.shown_rollouts import ShownRollout


class WandbTracker(TrackerThread):
    """Metrics to wandb.

    `mode` None leaves the choice to WANDB_MODE. Offline files lie under <run folder>/wandb and can be sent later with
    `wandb sync`. The id of wandb's run is kept in the run folder (wandb_run.json): a run that goes on is one run there.
    Without a login, or where the start fails, it writes offline.
    """

    name: ClassVar[str] = "wandb"
    library: ClassVar[str] = "wandb"

    def __init__(self, run_folder: Path, settings: Mapping[str, Any], mode: TrackerMode | None = None) -> None:
        self._mode, self._run, self._phases = mode, None, set[str]()
        super().__init__(run_folder, settings)

    def _start(self) -> None:
        options: dict[str, Any] = {
            "project": PROJECT,
            "name": self.folder.name,
            "dir": str(self.folder),
            "config": self.settings,
            "id": kept_id(self.folder / "wandb_run.json"),
            "resume": "allow",
        }
        mode = self._mode or os.environ.get("WANDB_MODE") or "online"
        offline = "it writes offline, for `wandb sync` later"
        if mode == "online" and not self._logged_in():
            self._warn("is not logged in (`wandb login`, or WANDB_API_KEY)", offline)
            mode = "offline"
        try:
            self._run = self._library.init(mode=mode, **options)
        except Exception as error:  # no network, a wrong key, a project that isn't the user's …
            if mode != "online":
                raise
            self._warn(f"can't start: {type(error).__name__}: {' '.join(str(error).split())[:300]}", offline)
            self._run = self._library.init(mode="offline", **options)

    def _logged_in(self) -> bool:
        """Whether there is a key; asked here, since `wandb.init` would prompt for one."""
        return bool(os.environ.get("WANDB_API_KEY") or getattr(self._library.api, "api_key", None))

    def _axis(self, phase: str) -> Any:
        run: Any = self._run
        if phase not in self._phases:
            run.define_metric(f"{phase}/step")
            run.define_metric(f"{phase}/*", step_metric=f"{phase}/step")
            self._phases.add(phase)
        return run

    def _log(self, phase: str, step: int, numbers: Mapping[str, float]) -> None:
        self._axis(phase).log({f"{phase}/step": step, **{f"{phase}/{k}": v for k, v in numbers.items()}})

    def _show(self, phase: str, step: int, shown: Sequence[ShownRollout]) -> None:
        table = self._library.Table(columns=["image", "question", "answer", "response", "reward"])
        for one in shown:
            image = None if one.image is None else self._library.Image(str(one.image))
            table.add_data(image, one.question, one.answer, one.response, one.reward)
        self._axis(phase).log({f"{phase}/step": step, f"{phase}/rollouts": table})

    def _end(self, failed: bool) -> None:
        run: Any = self._run
        run.finish(exit_code=1 if failed else 0)


TRACKER = WandbTracker
