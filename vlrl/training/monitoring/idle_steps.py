"""Steps that change no weight: nothing to learn from, or a gradient of zero. A run of such steps says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlrl import dist
from vlrl.report.read_run import is_idle
from vlrl.runlog.run_folder import read_jsonl

if TYPE_CHECKING:
    from vlrl.training.session.run_context import RunContext

SAID_AT = (3, 10, 30, 100, 300, 1000)  # idle steps in a row


class IdleSteps:
    """Counts idle steps in a row; `before` are the lines of the steps that were made before."""

    def __init__(self, before: Iterable[Mapping[str, Any]] = ()) -> None:
        self.in_a_row = 0
        for line in before:
            self.after(line)

    def after(self, metrics: Mapping[str, Any]) -> float:
        """Idle steps in a row once a step has these metrics."""
        self.in_a_row = self.in_a_row + 1 if is_idle(metrics) else 0
        return float(self.in_a_row)

    def said(self, step: int) -> str | None:
        """What is to be said now, at the first few lengths of a row."""
        if self.in_a_row not in SAID_AT:
            return None
        return (
            f"rl, step {step}: the last {self.in_a_row} steps changed no weight. In no group did the responses differ "
            "in reward: are the problems too hard or too easy, is the verifier right, does sampling vary? "
            "rollouts.jsonl and `vlrl report` show responses with their verdicts"
        )


def lines_of(folder: Path, stage: str) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl of a stage's steps."""
    file = folder / "metrics.jsonl"
    return [line for line in read_jsonl(file) if line["phase"] == stage] if file.is_file() else []


def say_idle_steps(context: RunContext, stage: str) -> None:
    """At a stage's end: how many of its steps changed no weight, on the console and in the run card, if any did not."""
    if not dist.is_first():
        return
    steps = lines_of(context.run.path, stage)
    idle = sum(is_idle(line) for line in steps)
    if not idle:
        return
    said = f"{idle} of {len(steps)} steps changed no weight"
    context.say(f"{stage}: {said}" + (": nothing was learned" if idle == len(steps) else ""))
    context.note(**{f"{stage}_idle_steps": said})
