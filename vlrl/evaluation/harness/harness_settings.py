"""Which tasks of the field's harnesses are asked, and whether they can be, before a model is loaded."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from vlrl import dist
from vlrl.config import Settings
from vlrl.errors import ConfigError
from vlrl.installation.extras import install

HarnessName = Literal["lmms", "lm"]
LIBRARY: dict[HarnessName, str] = {"lmms": "lmms_eval", "lm": "lm_eval"}
CALLED: dict[HarnessName, str] = {"lmms": "lmms-eval", "lm": "lm-evaluation-harness"}


class HarnessTasks(Settings):
    """Tasks by the names that their harness has for them."""

    lmms: tuple[str, ...] = Field(default=(), description="tasks of lmms-eval, e.g. mathvista_testmini, mmmu_val")
    lm: tuple[str, ...] = Field(default=(), description="tasks of lm-evaluation-harness, e.g. mmlu, ifeval")
    folders: tuple[str, ...] = Field(default=(), description="folders of task files besides the harness's own")
    limit: int | None = Field(default=None, ge=1, description="the first this many rows of every task; null: all")
    shots: int | None = Field(default=None, ge=0, description="examples before each question; null: as the task says")
    chat_template: bool = Field(default=True, description="text tasks are asked through the model's chat template")
    max_tokens: int = Field(default=1024, ge=1, description="of a response to lmms-eval's tasks that don't say")
    verifiers: dict[str, str] = Field(
        default={}, description="task → verifier of ours beside the harness's verdicts; default: by the gold answer"
    )
    unsafe_code: bool = Field(
        default=False, description="let lm-evaluation-harness run the programs that a model writes (humaneval, mbpp)"
    )

    @model_validator(mode="after")
    def _something_is_asked(self) -> HarnessTasks:
        if not (self.lmms or self.lm):
            raise ConfigError("harness", "names no task", "harness: {lmms: [mmmu_val], lm: [mmlu]}")
        return self

    @property
    def names(self) -> list[tuple[HarnessName, str]]:
        """(harness, task) in the order in which they are asked."""
        return [*(("lmms", name) for name in self.lmms), *(("lm", name) for name in self.lm)]


def check_tasks(tasks: HarnessTasks, place: str = "harness") -> None:
    """Raises ConfigError for a harness that isn't installed, a folder that isn't there, or a task it doesn't know."""
    if dist.launched():
        raise ConfigError(
            place,
            f"is asked by {dist.world()} processes, and a harness shares rows out by itself",
            "leave it out here, and ask the exported model in one process: vlrl eval CONFIG --tasks …",
        )
    for folder in tasks.folders:
        if not Path(folder).expanduser().is_dir():
            raise ConfigError(f"{place}.folders", f"{folder} is no folder", "name one that holds task files")
    wanted: list[tuple[HarnessName, tuple[str, ...]]] = [("lmms", tasks.lmms), ("lm", tasks.lm)]
    for harness, names in wanted:
        if names:
            require_harness(harness, f"{place}.{harness}")
            known = task_manager(harness, names, tasks.folders).all_tasks
            for name in names:
                if name not in known:
                    raise ConfigError(
                        f"{place}.{harness}", f"{CALLED[harness]} has no task {name!r}", _remedy(name, known)
                    )


def require_harness(harness: HarnessName, place: str) -> None:
    """Raises ConfigError where its library isn't installed."""
    if importlib.util.find_spec(LIBRARY[harness]) is None:
        how = install("harness")
        if harness == "lmms":
            how += ", then pip install --no-deps lmms-eval: its own list asks for other versions of torch and wandb"
        raise ConfigError(place, f"{CALLED[harness]} is not installed", how)


def task_manager(harness: HarnessName, names: Sequence[str], folders: Iterable[str]) -> Any:
    """The harness's own, with further folders of task files; without its thousands where the folders have all names."""
    more = [str(Path(one).expanduser()) for one in folders] or None
    if harness == "lm":
        from lm_eval.tasks import TaskManager
    else:
        from lmms_eval.tasks import TaskManager
    given: dict[str, Any] = {"include_path": more} if harness == "lm" else {"include_path": more, "model_name": "vlrl"}
    verbosity = {} if harness == "lm" else {"verbosity": "WARNING"}
    if more:
        own = TaskManager(include_defaults=False, **given, **verbosity)
        if set(names) <= set(own.all_tasks):
            return own
    return TaskManager(**given, **verbosity)


def _remedy(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    named = f"did you mean {close[0]!r}? " if close else ""
    return f"{named}task files of your own are found with `folders`"
