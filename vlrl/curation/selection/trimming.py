"""Long traces cut behind their earliest right answer (STOP/ECN): data for a shorter model, in the model's own words.

A right response keeps its trace up to the earliest node that concludes with the right answer, and its end: thinking
that is closed, and the final answer as it was given. The new response is judged again, as a whole; where it isn't
right, the response stays as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from vlrl.types import Preference, Problem, Rollout
from vlrl.verify.judge import judge
from vlrl.verify.traces.conclusions import earliest_right
from vlrl.verify.traces.nodes import trace_of
from vlrl.verify.traces.overthinking import TraceSettings


class TrimSettings(TraceSettings):
    """How responses are cut behind their earliest right answer."""

    pairs: bool = Field(
        default=False, description="write preferences.jsonl, too: what was cut against the response as it was"
    )


@dataclass(frozen=True)
class Kept:
    """What stays of a response.

    text    of the response, cut or whole, without white space around it
    whole   as it was written
    why     "cut"; or why not: "no right node", "nothing behind it", "not right again"
    """

    text: str
    whole: str
    why: str

    @property
    def share(self) -> float:
        """Characters that stay, as a share; 1 for a response that stays whole."""
        return len(self.text) / max(1, len(self.whole))


def trim(problem: Problem, response: str, settings: TrimSettings) -> Kept:
    """A right response, cut where it can be."""
    whole = response.strip()
    trace = trace_of(problem, whole, settings.separators)
    found = None if trace is None else earliest_right(problem, trace.texts(), settings.concludes)
    if trace is None or found is None:
        return Kept(whole, whole, "no right node")
    cut = trace.up_to(found)
    if len(cut) >= len(whole):
        return Kept(whole, whole, "nothing behind it")
    return Kept(cut, whole, "cut") if judge(problem, cut).correct else Kept(whole, whole, "not right again")


def trimmed_length(rollout: Rollout, kept: Kept | None) -> float:
    """Tokens of what stays of a response, taken by its share of the characters; of a whole one exactly its tokens."""
    return rollout.num_tokens if kept is None or kept.text == kept.whole else rollout.num_tokens * kept.share


def trimmed_pairs(problem: Problem, kept: Sequence[Kept]) -> list[Preference]:
    """Every response that was cut, against itself as it was: right both times, and one of them shorter."""
    cut = {one.whole: one for one in kept if one.why == "cut"}
    return [Preference(problem, one.text, one.whole) for one in cut.values()]


def trim_report(kept: Sequence[Kept]) -> dict[str, Any]:
    """As results.json holds it: right responses by what became of them, and the share of characters that stays."""
    reasons = ("cut", "nothing behind it", "no right node", "not right again")
    chars = sum(len(one.whole) for one in kept)
    return {
        "responses": {reason: sum(one.why == reason for one in kept) for reason in reasons},
        "chars_kept": sum(len(one.text) for one in kept) / chars if chars else 1.0,
    }
