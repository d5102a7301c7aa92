"""The text of a response: its tokens without the end token, cut behind the first stop string. For every engine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any


def response_text(tokenizer: Any, tokens: Sequence[int], stop_ids: Collection[int], stop: Sequence[str] = ()) -> str:
    """Text of `tokens`; the end token is not shown, a stop string is, what follows it within its token is not."""
    shown = tokens[:-1] if tokens and tokens[-1] in stop_ids else tokens
    text: str = tokenizer.decode(list(shown), skip_special_tokens=False, clean_up_tokenization_spaces=False)
    ends = [text.find(s) + len(s) for s in stop if s in text]
    return text[: min(ends, default=len(text))]


def ends_in_stop_string(tokenizer: Any, tokens: Sequence[int], stop_ids: Collection[int], stop: Sequence[str]) -> bool:
    """Whether the last token brought one of `stop` into the text; to be asked after every token."""
    if not stop:
        return False
    longest = max(len(s.encode()) for s in stop)  # a token has at least one byte
    last = response_text(tokenizer, tokens[-longest:], stop_ids)
    return any(s in last for s in stop)
