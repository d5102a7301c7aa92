"""Which node of a trace concludes with the right answer, by the problem's own verifier.

A node concludes where it declares an answer (a tag, a box, "the answer is") or draws a conclusion ("so", "therefore"),
in any of the languages of `words/`. One that asks, doubts, denies or supposes doesn't: "is it 7?", "maybe 7", "if it
were 7". A value on the way that happens to be the answer doesn't, either; for traces that are bare calculations
`last_value` counts what stands last in a node.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from vlrl.types import Problem, Verdict
from vlrl.verify.judge import judge
from vlrl.verify.reading.cues import CONCLUDES
from vlrl.verify.reading.declared import extract
from vlrl.verify.reading.hedging import doubts
from vlrl.verify.words.languages import words

Concludes = Literal["statement", "last_value"]

_DECLARED = ("tag", "box", "json", "phrase")
_SUPPOSES = re.compile(
    rf"{words('if', 'supposing', 'would')}|[?？؟]|\b(?:hypothe\w+|conjectur\w+|try(?:ing)?|wonder\w*"
    r"|(?:what|how) about|let(?:['’]s| me| us) (?:check|test|see))\b",
    re.IGNORECASE,
)
_LAST_NUMBER = re.compile(r"(?:(?<![\w)\]}.])[-−])?[0-9][0-9.,:/]*")
_WORD = re.compile(r"[^\W_]+")


def earliest_right(problem: Problem, nodes: Sequence[str], concludes: Concludes = "statement") -> int | None:
    """Index of the earliest node that concludes with the right answer; None: none does. Nodes behind it aren't judged,
    and one that the verifier breaks on concludes nothing."""
    for index, node in enumerate(nodes):
        if any(judge(problem, said).correct for said in _concluded(problem, node, concludes)):
            return index
    return None


def first_declared(problem: Problem, nodes: Sequence[str]) -> Verdict | None:
    """The verdict on the first node that declares an answer, right or wrong; None: none does."""
    for node in nodes:
        if not _supposes(problem, node) and extract(node, problem.question).how in _DECLARED:
            return judge(problem, node)
    return None


def last_value(node: str) -> str:
    """What stands last in a node: from its last number on, or else its last word; "" where there is neither."""
    numbers = list(_LAST_NUMBER.finditer(node))
    if numbers:
        return node[numbers[-1].start() :].rstrip(" .,:;!*$)]}")
    named = _WORD.findall(node)
    return named[-1] if named else ""


def _concluded(problem: Problem, node: str, concludes: Concludes) -> Iterator[str]:
    """What a node concludes with, to be judged: the statement itself and, where that counts, its last value."""
    if _supposes(problem, node):
        return
    if CONCLUDES.search(node) or extract(node, problem.question).how in _DECLARED:
        yield node
    if concludes == "last_value":
        yield f"<answer>{last_value(node)}</answer>"


def _supposes(problem: Problem, node: str) -> bool:
    return _SUPPOSES.search(node) is not None or doubts(node, problem.question)
