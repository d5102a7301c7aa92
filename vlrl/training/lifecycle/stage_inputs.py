"""What a run reads besides recipe and benchmarks is there before anything is loaded, or an earlier stage makes it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from vlrl.credit.assign import CreditSettings
from vlrl.data.stored_rollouts import FILE
from vlrl.data.teacher.teacher_records import holds_records
from vlrl.errors import ConfigError
from vlrl.model.folders.model_folder import check_folder
from vlrl.training.rl.carried_credit import read_credit_state
from vlrl.training.rl.rl_settings import FROZEN
from vlrl.training.run_settings import LEARNING, RunSettings, Stage
from vlrl.training.teacher.record_teacher import FOLDER

LEAVES: dict[Stage, str] = {  # in the run folder, by the stage that leaves it
    "sft": "model_sft",
    "record": FOLDER,
    "distil": "model_distil",
    "dpo": "model_dpo",
    "rl": "model",
}


def check_inputs(settings: RunSettings, finished: Collection[str] = (), promised: Sequence[Path] = ()) -> None:
    """Files and folders that unfinished stages read exist. Raises ConfigError with place, path and remedy.

    finished  stages of this run that are done: what they read is not looked for
    promised  files and folders that are made before the run starts, such as those of a chain's earlier links
    """
    made = list(promised)
    if settings.model.path is not None and not {*LEARNING}.intersection(finished):
        _look("model.path", settings.model.path, check_folder, made)
    for stage in settings.stages:
        if stage not in finished:
            for place, path, check in _read_by(stage, settings):
                if path is not None:
                    _look(place, path, check, made)
        if stage in LEAVES:
            made.append(Path(settings.folder) / LEAVES[stage])


_Check = Callable[[str, str], None]


def _look(place: str, path: str, check: _Check, made: Sequence[Path]) -> None:
    if not any(Path(path).resolve().is_relative_to(one.resolve()) for one in made):
        check(path, place)


def _read_by(stage: Stage, settings: RunSettings) -> list[tuple[str, str | None, _Check]]:
    """Place, path and how it is looked for, of everything that a stage reads."""
    if stage == "record" and settings.record is not None:
        return [("record.teacher.path", settings.record.teacher.path, check_folder)]
    if stage == "sft" and settings.sft.rollouts is not None:
        return [("sft.rollouts.runs", run, _rollouts) for run in settings.sft.rollouts.runs]
    if stage == "distil":
        return [("distil.records", settings.distil.records, _records)]
    if stage == "dpo":
        return [("dpo.pairs", settings.dpo.pairs, check_file)]
    if stage == "rl":
        others = {name: getattr(settings.rl, name) for name in ("teacher", *FROZEN)}
        paths: list[tuple[str, str | None, _Check]] = [
            (f"rl.{name}.path", one.path, check_folder) for name, one in others.items() if one is not None
        ]
        if settings.rl.continue_credit is not None:
            paths.append(("rl.continue_credit", settings.rl.continue_credit, _fits(settings.rl.credit)))
        return paths
    return []


def _fits(credit: CreditSettings) -> _Check:
    """Whether what an earlier task left is the state of these parts."""

    def check(path: str, place: str) -> None:
        read_credit_state(path, credit, place)

    return check


def check_file(path: str, place: str) -> None:
    """Raises ConfigError at `place` for a path that is no file."""
    if not Path(path).expanduser().is_file():
        raise ConfigError(place, f"no such file: {path}", "check the path")


def _rollouts(path: str, place: str) -> None:
    if not (Path(path).expanduser() / FILE).is_file():
        raise ConfigError(place, f"no {FILE} is in {path}", "name the folder of a run whose stages had `rl`")


def _records(path: str, place: str) -> None:
    if not holds_records(Path(path)):
        raise ConfigError(place, f"no records are in {path}", "name a folder that `record` wrote")
