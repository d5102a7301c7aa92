"""What stateful parts of credit remember from task to task: RaPO's CTAN keeps its scale over tasks, not runs.

RL leaves `credit_state.json` beside its model; `rl.continue_credit: runs/first_task/model` goes on from it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vlrl import dist
from vlrl.credit.assign import CreditSettings
from vlrl.errors import ConfigError
from vlrl.runlog.run_folder import write_atomically

FILE = "credit_state.json"


def keep_credit_state(model: Path, state: dict[str, Any]) -> None:
    """Write it beside a model's weights, by the first rank; nothing where no part remembers anything."""
    if state and dist.is_first():
        write_atomically(model / FILE, json.dumps(state, indent=1) + "\n")


def read_credit_state(path: str, settings: CreditSettings, place: str) -> dict[str, Any]:
    """What was left beside the model in `path`, by part.

    Raises ConfigError at `place` where nothing was left, or where it is the state of other parts than `settings` name.
    """
    file = Path(path).expanduser() / FILE
    if not file.is_file():
        raise ConfigError(
            place,
            f"no {FILE} is in {path}",
            "name the model folder of an RL run whose credit remembers something (advantage: ctan), or leave it out",
        )
    left = json.loads(file.read_text(encoding="utf-8"))
    if left["parts"] != settings.part_names:
        raise ConfigError(
            place,
            f"{path} holds the state of {left['parts']}, credit here has {settings.part_names}",
            "take the same parts in the same order, or leave it out",
        )
    state: dict[str, Any] = left["state"]
    return state
