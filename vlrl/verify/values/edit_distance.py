"""The Levenshtein distance, a column of its table at a time in the bits of one integer (Myers 1999; Hyyrö 2003)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Smallest number of insertions, deletions and substitutions that turn `a` into `b`: of characters, or of words.

    Takes len(b) steps on integers of len(a) bits: 4,000 characters against 4,000 in some ten milliseconds.
    """
    if not a or not b:
        return max(len(a), len(b))
    places: dict[Hashable, int] = {}
    for place, item in enumerate(a):
        places[item] = places.get(item, 0) | 1 << place
    every, last = (1 << len(a)) - 1, 1 << len(a) - 1
    rises, falls, distance = every, 0, len(a)  # where the column's next entry is one more, one less
    for item in b:
        same = places.get(item, 0)
        across = (((same & rises) + rises) ^ rises) | same | falls
        up, down = falls | ~(across | rises) & every, rises & across
        distance += bool(up & last) - bool(down & last)
        up, down = up << 1 | 1, down << 1
        rises, falls = (down | ~(same | falls | up)) & every, up & (same | falls) & every
    return distance


def edit_similarity(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    """1 − distance / longer length, in [0, 1]; 1 for two empty ones."""
    longest = max(len(a), len(b))
    return 1.0 - edit_distance(a, b) / longest if longest else 1.0
