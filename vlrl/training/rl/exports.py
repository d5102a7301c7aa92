"""Models that RL leaves on its way: `model_step_<N>/` beside the last one, each known by the digests of its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vlrl import dist
from vlrl.model.training.policy import Policy
from vlrl.report.model_cards.card_files import write_model_cards
from vlrl.runlog.atomic_files import changed_files, file_digest

EXPORT = "model_step_"


class Exports:
    """Writes them into a run folder. The weights of an earlier step can't be had again: where a run goes on, a file of
    an export that is missing or has changed is told by its name, and the run goes on without it.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        self._files: dict[str, str] = {}

    def save(self, policy: Policy, step: int) -> None:
        """The policy after 1-based `step`, in Hugging Face format. All ranks come together; the first writes."""
        export = self._folder / f"{EXPORT}{step}"
        policy.save(export)
        if dist.is_first():
            files = sorted(file for file in export.rglob("*") if file.is_file())
            self._files |= {str(file.relative_to(self._folder)): file_digest(file) for file in files}
            write_model_cards(self._folder)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"files": dict(self._files)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`; says what of the exports isn't as it was written."""
        self._files = dict(state["files"])
        if dist.is_first():
            for name, what in changed_files(self._folder, self._files):
                self._say(told(self._folder / name, what))


def told(file: Path, what: str) -> str:
    """The line on a damaged file of an export."""
    return f"{file} {what}: the model of an earlier step can't be made again; the run goes on without it"
