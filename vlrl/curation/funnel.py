"""The funnel: stages in the order given, every problem counted at each of them (k1.5 §2.1).

At every stage: in = out + dropped, by reason + faults, by reason. A stage that loses or invents a problem is an error.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vlrl.curation.stage import Context, Decision, Stage, stage_name
from vlrl.types import Problem

READ = "read"
SAME = "the same problem again"


@dataclass(frozen=True)
class StageResult:
    """One stage's count.

    entered   problems that came in
    out       problems that go on
    dropped   reason → problems
    faults    reason → problems about which a broken verifier says nothing; they don't go on and aren't dropped
    totals    sums of what was measured, e.g. faulted verdicts of problems that were judged all the same
    decisions one for every problem that came in, in order
    """

    name: str
    settings: Mapping[str, Any]
    entered: int
    out: int
    dropped: Mapping[str, int]
    faults: Mapping[str, int]
    totals: Mapping[str, float]
    seconds: float
    decisions: tuple[Decision, ...] = field(repr=False)

    def __post_init__(self) -> None:
        counted = self.out + sum(self.dropped.values()) + sum(self.faults.values())
        if counted != self.entered or len(self.decisions) != self.entered:
            raise RuntimeError(f"stage {self.name!r}: {self.entered} problems came in, {counted} are accounted for")

    def record(self) -> dict[str, Any]:
        """As results.json holds it."""
        return {
            "stage": self.name,
            "settings": dict(self.settings),
            "in": self.entered,
            "out": self.out,
            "dropped": dict(self.dropped),
            "faults": dict(self.faults),
            "totals": dict(self.totals),
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Funnel:
    """All stages in order, the first of them the reading."""

    stages: tuple[StageResult, ...]
    kept: tuple[Problem, ...]

    def __post_init__(self) -> None:
        for before, after in zip(self.stages, self.stages[1:], strict=False):
            if before.out != after.entered:
                raise RuntimeError(
                    f"{before.out} problems left stage {before.name!r}, {after.entered} entered {after.name!r}"
                )
        if self.stages[-1].out != len(self.kept):
            raise RuntimeError(f"{self.stages[-1].out} problems left the last stage, {len(self.kept)} are kept")

    @property
    def pools(self) -> dict[str, list[Problem]]:
        """Dropped problems by the pool that they went to."""
        found: dict[str, list[Problem]] = {}
        for stage in self.stages:
            for decision in stage.decisions:
                if decision.pool is not None:
                    found.setdefault(decision.pool, []).append(decision.problem)
        return found

    @property
    def faulted(self) -> list[Problem]:
        """Problems set aside because a verifier broke."""
        return [d.problem for stage in self.stages for d in stage.decisions if d.outcome == "fault"]


def run_funnel(
    problems: Sequence[Problem],
    chain: Sequence[Stage],
    context: Context,
    started: Callable[[str, int], None] = lambda name, count: None,
    ended: Callable[[StageResult], None] = lambda result: None,
) -> Funnel:
    """All stages in order. `started` and `ended` are told of every stage. Raises what the stages raise."""
    began = time.monotonic()
    results = [count_stage(READ, {}, _without_repeats(problems), began)]
    ended(results[0])
    held = [d.problem for d in results[0].decisions if d.outcome == "kept"]
    for stage in chain:
        name, began = stage_name(stage), time.monotonic()
        started(name, len(held))
        decisions = stage.decide(held, context)
        if len(decisions) != len(held):
            raise RuntimeError(f"stage {name!r}: {len(held)} problems came in, {len(decisions)} decisions came out")
        result = count_stage(name, stage.model_dump(mode="json", exclude={"label"}), decisions, began)
        results.append(result)
        held = [d.problem for d in decisions if d.outcome == "kept"]
        ended(result)
    return Funnel(tuple(results), tuple(held))


def count_stage(name: str, settings: Mapping[str, Any], decisions: Sequence[Decision], began: float) -> StageResult:
    """The count of a stage's decisions."""
    totals: Counter[str] = Counter()
    for decision in decisions:
        totals.update({k: v for k, v in decision.measured.items() if isinstance(v, int)})
    return StageResult(
        name=name,
        settings=settings,
        entered=len(decisions),
        out=sum(d.outcome == "kept" for d in decisions),
        dropped=dict(Counter(d.reason for d in decisions if d.outcome == "dropped").most_common()),
        faults=dict(Counter(d.reason for d in decisions if d.outcome == "fault").most_common()),
        totals=dict(totals),
        seconds=time.monotonic() - began,
        decisions=tuple(decisions),
    )


def _without_repeats(problems: Sequence[Problem]) -> list[Decision]:
    seen: set[str] = set()
    decisions = []
    for problem in problems:
        again = problem.id in seen
        seen.add(problem.id)
        decisions.append(Decision(problem, "dropped", SAME) if again else Decision(problem))
    return decisions
