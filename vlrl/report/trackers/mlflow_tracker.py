"""MLflow: the server or store that MLFLOW_TRACKING_URI names, else files under <run folder>/mlflow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from vlrl.report.trackers.tracker import PROJECT, TrackerThread, keep_id, kept_id
from vlrl.runlog.shown_rollouts import ShownRollout, as_markdown

LONGEST = 500  # characters of a parameter


class MlflowTracker(TrackerThread):
    """Numbers by phase and key, settings as parameters, rollouts as Markdown with their images.

    The id of MLflow's run is kept in the run folder (mlflow_run.json): a run that goes on is one run there.
    """

    name: ClassVar[str] = "mlflow"
    library: ClassVar[str] = "mlflow"

    _client: Any
    _id: str

    def _start(self) -> None:
        store = os.environ.get("MLFLOW_TRACKING_URI")
        if store is None:
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # files are what a run folder holds
            store = (self.folder / "mlflow").as_uri()
        self._client = self._library.MlflowClient(tracking_uri=store)
        file = self.folder / "mlflow_run.json"
        if file.is_file():
            self._id = kept_id(file)
            self._client.update_run(self._id, status="RUNNING")
            return
        experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        held = self._client.get_experiment_by_name(experiment)
        number = self._client.create_experiment(experiment) if held is None else held.experiment_id
        self._id = self._client.create_run(number, run_name=self.folder.name).info.run_id
        keep_id(file, self._id)
        for key, value in flat(self.settings):
            self._client.log_param(self._id, key, str(value)[:LONGEST])

    def _log(self, phase: str, step: int, numbers: Mapping[str, float]) -> None:
        for key, value in numbers.items():
            self._client.log_metric(self._id, f"{phase}/{key}", float(value), step=step)

    def _show(self, phase: str, step: int, shown: Sequence[ShownRollout]) -> None:
        place = f"rollouts/{phase}_{step:06d}"
        self._client.log_text(self._id, as_markdown(shown), f"{place}.md")
        for number, one in enumerate(shown):
            if (image := one.opened()) is not None:
                self._client.log_image(self._id, image, f"{place}_{number}.png")

    def _end(self, failed: bool) -> None:
        self._client.set_terminated(self._id, "FAILED" if failed else "FINISHED")


def flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by dotted key."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


TRACKER = MlflowTracker
