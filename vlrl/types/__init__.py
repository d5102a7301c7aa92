"""The nouns of the house: frozen dataclasses that flow in one direction. Read problem, then group.

    Problem → Group (+ rollouts) → ScoredGroup (+ verdicts; then rewards, advantages) → Example, in vlrl.model.batch

Four words are kept apart: **score** (what a verifier says, in [0, 1]) → **reward** (score + shaping)
→ **advantage** (reward − baseline) → **loss**. What a stage adds stands in a new object; nothing is filled in.
Lengths are in tokens unless the name says otherwise. Nothing here imports torch or Pillow, so that reading run files
needs neither.
"""

from vlrl.types.group import (
    Author as Author,
)
from vlrl.types.group import (
    FinishReason as FinishReason,
)
from vlrl.types.group import (
    Group as Group,
)
from vlrl.types.group import (
    PerToken as PerToken,
)
from vlrl.types.group import (
    Rollout as Rollout,
)
from vlrl.types.group import (
    ScoredGroup as ScoredGroup,
)
from vlrl.types.group import (
    Segment as Segment,
)
from vlrl.types.group import (
    Verdict as Verdict,
)
from vlrl.types.problem import (
    MODALITIES as MODALITIES,
)
from vlrl.types.problem import (
    Demonstration as Demonstration,
)
from vlrl.types.problem import (
    Draft as Draft,
)
from vlrl.types.problem import (
    Image as Image,
)
from vlrl.types.problem import (
    Modality as Modality,
)
from vlrl.types.problem import (
    Preference as Preference,
)
from vlrl.types.problem import (
    Problem as Problem,
)
from vlrl.types.problem import (
    RatedProblem as RatedProblem,
)
from vlrl.types.problem import (
    Text as Text,
)
from vlrl.types.problem import (
    content_digest as content_digest,
)
