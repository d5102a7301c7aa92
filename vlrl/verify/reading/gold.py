"""Golds that are written as a whole worked solution, read as a response is read."""

from __future__ import annotations

from vlrl.types import Problem
from vlrl.verify.reading.committed_answer import without_tail
from vlrl.verify.reading.declared import extract


def golds_of(problem: Problem) -> list[str]:
    """The problem's gold and those that its metadata accepts beside it, as written."""
    return [problem.answer, *map(str, problem.metadata.get("accepted", ()))]


def gold_text(gold: str) -> str:
    r"""The answer that a gold declares: 18 of "… = 18 apples.\n#### 18" and of `so it is \boxed{18}`; else the gold."""
    _, marked, last = gold.rpartition("####")
    if marked and last.strip() and "\n" not in last.strip():
        return without_tail(last.strip())
    if len(gold) < 6 or ("\n" not in gold and " " not in gold and "box" not in gold):
        return gold
    found = extract(gold)
    if found.answer is None or found.how in ("json", "line", "sentence", "none"):
        return gold
    return without_tail(found.answer)
