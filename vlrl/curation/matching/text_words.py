"""Texts as words, shingles and numbers, the same for near-duplicates and for contamination."""

from __future__ import annotations

import re
import unicodedata

from vlrl.types import Image, Problem, Text

_WORD = re.compile(r"[^\W_]+(?:[.,][0-9]+)*|[^\w\s]|_")
_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)*")
Shingle = tuple[str, ...]


def typed_text(problem: Problem) -> str:
    """What is typed in the prompt, images left out."""
    return " ".join(piece.text for piece in problem.prompt if isinstance(piece, Text))


def whole_text(problem: Problem) -> str:
    """What is typed and what images that were drawn from a text say, in reading order."""
    pieces = (piece.text if isinstance(piece, Text) else piece.source_text for piece in problem.prompt)
    return " ".join(piece for piece in pieces if piece is not None)


def wordless_images(problem: Problem) -> list[Image]:
    """The images of which no text is known: they can be compared by look alone."""
    return [image for image in problem.images if image.source_text is None]


def words_of(text: str) -> list[str]:
    """Words, numbers and single signs in order; case, width and accents' encoding aside."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def plain_words(text: str) -> list[str]:
    """Words and numbers alone: punctuation and markup don't count."""
    return [word for word in words_of(text) if word[0].isalnum()]


def numbers_of(text: str) -> tuple[str, ...]:
    """The numbers of a text in order: two problems from one template differ here."""
    return tuple(_NUMBER.findall(unicodedata.normalize("NFKC", text)))


def shingles(words: list[str], size: int) -> frozenset[Shingle]:
    """All runs of `size` words; a shorter text is one run, an empty one none."""
    if len(words) <= size:
        return frozenset([tuple(words)] if words else [])
    return frozenset(tuple(words[i : i + size]) for i in range(len(words) - size + 1))


def jaccard(one: frozenset[Shingle], other: frozenset[Shingle]) -> float:
    """Shared shingles over all shingles, in [0, 1]; two empty texts are equal."""
    union = len(one | other)
    return len(one & other) / union if union else 1.0
