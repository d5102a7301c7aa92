"""A response as a trace of nodes and an end: what was reasoned, and what gives the answer (STOP/ECN).

Nodes are sentences and lines, and what markers of steps part. Where a response thinks, its end begins with the tag that
closes the thinking; where it doesn't, the end is the fewest last nodes that are right by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vlrl.types import Problem
from vlrl.verify.judge import judge
from vlrl.verify.reading.clause.sentence_end import SENTENCE_END
from vlrl.verify.values.shown_text import THINK_TAG

_TAG = re.compile(r"(?=<\s{0,3}answer\s{0,3}>)", re.IGNORECASE)  # an answer is a node, wherever it stands
MOST_END_NODES = 8  # ours: an answer that takes more sentences than these to give has no end of its own


@dataclass(frozen=True)
class Trace:
    """One response, cut.

    response  as it was written
    nodes     (start, end) in characters of what stands before the end, in order
    end       where the end begins in the response, with the white space in front of it
    """

    response: str
    nodes: tuple[tuple[int, int], ...]
    end: int

    def texts(self) -> list[str]:
        """The nodes as they stand in the response."""
        return [self.response[start:stop] for start, stop in self.nodes]

    def answer(self) -> str:
        """The end without the tag that closes the thinking, and without white space around it."""
        tail = self.response[self.end :].strip()
        closing = THINK_TAG.match(tail)
        return tail if closing is None else tail[closing.end() :].strip()

    def up_to(self, node: int) -> str:
        """The response without what stands between this node and the end. Thinking that is open there is closed."""
        cut = self.nodes[node][1]
        tail = self.response[self.end :]
        closing = THINK_TAG.match(tail.lstrip())
        if closing is not None and not _thinks(self.response, cut):
            tail = tail.lstrip()[closing.end() :]
        return self.response[:cut] + tail


def trace_of(problem: Problem, response: str, separators: Sequence[str] = ()) -> Trace | None:
    """The trace of a right response; None where it doesn't think and none of its last nodes are right by themselves.

    separators  texts that part nodes besides the ends of sentences and lines
    """
    closing = [match for match in THINK_TAG.finditer(response) if match[1] or match[2]]
    if closing:
        end = len(response[: closing[-1].start()].rstrip())
        return Trace(response, node_spans(response[:end], separators), end)
    spans = node_spans(response, separators)
    for count in range(1, min(MOST_END_NODES, len(spans)) + 1):
        first = len(spans) - count
        if judge(problem, response[spans[first][0] :]).correct:
            end = spans[first - 1][1] if first else 0
            return Trace(response, spans[:first], end)
    return None


def node_spans(text: str, separators: Sequence[str] = ()) -> tuple[tuple[int, int], ...]:
    """(start, end) of every node of a text, without the white space around it; pieces without a letter or digit are
    none."""
    marks = [match.span() for pattern in (SENTENCE_END, THINK_TAG, _TAG) for match in pattern.finditer(text)]
    marks += [match.span() for one in separators for match in re.finditer(re.escape(one), text)]
    spans = []
    place = 0
    for start, stop in [*sorted(marks), (len(text), len(text))]:
        piece = text[place : max(start, place)]
        if any(letter.isalnum() for letter in piece):
            lead = len(piece) - len(piece.lstrip())
            spans.append((place + lead, place + len(piece.rstrip())))
        place = max(place, stop)
    return tuple(spans)


def _thinks(response: str, position: int) -> bool:
    """Whether thinking is open at a position of a response; where the first tag closes, the prompt opened it."""
    tags = [(match.start(), bool(match[1] or match[2])) for match in THINK_TAG.finditer(response)]
    before = [closes for start, closes in tags if start < position]
    depth = int(bool(tags) and tags[0][1])
    return depth + sum(-1 if closes else 1 for closes in before) > 0
