"""Weights arrive whole, unchanged and of one transfer, or not at all: without Ray."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from vlrl.errors import EngineError
from vlrl.rollout.ray.ray_weights import Manifest, Shard, ship, verified

WEIGHTS = {
    "a": torch.arange(6.0).reshape(2, 3),
    "b": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "c": torch.tensor(3.0),
    "d": torch.arange(8, dtype=torch.float16)[::2],  # not contiguous
}
SHAPES = {name: tuple(tensor.shape) for name, tensor in WEIGHTS.items()}


def shipped(serial=1, limit=24, weights=WEIGHTS):
    shards = []
    manifest, handles = ship(weights.items(), serial, 7, limit, lambda shard: shards.append(shard) or len(shards))
    assert handles == list(range(1, len(shards) + 1))
    return manifest, shards


@pytest.mark.parametrize(("limit", "count"), [(1, 4), (24, 2), (28, 2), (1000, 1)])
def test_what_arrives_is_what_was_sent_bit_by_bit_in_shards_of_the_given_size(limit, count):
    manifest, shards = shipped(limit=limit)
    assert manifest.version == 7
    assert len(shards) == count
    found = dict(verified(manifest, shards, SHAPES))
    assert found.keys() == WEIGHTS.keys()
    for name, tensor in WEIGHTS.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_what_arrived_can_be_written_to_without_touching_the_shard():
    manifest, shards = shipped()
    dict(verified(manifest, shards, SHAPES))["a"].zero_()
    assert torch.equal(dict(verified(manifest, shards, SHAPES))["a"], WEIGHTS["a"])


def test_a_single_changed_byte_is_noticed():
    manifest, shards = shipped()
    shape, dtype, data = shards[1].tensors["b"]
    changed = data.copy()
    changed[0] ^= 1
    bad = Shard(1, {**shards[1].tensors, "b": (shape, dtype, changed)})
    with pytest.raises(EngineError, match=r"shard 1: its checksum"):
        verified(manifest, [shards[0], bad], SHAPES)


def test_names_shapes_and_types_are_under_the_checksum():
    data = np.arange(8, dtype=np.uint8)
    sums = {
        Shard(serial, {name: (shape, dtype, data)}).checksum()
        for serial in (1, 2)
        for name in ("x", "y")
        for shape, dtype in (((2,), "float32"), ((2, 1), "float32"), ((4,), "float16"))
    }
    assert len(sums) == 12


def test_shards_of_two_transfers_are_never_mixed():
    (first, old), (second, new) = shipped(1), shipped(2)
    with pytest.raises(EngineError, match="shard 0: is of transfer 1, the others of 2"):
        verified(second, [old[0], new[1]], SHAPES)
    mixed = Manifest(1, 7, (first.checksums[0], second.checksums[1]))
    with pytest.raises(EngineError, match="shard 1: is of transfer 2"):
        verified(mixed, [old[0], new[1]], SHAPES)
    with pytest.raises(EngineError, match="1 shards came, the manifest has 2"):
        verified(first, old[:1], SHAPES)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({**WEIGHTS, "e": torch.zeros(1)}, "no parameter 'e'"),
        ({**WEIGHTS, "a": torch.zeros(3, 2)}, r"a: shape \(3, 2\), here \(2, 3\)"),
        ({name: WEIGHTS[name] for name in "abd"}, "1 parameters are missing, e.g. 'c'"),
    ],
)
def test_names_and_shapes_must_be_exactly_the_models(weights, said):
    manifest, shards = shipped(weights=weights)
    with pytest.raises(EngineError, match=said):
        verified(manifest, shards, SHAPES)


def test_a_name_in_two_shards_is_refused():
    manifest, shards = shipped()
    again = Manifest(1, 7, (*manifest.checksums, manifest.checksums[0]))
    with pytest.raises(EngineError, match="'a' came twice"):
        verified(again, [*shards, replace(shards[0])], SHAPES)
