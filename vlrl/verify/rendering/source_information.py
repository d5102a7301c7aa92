"""How much a source says, in bytes: its code length under a character model that knows how drawings are programmed.

A source that holds an image holds its bytes, however they are written: as base64, as a table of colours, as thousands
of rectangles, as words of a code book. What something takes to tell is the same for all of them, and no spelling of it
is shorter than its entropy. What any drawing says (`idioms.txt`: tags, attributes, calls, words) costs next to nothing.

The model is prediction by partial matching (Cleary and Witten 1984): contexts of 0 to ORDER characters, each blended
with the next shorter one by how many different characters it has seen (escape method C, Moffat 1990). It learns from
idioms.txt and goes on learning from the source itself, so that what is repeated is told once.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

ORDER = 5
IDIOMS = Path(__file__).with_name("idioms.txt")
_UNSEEN = 1 / 256  # of each byte in no context at all

Counts = dict[int, int]  # occurrences by byte
Contexts = dict[bytes, Counts]  # by the bytes before


def information(source: str, enough: float = math.inf) -> float:
    """Bytes that a source takes to tell to who knows idioms.txt; at `enough` bytes or more it isn't read to its end."""
    known = _known()
    own: Contexts = {}
    text = source.encode("utf-8", "replace")
    bits, most = 0.0, 8 * enough
    for at in range(len(text)):
        bits += _told(known, own, text, at)
        if bits >= most:
            break
    return bits / 8


def _told(known: Contexts, own: Contexts, text: bytes, at: int) -> float:
    """Bits of the byte at a place, which is then learned."""
    byte = text[at]
    probability = _UNSEEN
    for length in range(min(ORDER, at) + 1):
        context = text[at - length : at]
        seen = own.get(context)
        if seen is None:
            seen = own[context] = dict(known.get(context, {}))
        if seen:
            different = len(seen)
            probability = (seen.get(byte, 0) + different * probability) / (sum(seen.values()) + different)
        seen[byte] = seen.get(byte, 0) + 1
    return -math.log2(probability)


@cache
def _known() -> Contexts:
    """Counts of idioms.txt."""
    known: Contexts = {}
    text = IDIOMS.read_bytes()
    for at in range(len(text)):
        for length in range(min(ORDER, at) + 1):
            seen = known.setdefault(text[at - length : at], {})
            seen[text[at]] = seen.get(text[at], 0) + 1
    return known
