"""The nouns of the house: frozen dataclasses that flow in one direction. Read problem, then group.

    Problem → Group (+ rollouts) → ScoredGroup (+ verdicts; then rewards, advantages) → Example, in vlrl.model.batch

Four words are kept apart: **score** (what a verifier says, in [0, 1]) → **reward** (score + shaping)
→ **advantage** (reward − baseline) → **loss**. What a stage adds stands in a new object; nothing is filled in.
Lengths are in tokens unless the name says otherwise. Nothing here imports torch or Pillow, so that reading run files
needs neither.
"""

from vlrl.types.episode import Episode, ToolCall
from vlrl.types.group import Author, FinishReason, Group, PerToken, Rollout, Routing, ScoredGroup, Segment, Verdict
from vlrl.types.problem import (
    MODALITIES,
    Demonstration,
    Draft,
    Image,
    Modality,
    Preference,
    Problem,
    Text,
    content_digest,
)

__all__ = [
    "MODALITIES",
    "Author",
    "Demonstration",
    "Draft",
    "Episode",
    "FinishReason",
    "Group",
    "Image",
    "Modality",
    "PerToken",
    "Preference",
    "Problem",
    "Rollout",
    "Routing",
    "ScoredGroup",
    "Segment",
    "Text",
    "ToolCall",
    "Verdict",
    "content_digest",
]
