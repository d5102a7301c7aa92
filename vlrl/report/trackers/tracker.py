"""What a tracker is, and how one is opened: `tracker: tensorboard` in a config, one line.

A tracker gets the lines of metrics.jsonl and a few rollouts with their images. It works in a thread of its own:
whatever it raises, waits for or exits with is said once, on stderr, and never stops or delays a run. All that it shows
is in the run folder, too.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import queue
import sys
import threading
import uuid
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, get_args

from vlrl.errors import ConfigError, did_you_mean
from vlrl.installation.extras import install
from vlrl.runlog.run_folder import write_atomically
from vlrl.runlog.shown_rollouts import ShownRollout

TrackerName = Literal["none", "wandb", "tensorboard", "trackio", "swanlab", "mlflow"]
TrackerMode = Literal["online", "offline", "disabled"]  # wandb's own
TRACKERS: tuple[TrackerName, ...] = get_args(TrackerName)
WAITING = 100_000  # lines that are kept for a tracker that takes none
FINISH_SECONDS = 60.0  # that the end of a run waits for it
PROJECT = "vlrl"

_Line = tuple[str, int, dict[str, Any] | Sequence[ShownRollout]]  # phase, step, numbers or rollouts


class Tracker(Protocol):
    """Where metrics go besides the run folder."""

    def metrics(self, phase: str, step: int, values: Mapping[str, Any]) -> None:
        """One line of metrics.jsonl: `area/what` keys of one step of one phase."""
        ...

    def rollouts(self, phase: str, step: int, shown: Sequence[ShownRollout]) -> None:
        """A few rollouts of a step, with the files of their images."""
        ...

    def finish(self, failed: bool = False) -> None:
        """The run is over."""
        ...


class NoTracker:
    """Metrics stay in the run folder."""

    def metrics(self, phase: str, step: int, values: Mapping[str, Any]) -> None:
        """Nothing to do."""

    def rollouts(self, phase: str, step: int, shown: Sequence[ShownRollout]) -> None:
        """Nothing to do."""

    def finish(self, failed: bool = False) -> None:
        """Nothing to do."""


class TrackerThread:
    """The base of trackers that are libraries: four calls to write, all of them in one thread.

    library  its module; `extra` is what installs it

    Raises ConfigError where the library isn't installed. Nothing else of it stops the run.
    """

    name: ClassVar[str]
    library: ClassVar[str]

    def __init__(self, run_folder: Path, settings: Mapping[str, Any]) -> None:
        try:
            self._library: Any = importlib.import_module(self.library)
        except ImportError as error:
            raise ConfigError(
                f"tracker: {self.name}",
                f"{error.name or self.library} is not installed",
                f"it comes with the extra: {install(self.name)}",
            ) from error
        self.folder, self.settings = run_folder.resolve(), dict(settings)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._said = threading.Event()
        self._lines: queue.Queue[_Line | bool] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._work, name="tracker", daemon=True)
        self._thread.start()

    @abstractmethod
    def _start(self) -> None:
        """Open the run there."""

    @abstractmethod
    def _log(self, phase: str, step: int, numbers: Mapping[str, float]) -> None:
        """Write one step's numbers."""

    @abstractmethod
    def _show(self, phase: str, step: int, shown: Sequence[ShownRollout]) -> None:
        """Write rollouts as a table or as images, in what way it can."""

    @abstractmethod
    def _end(self, failed: bool) -> None:
        """Close the run there."""

    def metrics(self, phase: str, step: int, values: Mapping[str, Any]) -> None:
        """Send one step's numbers."""
        numbers = {k: v for k, v in values.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}
        self._put((phase, step, numbers))

    def rollouts(self, phase: str, step: int, shown: Sequence[ShownRollout]) -> None:
        """Send a few rollouts."""
        self._put((phase, step, tuple(shown)))

    def _put(self, line: _Line) -> None:
        if not self._thread.is_alive():
            return
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._warn(f"takes no metrics: {WAITING:,} lines wait")

    def finish(self, failed: bool = False) -> None:
        """Write what is still held back and close the run; after FINISH_SECONDS the run ends without it."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(failed)
        self._thread.join(FINISH_SECONDS)
        if self._thread.is_alive():
            self._warn(f"has not ended within {FINISH_SECONDS:g} s")

    def _work(self) -> None:
        """In a thread of its own: a library may prompt, wait for a network, raise or exit as it likes."""
        failed = True
        try:
            self._start()
            while not isinstance(line := self._lines.get(), bool):
                phase, step, content = line
                if isinstance(content, dict):
                    self._log(phase, step, content)
                elif content:
                    self._show(phase, step, content)
            failed = line
        except BaseException as error:  # also SystemExit: whatever a tracker raises is no matter of the run
            self._warn(f"failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
            return
        try:
            self._end(failed)
        except BaseException as error:
            self._warn(f"failed at its end: {type(error).__name__}: {' '.join(str(error).split())[:300]}")

    def _warn(self, problem: str, then: str = "the run goes on without it") -> None:
        """Say the first thing that goes wrong, and where metrics are."""
        if self._said.is_set():
            return
        self._said.set()
        print(f"tracker: {self.name} {problem}; {then}. All metrics are in metrics.jsonl.", file=sys.stderr, flush=True)


def kept_id(file: Path) -> str:
    """The id of the tracker's run, from this file; a new one is written where there is none that can be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(file.read_text(encoding="utf-8"))["id"])
    made = uuid.uuid4().hex[:16]
    keep_id(file, made)
    return made


def keep_id(file: Path, made: str) -> None:
    """Remember the id of the tracker's run for a run that goes on."""
    write_atomically(file, json.dumps({"id": made}) + "\n")


def open_tracker(name: str, run_folder: Path, settings: Mapping[str, Any]) -> Tracker:
    """The tracker of that name. Raises ConfigError for an unknown name or a missing package."""
    if name == "none":
        return NoTracker()
    if name not in TRACKERS:
        raise ConfigError("tracker", f"unknown tracker {name!r}", did_you_mean(name, TRACKERS))
    home: Any = importlib.import_module(f"vlrl.report.trackers.{name}_tracker")
    opened: Tracker = home.TRACKER(run_folder, settings)
    return opened
