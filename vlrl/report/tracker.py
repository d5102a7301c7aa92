"""Metrics to an experiment tracker besides metrics.jsonl: none, or wandb (online or offline)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from vlrl.errors import ConfigError, did_you_mean
from vlrl.extras import install

TrackerName = Literal["none", "wandb"]
TrackerMode = Literal["online", "offline", "disabled"]  # wandb's own
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

    `mode` None leaves the choice to WANDB_MODE. Offline files lie under
    <run folder>/wandb and can be sent later with `wandb sync`. Raises ConfigError where wandb is not installed.
    """

    def __init__(
        self, run_folder: Path, settings: Mapping[str, Any], project: str = "vlrl", mode: TrackerMode | None = None
    ) -> None:
        try:
            import wandb
        except ImportError as error:
            raise ConfigError(
                "tracker: wandb", "wandb is not installed", f"it comes with the extra: {install('wandb')}"
            ) from error
        folder = run_folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=project, name=folder.name, dir=str(folder), config=dict(settings), mode=mode, resume="allow"
        )
        self._phases: set[str] = set()

    def metrics(self, phase: str, step: int, values: Mapping[str, Any]) -> None:
        """Send one step's numbers as `<phase>/<key>` over the axis `<phase>/step`."""
        if phase not in self._phases:
            self._run.define_metric(f"{phase}/step")
            self._run.define_metric(f"{phase}/*", step_metric=f"{phase}/step")
            self._phases.add(phase)
        numbers = {f"{phase}/{k}": v for k, v in values.items() if isinstance(v, (int, float))}
        self._run.log({f"{phase}/step": step, **numbers})

    def finish(self, failed: bool = False) -> None:
        """Write what is still held back and close the run."""
        self._run.finish(exit_code=1 if failed else 0)


def open_tracker(
    name: str, run_folder: Path, settings: Mapping[str, Any], project: str = "vlrl", mode: TrackerMode | None = None
) -> Tracker:
    """The tracker of that name. Raises ConfigError for an unknown name or a missing package."""
    if name == "none":
        return NoTracker()
    if name == "wandb":
        return WandbTracker(run_folder, settings, project, mode)
    raise ConfigError("tracker", f"unknown tracker {name!r}", did_you_mean(name, TRACKERS))
