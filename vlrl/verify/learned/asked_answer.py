"""The part of a response that a model may judge: its declared answer, tamed, never the reasoning that argues for it.

What a policy writes reaches a judge on one line, without angle brackets, of bounded length and between marks that it
can't know, so that it can neither end its place in the prompt nor speak from another one.
"""

from __future__ import annotations

from vlrl.types import Verdict, content_digest
from vlrl.verify.reading.declared import extract

MAX_ANSWER_CHARS = 500


def answer_to_judge(response: str, max_chars: int = MAX_ANSWER_CHARS) -> str | Verdict:
    """The answer that a judge is asked about; or the verdict where it isn't asked: no declared answer, several of them,
    control characters, or more than `max_chars` characters.
    """
    extraction = extract(response)
    if extraction.answer is None:
        return Verdict.wrong(extraction.note)
    if not all(c.isprintable() or c.isspace() for c in extraction.answer):
        return Verdict.wrong("control characters in the answer")
    answer = tame(extraction.answer)
    if len(answer) > max_chars:
        return Verdict.wrong(f"the answer is {len(answer)} characters long")
    return answer


def tame(answer: str) -> str:
    """The answer on one line, without angle brackets."""
    return " ".join(answer.replace("<", "‹").replace(">", "›").split())


def mark_of(salt: str, problem_id: str, answer: str, length: int) -> str:
    """Hexadecimal digits that stand around an answer; another answer has others, so that none can quote its own."""
    return content_digest(salt, problem_id, answer)[:length]
