"""Which texts of many may be alike: MinHash signatures in bands (Broder 1997), candidates to be checked exactly.

With 32 bands of 4 rows a pair of Jaccard similarity s shares a band with probability 1 − (1 − s⁴)³²: 0.9999999 at 0.8,
0.873 at 0.5, 0.05 at 0.2. So candidates are a superset of what is alike at 0.8; what is no candidate isn't compared.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict

import numpy as np

from vlrl.curation.matching.text_words import Shingle

BANDS, ROWS = 32, 4
_PRIME = np.uint64((1 << 31) - 1)


class MinHashIndex:
    """Sets of shingles by number; `add` gives the numbers of earlier sets that share a band."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0x5EED)  # any fixed one: which hash functions are taken says nothing about data
        self._scale = rng.integers(1, int(_PRIME), BANDS * ROWS, dtype=np.uint64)
        self._shift = rng.integers(0, int(_PRIME), BANDS * ROWS, dtype=np.uint64)
        self._buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
        self._count = 0

    def add(self, shingle_set: frozenset[Shingle]) -> list[int]:
        """Candidates among the sets that were added before, in order; the new set gets the next number, from 0."""
        number, self._count = self._count, self._count + 1
        found: set[int] = set()
        for key in self._keys(shingle_set):
            found.update(self._buckets[key])
            self._buckets[key].append(number)
        return sorted(found)

    def _keys(self, shingle_set: frozenset[Shingle]) -> list[tuple[int, bytes]]:
        if not shingle_set:
            return []
        hashes = np.array([_hash(shingle) for shingle in shingle_set], dtype=np.uint64)  # (S,) below 2³¹
        signature = ((hashes[:, None] * self._scale + self._shift) % _PRIME).min(0)  # (BANDS·ROWS,)
        return [(band, signature[band * ROWS : (band + 1) * ROWS].tobytes()) for band in range(BANDS)]


def _hash(shingle: Shingle) -> int:
    digest = hashlib.blake2b("\0".join(shingle).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") % int(_PRIME)
