"""What an ablation measured, as one JSON file: everything that its page is made of, so that the page can be made again.

A value a problem and seed is kept, not its mean: differences, intervals and their correction come from these.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from vlrl.evaluation.comparison import Difference, compare, win_matrix
from vlrl.report.ablation import BEFORE, AblationReport, Floats
from vlrl.runlog.run_folder import write_atomically
from vlrl.seeding import stream

SCHEMA = 1


def differences(
    name: str,
    outcomes: Mapping[str, Mapping[str, Sequence[Floats]]],
    before: Mapping[str, Sequence[Floats]],
    reference: str,
) -> dict[str, dict[tuple[str, str], Difference]]:
    """By outcome: of every pair of arms, and of the warm-up that they share from the reference. The same numbers in
    every call: what the bootstrap draws comes from the ablation's name and the outcome's.
    """
    found = {one: win_matrix(arms, stream(0, "ablation", name, one)) for one, arms in outcomes.items()}
    for one, rows in before.items():
        rng = stream(0, "ablation", name, one, BEFORE)
        found[one][BEFORE, reference] = compare(rows, outcomes[one][reference], rng)
    return found


def write_results(name: str, report: AblationReport, file: Path) -> None:
    """All of a report but its differences."""
    held = {field.name: getattr(report, field.name) for field in fields(report) if field.name != "matrices"}
    write_atomically(file, json.dumps({"schema": SCHEMA, "name": name, **held}, default=_plain) + "\n")


def read_results(file: Path) -> AblationReport:
    """The report, its differences computed again. Raises ValueError for another schema."""
    held: dict[str, Any] = json.loads(file.read_bytes())
    if held.pop("schema") != SCHEMA:
        raise ValueError(f"{file}: this version reads schema {SCHEMA}")
    name = held.pop("name")
    outcomes = {one: {arm: _arrays(rows) for arm, rows in arms.items()} for one, arms in held["outcomes"].items()}
    before = {one: _arrays(rows) for one, rows in held["before"].items()}
    swept = {arm: {float(rate): value for rate, value in rates.items()} for arm, rates in held["swept"].items()}
    matrices = differences(name, outcomes, before, held["reference"])
    return AblationReport(**{**held, "outcomes": outcomes, "before": before, "swept": swept, "matrices": matrices})


def _arrays(rows: Sequence[Sequence[float]]) -> list[Floats]:
    return [np.array(row, dtype=np.float64) for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no part of a report")
