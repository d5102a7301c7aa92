"""Which step of a written response a token belongs to: steps end at blank lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")


def step_numbers(token_ids: Sequence[int], tokenizer: Any) -> tuple[float, ...]:
    """(T,) step numbers from 0. The token that completes a blank line is the last one of its step."""
    number, written = 0, ""
    found = []
    for token in token_ids:
        found.append(float(number))
        written += tokenizer.decode([token])
        if _BLANK_LINE.search(written):
            number, written = number + 1, ""
    return tuple(found)
