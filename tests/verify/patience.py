"""Judging on a machine that may be busy: a worker that got no processor time is asked again, everything else stands."""

from __future__ import annotations

from vlrl.types import Problem, Text, Verdict
from vlrl.verify.judge import judge

STARVED = "of processor time"


def patiently(problem: Problem, response: str, attempts: int = 25) -> Verdict:
    """The verdict, once the worker has had the processor time that it may have."""
    for _ in range(attempts):
        verdict = judge(problem, response)
        if verdict.fault is None or STARVED not in verdict.fault:
            break
    return verdict


def problem(verifier: str, gold: str, question: str = "What is it?", **metadata: object) -> Problem:
    """A text problem with this verifier, gold answer and facts."""
    return Problem((Text(question),), gold, verifier, "text", "test", metadata=metadata)


def answered(answer: str) -> str:
    """A response in the format that warm-up teaches."""
    return f"<think>Let me see.</think><answer>{answer}</answer>"
