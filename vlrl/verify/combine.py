"""Verifiers made of verifiers: `all_of`, `weighted`, `cascade`, `graded`.

In Python they are functions that return a verifier: `cascade("format", all_of("number", my_check))`. By name, a
problem's metadata carries the parts:

    verifier: cascade
    metadata:
      parts:
      - {verifier: text, answer: "yes"}
      - {verifier: box, answer: "[1, 2, 3, 4]", metadata: {threshold: 0.7}}

Each part may have its own answer and metadata; what it leaves out is the problem's. A fault of a part is a fault of the
whole, unless a part that could be judged already decides it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from vlrl.errors import DataError
from vlrl.types import Problem, Verdict
from vlrl.verify.judge import Verifier, judge, verifier, verifiers
from vlrl.verify.plugins.returned import as_verdict

Part = Verifier | str | Problem  # a problem is judged by its own verifier
COMBINING = frozenset(("all_of", "weighted", "cascade", "graded"))  # verifiers whose metadata carries the parts


def all_of(*parts: Part) -> Verifier:
    """Correct when every part is correct; the score is the smallest. Stops at the first part that scores zero."""

    def check(problem: Problem, response: str) -> Verdict:
        judged: list[Verdict] = []
        broken: Verdict | None = None
        for verdict in (_run(part, problem, response) for part in parts):
            if verdict.fault is not None:
                broken = broken or verdict
            elif verdict.score == 0.0:
                return verdict  # whatever the other parts say, or would say if they were not broken
            else:
                judged.append(verdict)
        if broken is not None or not judged:
            return broken or Verdict.broken("all_of: no parts")
        lowest = min(judged, key=lambda v: v.score)
        return Verdict(lowest.score, all(v.correct for v in judged), lowest.answer, lowest.note)

    return check


def weighted(parts: Mapping[str, float] | Sequence[tuple[Part, float]]) -> Verifier:
    """The weighted mean of the parts' scores; correct when every part with a weight above 0 is correct."""
    pairs = list(parts.items()) if isinstance(parts, Mapping) else list(parts)
    weights = [float(weight) for _, weight in pairs]

    def check(problem: Problem, response: str) -> Verdict:
        verdicts = [_run(part, problem, response) for part, _ in pairs]
        if (broken := next((v for v in verdicts if v.fault is not None), None)) is not None:
            return broken
        if not weights or min(weights) < 0 or sum(weights) <= 0:
            raise ValueError(f"weights {weights} must be ≥ 0 and not all 0")
        total = sum(v.score * w for v, w in zip(verdicts, weights, strict=True)) / sum(weights)
        correct = all(v.correct for v, w in zip(verdicts, weights, strict=True) if w > 0)
        return Verdict(min(1.0, total), correct, verdicts[-1].answer, "; ".join(v.note for v in verdicts if v.note))

    return check


def cascade(*stages: Part) -> Verifier:
    """Every stage but the last is a gate: where one is not correct the score is 0 and no later stage is run."""

    def check(problem: Problem, response: str) -> Verdict:
        verdict = Verdict.broken("cascade: no stages")
        for number, stage in enumerate(stages, 1):
            verdict = _run(stage, problem, response)
            if verdict.fault is not None:
                break
            if number < len(stages) and not verdict.correct:
                return Verdict.wrong(f"stage {number}: {verdict.note or 'not passed'}", verdict.answer)
        return verdict

    return check


def graded(part: Part, correct_at: float = 1.0, floor: float = 0.0, steps: Sequence[float] = ()) -> Verifier:
    """Another reading of a part's score.

    correct_at   correct from this score on
    floor        a score below this is 0
    steps        thresholds in (0, 1]: the score becomes the share of them that it reaches
    """

    def check(problem: Problem, response: str) -> Verdict:
        verdict = _run(part, problem, response)
        if verdict.fault is not None:
            return verdict
        score = sum(verdict.score >= step for step in steps) / len(steps) if steps else verdict.score
        kept = score if verdict.score >= floor else 0.0
        return Verdict(kept, verdict.score >= correct_at, verdict.answer, verdict.note)

    return check


@verifier("all_of")
def all_of_parts(problem: Problem, response: str) -> Verdict:
    """As `all_of`, over metadata.parts."""
    return all_of(*parts_of(problem))(problem, response)


@verifier("weighted")
def weighted_parts(problem: Problem, response: str) -> Verdict:
    """As `weighted`, over metadata.parts; each part may have a `weight` (default 1)."""
    weights = [float(part.get("weight", 1.0)) for part in _specs(problem)]
    return weighted(list(zip(parts_of(problem), weights, strict=True)))(problem, response)


@verifier("cascade")
def cascade_parts(problem: Problem, response: str) -> Verdict:
    """As `cascade`, over metadata.parts in their order."""
    return cascade(*parts_of(problem))(problem, response)


@verifier("graded")
def graded_part(problem: Problem, response: str) -> Verdict:
    """As `graded`, over the one part in metadata.parts; metadata: correct_at, floor, steps."""
    parts, metadata = parts_of(problem), problem.metadata
    if len(parts) != 1:
        raise DataError(f"problem {problem.id}, metadata.parts", f"graded takes one part, got {len(parts)}")
    steps = [float(step) for step in metadata.get("steps", ())]
    return graded(parts[0], float(metadata.get("correct_at", 1.0)), float(metadata.get("floor", 0.0)), steps)(
        problem, response
    )


def parts_of(problem: Problem) -> list[Problem]:
    """The problem once for each of metadata.parts, with that part's verifier, answer, metadata. Raises DataError."""
    shared = {k: v for k, v in problem.metadata.items() if k not in ("parts", "correct_at", "floor", "steps")}
    return [
        dataclasses.replace(
            problem,
            verifier=str(spec["verifier"]),
            answer=str(spec.get("answer", problem.answer)),
            metadata={**shared, **spec.get("metadata", {})},
        )
        for spec in _specs(problem)
    ]


def _specs(problem: Problem) -> list[Mapping[str, Any]]:
    specs = [{"verifier": s} if isinstance(s, str) else s for s in problem.metadata.get("parts", ())]
    if not specs or not all(isinstance(s, Mapping) and "verifier" in s for s in specs):
        raise DataError(
            f"problem {problem.id}, metadata.parts",
            f"{problem.verifier!r} needs parts, each with a verifier, got {problem.metadata.get('parts')!r}",
            "write [{verifier: number}, …]",
        )
    return specs


def _run(part: Part, problem: Problem, response: str) -> Verdict:
    if isinstance(part, Problem):
        return judge(part, response)
    if isinstance(part, str):
        verifiers.get(part)  # an unknown name is the user's mistake, not a fault
        return judge(dataclasses.replace(problem, verifier=part), response)
    try:
        return as_verdict(part(problem, response), getattr(part, "__name__", type(part).__name__))
    except Exception as error:  # as in `judge`: whatever a part raises is its fault, not a zero
        return Verdict.broken(f"{type(error).__name__}: {error}")
