"""The verifier `exact`: the gold, character by character."""

from __future__ import annotations

from vlrl.types import Problem, Verdict
from vlrl.verify.judge import verifier
from vlrl.verify.reading.declared import extract
from vlrl.verify.reading.gold import golds_of


@verifier("exact")
def exact(problem: Problem, response: str) -> Verdict:
    """The declared answer is the gold, character by character; only white space around it is dropped.

    Rejects another case, another spelling, other spaces inside, no answer, two answers.
    metadata: accepted, further golds.
    """
    extraction = extract(response)
    if extraction.answer is None:
        return Verdict.wrong(extraction.note)
    answer = extraction.answer
    if any(answer == gold.strip() for gold in golds_of(problem)):
        return Verdict.right(answer)
    return Verdict.wrong("not the exact answer", answer)
