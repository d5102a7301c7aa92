"""One seed tree for the whole run: every consumer of randomness names its branch, nobody computes `seed + i`.

`stream(seed, "scenes", "clock", 17)` is independent of `stream(seed, "scenes", "clock", 18)` and of every other
branch; it is the same in every process, on every machine, in any order of calls.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(seed: int, *branch: str | int) -> int:
    """A 63-bit seed for one branch of the tree (fits torch.Generator and vLLM)."""
    digest = hashlib.blake2b(digest_size=8)
    plain = (part if isinstance(part, str) else int(part) for part in branch)  # numpy's integers print differently
    digest.update(repr((int(seed), *plain)).encode())
    return int.from_bytes(digest.digest(), "little") & (2**63 - 1)


def stream(seed: int, *branch: str | int) -> np.random.Generator:
    """An independent numpy generator for one branch of the tree."""
    return np.random.default_rng(derive_seed(seed, *branch))
