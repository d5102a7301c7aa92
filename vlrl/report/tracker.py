"""Metrics to an experiment tracker besides metrics.jsonl: none, or wandb (online or offline)."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import sys
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from vlrl.errors import ConfigError, did_you_mean
from vlrl.installation.extras import install
from vlrl.runlog.run_folder import write_atomically

TrackerName = Literal["none", "wandb"]
TrackerMode = Literal["online", "offline", "disabled"]  # wandb's own
WAITING = 100_000  # lines that are kept for a tracker that takes none
FINISH_SECONDS = 60.0  # that the end of a run waits for it
TRACKERS: tuple[TrackerName, ...] = ("none", "wandb")


class Tracker(Protocol):
    """Where metrics go besides the run folder."""

    def metrics(self, phase: str, step: int, values: Mapping[str, Any]) -> None:
        """One line of metrics.jsonl: `area/what` keys of one step of one phase."""
        ...

    def finish(self, failed: bool = False) -> None:
        """The run is over."""
        ...


class NoTracker:
    """Metrics stay in the run folder."""

    def metrics(self, phase: str, step: int, values: Mapping[str, Any]) -> None:
        """Nothing to do."""

    def finish(self, failed: bool = False) -> None:
        """Nothing to do."""


class WandbTracker:
    """Metrics to Weights & Biases. Each phase has its own step axis, so that SFT and RL don't share one.

    `mode` None leaves the choice to WANDB_MODE. Offline files lie under <run folder>/wandb and can be sent later with
    `wandb sync`. The id of wandb's run is kept in the run folder (wandb_run.json): a run that goes on is one run there.

    Raises ConfigError where wandb is not installed. Nothing else of wandb's stops or delays the run: all of it happens
    in a thread, and what goes wrong is said once. Without a login, or where the start fails, it writes offline.
    """

    def __init__(
        self, run_folder: Path, settings: Mapping[str, Any], project: str = "vlrl", mode: TrackerMode | None = None
    ) -> None:
        try:
            self._wandb: Any = importlib.import_module("wandb")
        except ImportError as error:
            raise ConfigError(
                "tracker: wandb", "wandb is not installed", f"it comes with the extra: {install('wandb')}"
            ) from error
        folder = run_folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        self._options: dict[str, Any] = {
            "project": project,
            "name": folder.name,
            "dir": str(folder),
            "config": dict(settings),
            "id": kept_id(folder / "wandb_run.json"),
            "resume": "allow",
        }
        self._mode, self._run, self._phases = mode, None, set[str]()
        self._warned = threading.Event()
        self._lines: queue.Queue[tuple[str, int, dict[str, Any]] | bool] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._work, name="tracker", daemon=True)
        self._thread.start()

    def metrics(self, phase: str, step: int, values: Mapping[str, Any]) -> None:
        """Send one step's numbers as `<phase>/<key>` over the axis `<phase>/step`."""
        try:
            self._lines.put_nowait((phase, step, {k: v for k, v in values.items() if isinstance(v, (int, float))}))
        except queue.Full:
            self._warn(f"takes no metrics: {WAITING:,} steps wait")

    def finish(self, failed: bool = False) -> None:
        """Write what is still held back and close the run; after FINISH_SECONDS the run ends without it."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(failed)
        self._thread.join(FINISH_SECONDS)
        if self._thread.is_alive():
            self._warn(f"has not ended within {FINISH_SECONDS:g} s")

    def _work(self) -> None:
        """In a thread of its own: wandb may prompt, wait for a network, raise or exit as it likes."""
        try:
            self._start()
            while isinstance(line := self._lines.get(), tuple):
                self._log(*line)
            self._run.finish(exit_code=1 if line else 0)  # type: ignore[attr-defined]
        except BaseException as error:  # also SystemExit: whatever a tracker raises is no matter of the run
            self._warn(f"failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}")

    def _start(self) -> None:
        mode = self._mode or os.environ.get("WANDB_MODE") or "online"
        if mode == "online" and not self._logged_in():
            self._warn("is not logged in (`wandb login`, or WANDB_API_KEY)", offline=True)
            mode = "offline"
        try:
            self._run = self._wandb.init(mode=mode, **self._options)
        except Exception as error:  # no network, a wrong key, a project that isn't the user's …
            if mode != "online":
                raise
            self._warn(f"can't start: {type(error).__name__}: {' '.join(str(error).split())[:300]}", offline=True)
            self._run = self._wandb.init(mode="offline", **self._options)

    def _logged_in(self) -> bool:
        """Whether there is a key; asked here, since `wandb.init` would prompt for one."""
        return bool(os.environ.get("WANDB_API_KEY") or getattr(self._wandb.api, "api_key", None))

    def _log(self, phase: str, step: int, numbers: Mapping[str, Any]) -> None:
        run: Any = self._run
        if phase not in self._phases:
            run.define_metric(f"{phase}/step")
            run.define_metric(f"{phase}/*", step_metric=f"{phase}/step")
            self._phases.add(phase)
        run.log({f"{phase}/step": step, **{f"{phase}/{k}": v for k, v in numbers.items()}})

    def _warn(self, problem: str, offline: bool = False) -> None:
        """Say the first thing that goes wrong, and where metrics are."""
        if self._warned.is_set():
            return
        self._warned.set()
        where = "it writes offline, for `wandb sync` later" if offline else "the run goes on without it"
        print(f"tracker: wandb {problem}; {where}. All metrics are in metrics.jsonl.", file=sys.stderr, flush=True)


def kept_id(file: Path) -> str:
    """The id of the tracker's run, from this file; a new one is written where there is none that can be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(file.read_text(encoding="utf-8"))["id"])
    made = uuid.uuid4().hex[:16]
    write_atomically(file, json.dumps({"id": made}) + "\n")
    return made


def open_tracker(
    name: str, run_folder: Path, settings: Mapping[str, Any], project: str = "vlrl", mode: TrackerMode | None = None
) -> Tracker:
    """The tracker of that name. Raises ConfigError for an unknown name or a missing package."""
    if name == "none":
        return NoTracker()
    if name == "wandb":
        return WandbTracker(run_folder, settings, project, mode)
    raise ConfigError("tracker", f"unknown tracker {name!r}", did_you_mean(name, TRACKERS))
