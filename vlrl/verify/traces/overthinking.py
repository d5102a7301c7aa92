"""How much of what is reasoned stands behind the first right answer ("Do not think that much for 2+3", 2412.21187)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import Field

from vlrl.config import Settings
from vlrl.types import Problem, Verdict
from vlrl.verify.traces.conclusions import Concludes, earliest_right, first_declared
from vlrl.verify.traces.nodes import node_spans, trace_of


class TraceSettings(Settings):
    """How a trace is read."""

    concludes: Concludes = Field(
        default="statement",
        description="what of a node counts: `statement`, an answer that it declares or concludes with; `last_value`, "
        "what stands last in it, too, for traces that are bare calculations",
    )
    separators: tuple[str, ...] = Field(
        default=(), description="texts that part nodes besides the ends of sentences and lines, e.g. [';']"
    )


@dataclass(frozen=True)
class Overthinking:
    """Of one response, in shares of characters.

    behind       of a right response's trace, what stands behind its earliest right answer; None: it is wrong
    efficiency   of the response, what it takes to its earliest right answer; 0 for a wrong one (outcome efficiency)
    first_right  whether the first answer that it declares is right
    """

    behind: float | None
    efficiency: float
    first_right: bool


def overthinking(problem: Problem, response: str, verdict: Verdict, settings: TraceSettings) -> Overthinking:
    """What a judged response says of itself."""
    spans = node_spans(response, settings.separators)
    first = first_declared(problem, [response[start:stop] for start, stop in spans])
    first_right = verdict.correct if first is None else first.correct
    if not verdict.correct:
        return Overthinking(None, 0.0, first_right)
    trace = trace_of(problem, response, settings.separators)
    found = None if trace is None else earliest_right(problem, trace.texts(), settings.concludes)
    if trace is None or found is None:
        return Overthinking(0.0, 1.0, first_right)
    place = trace.nodes[found][1]
    return Overthinking(1 - place / trace.end, place / len(response) if place < trace.end else 1.0, first_right)


def overthinking_metrics(judged: Iterable[tuple[Problem, str, Verdict]], settings: TraceSettings) -> dict[str, float]:
    """Means over responses, those of faults left out; empty without any.

    overthinking/behind_rate            over right ones: share of the trace behind the earliest right answer
    overthinking/outcome_efficiency     share of a response that it takes to its earliest right answer; wrong ones: 0
    overthinking/first_answer_accuracy  share whose first declared answer is right
    """
    found = [overthinking(p, text.strip(), v, settings) for p, text, v in judged if v.fault is None]
    if not found:
        return {}
    behind = [one.behind for one in found if one.behind is not None]
    metrics = {"overthinking/behind_rate": sum(behind) / len(behind)} if behind else {}
    return metrics | {
        "overthinking/outcome_efficiency": sum(one.efficiency for one in found) / len(found),
        "overthinking/first_answer_accuracy": sum(one.first_right for one in found) / len(found),
    }
