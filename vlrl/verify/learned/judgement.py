"""The verdict of a model that reasons: one JSON object, `{"correct": true}` or `{"correct": false}`, as the last line.

Kimi k1.5 §2.3.5 lets its reward model reason and end in a judgement in JSON. It is read strictly: a reply that says
anything else, says it twice or goes on behind it has no verdict.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from vlrl.errors import DataError
from vlrl.types import Problem, Verdict
from vlrl.verify.judge import verifier
from vlrl.verify.values.shown_text import visible_text

KEY = "correct"
_KEY = re.compile(r"[\"'“”‘’`]?\bcorrect\b[\"'“”‘’`]?\s*[:=]", re.IGNORECASE)


def judgement_text(correct: bool) -> str:
    """The verdict as a reply ends with it."""
    return json.dumps({KEY: correct})


def read_judgement(reply: str) -> bool | None:
    """The verdict of a reply; None for a reply that has none, or more than one.

    The last line outside of the thinking that isn't blank must be a JSON object with the one key `correct`, true or
    false, and nothing may set that key elsewhere outside of the thinking.
    """
    lines = [line.strip() for line in visible_text(reply).splitlines() if line.strip()]
    if not lines:
        return None
    *before, last = lines
    if any(_KEY.search(line) for line in before):
        return None
    try:
        held = json.loads(last, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    if not (isinstance(held, list) and last.startswith("{") and len(held) == 1 and isinstance(held[0], tuple)):
        return None
    key, value = held[0]
    return value if key == KEY and isinstance(value, bool) else None


def declared_label(problem: Problem) -> bool:
    """The label of a row of judgements. Raises DataError for a gold that is none."""
    label = read_judgement(problem.answer)
    if label is None:
        raise DataError(f"problem {problem.id}", f"the gold {problem.answer!r} is no judgement", "write true or false")
    return label


def _golds(problem: Problem) -> Sequence[str] | None:
    declared_label(problem)
    return None  # the gold is no answer that could be put between tags


@verifier("judgement", gold=_golds)
def judgement(problem: Problem, response: str) -> Verdict:
    """Whether a judge's verdict is the label, for teaching a judge. The gold is `{"correct": true}` or its opposite.

    A reply without a verdict, or with several, is wrong: here it is the policy's own.
    """
    label, said = declared_label(problem), read_judgement(response)
    if said is None:
        return Verdict.wrong("no judgement")
    answer = judgement_text(said)
    return Verdict.right(answer) if said == label else Verdict.wrong("another judgement", answer)
