"""What stateful parts of credit remember from task to task: RaPO's CTAN keeps its scale over tasks, not runs.

RL leaves `credit_state.json` beside its model; `rl.continue_credit: runs/first_task/model` goes on from it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vlrl import dist
from vlrl.errors import ConfigError
from vlrl.runlog.run_folder import write_atomically
from vlrl.training.rl.scoring import GroupScorer

FILE = "credit_state.json"


def keep_credit_state(model: Path, state: dict[str, Any]) -> None:
    """Write it beside a model's weights, by the first rank; nothing where no part remembers anything."""
    if state and dist.is_first():
        write_atomically(model / FILE, json.dumps(state, indent=1) + "\n")


def check_credit_state(path: str, place: str) -> None:
    """Raises ConfigError at `place` for a folder beside whose model no credit was left."""
    if not (Path(path).expanduser() / FILE).is_file():
        raise ConfigError(
            place,
            f"no {FILE} is in {path}",
            "name the model folder of an RL run whose credit remembers something (advantage: ctan), or leave it out",
        )


def continue_credit(scorer: GroupScorer, path: str) -> None:
    """Let the scorer's parts go on with what was left beside the model in `path`.

    Raises ConfigError where that is the state of other parts.
    """
    check_credit_state(path, "rl.continue_credit")
    state = json.loads((Path(path).expanduser() / FILE).read_text(encoding="utf-8"))
    if (kept := state.get("parts")) != scorer.part_names:
        raise ConfigError(
            "rl.continue_credit",
            f"{path} holds the state of {kept}, credit here has {scorer.part_names}",
            "take the same parts in the same order, or leave it out",
        )
    scorer.load_state_dict(state["state"])
