"""Text stays text: what somebody wrote is read as characters, though it spells one of the tokenizer's control tokens.

A control token (`<|im_end|>`, `<image>`, an end token …) says where a turn or an image begins and ends. Only the chat
template and the processor may write one. A tokenizer finds them wherever their names stand; so text that holds such a
name is read by a copy of the tokenizer that knows none of them. All other text is read by the tokenizer itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from typing import Any

from tokenizers import Tokenizer

from vlrl.errors import DataError


class ControlTokens:
    """The control tokens of one tokenizer: all that it calls special, and those with the ids in `more`."""

    def __init__(self, tokenizer: Any, more: Iterable[int] = ()) -> None:
        self.tokenizer = tokenizer
        held = tokenizer.added_tokens_decoder.items()
        self.ids = frozenset({i for i, token in held if token.special} | set(tokenizer.all_special_ids) | set(more))

    def among(self, ids: Sequence[int]) -> list[int]:
        """The control tokens of a sequence, in order."""
        return [i for i in ids if i in self.ids]

    def read(self, text: str, place: str) -> list[int]:
        """Token ids of a text that somebody wrote, none of them a control token.

        Raises DataError at `place` where the tokenizer has no other way to read it.
        """
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return self.read_apart(text, place) if self.among(ids) else ids

    def read_apart(self, text: str, place: str) -> list[int]:
        """The same for a stretch of text between two control tokens, by the copy of the tokenizer."""
        if not text:
            return []
        ids: list[int] = self._without.encode(text, add_special_tokens=False).ids if self._without is not None else []
        if self._without is None or self.among(ids):
            name = next((t for t in self.names() if t in text), "a control token")
            raise DataError(
                place,
                f"its text holds {name}, which this tokenizer can't read as text: {text[:80]!r}",
                "take it out of the text, or leave the row out (on_bad_row: skip)",
            )
        return ids

    def names(self) -> list[str]:
        """How the control tokens are written."""
        return [str(name) for name in self.tokenizer.convert_ids_to_tokens(sorted(self.ids))]

    @cached_property
    def _without(self) -> Tokenizer | None:
        """The tokenizer without its control tokens; None for one that isn't of the library `tokenizers`."""
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if backend is None:
            return None
        held = json.loads(backend.to_str())
        held["added_tokens"] = [one for one in held["added_tokens"] if one["id"] not in self.ids]
        held["truncation"] = held["padding"] = None
        return Tokenizer.from_str(json.dumps(held))


@lru_cache(maxsize=8)
def control_tokens(tokenizer: Any, more: tuple[int, ...]) -> ControlTokens:
    """The control tokens of a tokenizer and those with the ids in `more`; made once."""
    return ControlTokens(tokenizer, more)
