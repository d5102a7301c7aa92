"""Our verdicts beside the harness's, row by row, and which rows differ."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlrl.errors import VlrlError
from vlrl.evaluation.harness.run_tasks import HarnessResult
from vlrl.types import Problem, Text
from vlrl.verify.judge import judge

VERDICTS = ("exact_match", "acc", "accuracy", "pass@1", "correct", "score")  # first that a row has
LETTER, NUMBER = re.compile(r"\(?[A-Z]\)?\.?"), re.compile(r"[-+]?[\d,]*\.?\d+")


@dataclass(frozen=True)
class RowVerdicts:
    """One row of a task.

    metric   which of the harness's metrics its verdict is
    theirs   whether the harness counts it as right; None where its metric is no verdict of a single row
    ours     the same of our verifier; None where it broke
    """

    task: str
    row: int | str
    question: str
    gold: str
    response: str
    metric: str | None
    theirs: bool | None
    verifier: str
    ours: bool | None
    note: str

    @property
    def differs(self) -> bool:
        """Both have a verdict, and not the same."""
        return self.theirs is not None and self.ours is not None and self.theirs != self.ours

    def record(self) -> dict[str, Any]:
        """One line of harness_<task>.jsonl."""
        return {**vars(self), "differs": self.differs}


def verdicts_beside(result: HarnessResult, verifier: str | None = None) -> list[RowVerdicts]:
    """Of tasks that generate; of log-likelihoods there is nothing for a verifier to read, and the list is empty.

    verifier  of ours; None: by what the gold answer is (an option's letter, a number, else text)
    """
    return [_row(result, sample, verifier) for sample in result.samples if _response(sample) is not None]


def _row(result: HarnessResult, sample: Mapping[str, Any], verifier: str | None) -> RowVerdicts:
    gold, response = _gold(sample.get("target")), _response(sample) or ""
    question = _question(sample)
    name = verifier or verifier_of(gold)
    metric = next((key for key in VERDICTS if key in sample), None)
    theirs = None if metric is None else _as_verdict(sample[metric])
    problem = Problem((Text(question),), gold, name, "text", result.task)
    try:
        verdict = judge(problem, response)
        ours, note = (None, verdict.fault) if verdict.fault else (verdict.correct, verdict.note)
    except VlrlError as error:
        ours, note = None, str(error)
    return RowVerdicts(
        result.task, sample.get("doc_id", 0), question, gold, response, metric, theirs, name, ours, note or ""
    )


def verifier_of(gold: str) -> str:
    """The verifier of ours for a gold answer of this form."""
    if LETTER.fullmatch(gold):
        return "choice"
    return "number" if NUMBER.fullmatch(gold) else "text"


def _gold(target: Any) -> str:
    """A list of golds is its first; GSM8K's stands behind ####."""
    if isinstance(target, Sequence) and not isinstance(target, str):
        target = target[0] if target else ""
    return str(target).rpartition("####")[2].strip()


def _response(sample: Mapping[str, Any]) -> str | None:
    """The first response as the model wrote it; None where a row holds log-likelihoods."""
    held: Any = sample.get("resps")
    while isinstance(held, list | tuple) and held:
        held = held[0]
    return held if isinstance(held, str) else None


def _question(sample: Mapping[str, Any]) -> str:
    held: Any = sample.get("arguments")
    if isinstance(held, Mapping):
        held = next(iter(held.values()), "")
        held = held.get("arg_0", "") if isinstance(held, Mapping) else held
    while isinstance(held, list | tuple) and held:
        held = held[0]
    return held if isinstance(held, str) else ""


def _as_verdict(value: Any) -> bool | None:
    if isinstance(value, Mapping):  # lmms-eval keeps what its aggregation needs
        value = next((value[key] for key in ("correct", "score", "acc") if key in value), None)
    return bool(value) if isinstance(value, bool | int | float) and float(value) in (0.0, 1.0) else None


def harness_table(results: Sequence[HarnessResult], beside: Mapping[str, Sequence[RowVerdicts]]) -> str:
    """One line a figure, and one a task on the rows in which both verdicts stand.

    beside  by `HarnessResult.name`
    """
    lines = []
    for result in results:
        for metric, value in result.figures.items():
            error = result.errors.get(metric)
            spread = "" if error is None else f" ± {error:.4f}"
            lines.append(f"{result.name:<28} {metric:<24} {value:.4f}{spread}  n={result.n} protocol {result.protocol}")
        rows = [row for row in beside.get(result.name, ()) if row.theirs is not None and row.ours is not None]
        if rows:
            theirs, ours = sum(bool(row.theirs) for row in rows), sum(bool(row.ours) for row in rows)
            differ = sum(row.differs for row in rows)
            lines.append(
                f"{'':<28} {rows[0].metric} of rows: {theirs} of {len(rows)}; by our verifiers {ours}; "
                f"{differ} rows differ"
            )
    return "\n".join(lines)
