"""Signs of the four processes of a long chain of thought (k1.5 §2.2): counted for a report, never a reward."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vlrl.verify.values.shown_text import visible_text

_SIGNS = {
    "planning": r"\b(?:first(?:ly)?,|(?:my|the) plan\b|let me (?:start|begin|plan)|step 1\b"
    r"|i will (?:first|start|begin)|we need to\b)",
    "evaluation": r"\b(?:let me (?:check|verify)|(?:to )?double[- ]check|checking\b|check:|verif(?:y|ying)\b"
    r"|makes sense\b|is (?:this|that) right)",
    "reflection": r"\b(?:wait\b|hmm\b|actually,|on second thought|i (?:made|see) (?:a|an|my) (?:mistake|error)"
    r"|that(?:'s| is) (?:wrong|not right)|let me (?:reconsider|rethink|redo))",
    "exploration": r"\b(?:alternatively|another (?:way|approach|method|idea)|what if\b|let me try\b"
    r"|instead,|suppose\b)",
}
SIGNS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _SIGNS.items()}
_STEP = re.compile(r"^\s*(?:step \d+|\d+[.)]|[-*])\s", re.IGNORECASE | re.MULTILINE)


def count_markers(response: str) -> dict[str, int]:
    """Signs of planning, evaluation, reflection and exploration, numbered steps, and characters of thinking."""
    found = {name: len(pattern.findall(response)) for name, pattern in SIGNS.items()}
    return {
        **found,
        "steps": len(_STEP.findall(response)),
        "thinking_chars": len(response) - len(visible_text(response)),
    }


def marker_report(responses: Sequence[str]) -> dict[str, dict[str, float]]:
    """By sign: the mean count a response, and the share of responses that have it."""
    counts = [count_markers(response) for response in responses]
    if not counts:
        return {}
    return {
        name: {
            "mean": sum(count[name] for count in counts) / len(counts),
            "share": sum(count[name] > 0 for count in counts) / len(counts),
        }
        for name in counts[0]
    }
