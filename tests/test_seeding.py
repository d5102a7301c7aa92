"""One seed tree: branches are independent, equal calls equal, whatever the type of an index."""

from __future__ import annotations

import numpy as np

from vlrl.seeding import derive_seed, stream


def test_a_seed_is_repeated_and_fits_63_bits():
    assert derive_seed(0, "scenes", "clock", 17) == derive_seed(0, "scenes", "clock", 17)
    assert all(0 <= derive_seed(seed) < 2**63 for seed in range(100))


def test_neighbouring_branches_and_seeds_are_independent():
    draws = np.stack([stream(seed, "scenes", i).random(200) for seed in range(4) for i in range(25)])
    correlations = np.corrcoef(draws)[np.triu_indices(100, 1)]
    assert np.abs(correlations).max() < 0.4
    assert abs(correlations.std() - 1 / np.sqrt(200)) < 0.01
    assert len(np.unique(draws)) == draws.size


def test_where_a_branch_divides_matters():
    assert (
        len({derive_seed(0, "a", "b"), derive_seed(0, "ab"), derive_seed(0, "a'", "b"), derive_seed(0, "b", "a")}) == 4
    )
    assert derive_seed(0, 1) != derive_seed(0, "1")


def test_numpy_indices_are_numbers_like_any():
    assert derive_seed(np.int64(3), "x", np.int32(7)) == derive_seed(3, "x", 7)
