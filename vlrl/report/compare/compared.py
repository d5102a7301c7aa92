"""What several runs have in common and where they differ: settings, curves, the same problems."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vlrl.errors import ConfigError, RunError
from vlrl.evaluation.comparison import compare
from vlrl.evaluation.scores import Interval, t_interval
from vlrl.report.read_run import Floats, RunRecord, read_run
from vlrl.runlog.run_folder import read_jsonl
from vlrl.seeding import stream

MOST_RUNS = 8
BINS = 20  # points of a curve, each the mean of neighbouring steps with its interval
ABSENT = "–"
NAMES = ("name", "run_folder")  # settings that every run has of its own


@dataclass(frozen=True)
class Run:
    """One run under a name that no other has; `settings` and recipe are flat, by dotted key."""

    name: str
    record: RunRecord
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Curve:
    """Means of neighbouring steps, (N,) each, with 95 % t intervals over the steps of a bin; NaN for single steps."""

    steps: Floats
    values: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class PairedGain:
    """`run` against the first run on the problems that both answered in one stage: mean difference of scores."""

    run: str
    stage: str
    problems: int
    before: float
    after: float
    mean: float
    interval: Interval


@dataclass(frozen=True)
class SharedProblem:
    """A problem that all runs answered when it was logged last, with each run's group (None where it has none)."""

    problem: Mapping[str, Any]
    groups: tuple[Mapping[str, Any] | None, ...]
    right: tuple[float | None, ...]

    @property
    def spread(self) -> float:
        """How far the runs' shares of right responses lie apart."""
        known = [share for share in self.right if share is not None]
        return max(known) - min(known) if known else 0.0


def open_runs(folders: Sequence[Path]) -> list[Run]:
    """The runs of these folders. Raises ConfigError for less than two or too many, RunError for what is no run."""
    if not 2 <= len(folders) <= MOST_RUNS:
        raise ConfigError("RUN …", f"{len(folders)} runs were named", f"name 2 to {MOST_RUNS} run folders")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise ConfigError("RUN …", "names a folder twice", "name each run once")
    short = [folder.resolve().name for folder in folders]
    names = short if len(set(short)) == len(short) else [str(folder) for folder in folders]
    return [Run(name, read_run(folder), _settings(folder)) for name, folder in zip(names, folders, strict=True)]


def _settings(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for file, prefix in (("run.yaml", ""), ("recipe.yaml", "recipe.")):
        if not (folder / file).is_file():
            continue
        try:
            held = yaml.safe_load((folder / file).read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise RunError(str(folder / file), f"can't be read: {error}", "run it again") from error
        found |= {f"{prefix}{key}": value for key, value in _flat(held)}
    return found


def _flat(held: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(held, Mapping) and held:
        for key, value in held.items():
            yield from _flat(value, f"{place}.{key}" if place else str(key))
    elif isinstance(held, list) and any(isinstance(item, Mapping) for item in held):
        for number, item in enumerate(held):
            named = item.get("name", number) if isinstance(item, Mapping) else number
            yield from _flat(item, f"{place}.{named}")
    else:
        yield place, json.dumps(held, ensure_ascii=False, default=str)


def differing(runs: Sequence[Run]) -> list[tuple[str, tuple[str, ...]]]:
    """Settings with more than one value, in the order of the first run that has them."""
    keys = dict.fromkeys(key for run in runs for key in run.settings if key not in NAMES)
    rows = [(key, tuple(run.settings.get(key, ABSENT) for run in runs)) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def curve(run: Run, phase: str, key: str) -> Curve | None:
    """A metric over the steps of a phase; None where the run wrote none."""
    steps, values = run.record.series(phase, key)
    if not len(steps):
        return None
    parts = np.array_split(np.arange(len(steps)), min(BINS, len(steps)))
    ends = [t_interval(values[part]) if len(part) > 1 else Interval(np.nan, np.nan) for part in parts]
    return Curve(
        np.asarray([steps[part].mean() for part in parts]),
        np.asarray([values[part].mean() for part in parts]),
        np.asarray([end.low for end in ends]),
        np.asarray([end.high for end in ends]),
    )


def paired_gains(runs: Sequence[Run]) -> list[PairedGain]:
    """Every later run against the first, on the problems of a stage's test that both answered."""
    found = []
    stages = sorted(file.name for file in runs[0].record.folder.glob("answers_*.jsonl"))
    for stage in stages:
        first = _scores(runs[0].record.folder / stage)
        for run in runs[1:]:
            other = _scores(run.record.folder / stage)
            shared = [key for key in first if key in other]
            if len(shared) < 2:
                continue
            before, after = (np.asarray([held[key] for key in shared]) for held in (first, other))
            gap = compare([after], [before], stream(0, "compare", run.name, stage))
            name = stage.removeprefix("answers_").removesuffix(".jsonl")
            ends = gap.by_problem
            found.append(PairedGain(run.name, name, len(shared), before.mean(), after.mean(), gap.mean, ends))
    return found


def _scores(file: Path) -> dict[str, float]:
    """Share of a problem's sampled responses that are right, by the problem's digest."""
    if not file.is_file():
        return {}
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
            found[str(row["id"])] = float(np.mean(row["sampled"]["correct"]))
        except (ValueError, KeyError, TypeError):
            continue  # a line that a kill left unfinished
    return found


def shared_problems(runs: Sequence[Run], most: int) -> tuple[list[SharedProblem], int]:
    """Problems whose responses several runs logged, the last time that each did: those that the runs answer most
    differently first. Returns at most `most`, and how many there are."""
    last: list[dict[str, Mapping[str, Any]]] = []
    for run in runs:
        held: dict[str, Mapping[str, Any]] = {}
        file = run.record.folder / "rollouts.jsonl"
        for record in read_jsonl(file) if file.is_file() else ():
            held[record["problem"]["id"]] = record
        last.append(held)
    counts: dict[str, int] = {}
    for held in last:
        for key in held:
            counts[key] = counts.get(key, 0) + 1
    found = []
    for key in (key for key, count in counts.items() if count > 1):
        groups = tuple(held.get(key) for held in last)
        known = next(group for group in groups if group is not None)
        found.append(SharedProblem(known["problem"], groups, tuple(_right(group) for group in groups)))
    found.sort(key=lambda one: (-one.spread, one.problem["id"]))
    return found[:most], len(found)


def _right(group: Mapping[str, Any] | None) -> float | None:
    judged = [] if group is None else [bool(r["correct"]) for r in group["rollouts"] if r["fault"] is None]
    return sum(judged) / len(judged) if judged else None
