"""FlexAttention's tables of blocks are those of the dense mask, and are made without one."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention.flex_attention import create_block_mask
from torch.utils._python_dispatch import TorchDispatchMode

from vlrl.model.attention.flex_blocks import BLOCK, flex_blocks

CPU = torch.device("cpu")


def line(rows, width):
    """Rows (prompt, response, response, …), by their lengths, one behind another, and padding up to `width`."""
    part = [j for row in rows for j, length in enumerate(row) for _ in range(length)]
    owner = [number for number, row in enumerate(rows) for _ in range(sum(row))]
    padding = width - len(part)
    return torch.tensor([*part, *[-1] * padding]), torch.tensor([*owner, *[0] * padding])


def drawn(seed):
    """Two lines: one row with padding, and several rows in one line; lengths of 1 to some blocks."""
    draw = torch.Generator().manual_seed(seed)

    def lengths(count):
        exponents = torch.rand(count, generator=draw) * 9.2
        return [int(2.0**exponent) for exponent in exponents.tolist()]

    some = int(torch.randint(1, 7, (1,), generator=draw))
    lines = [[lengths(1 + some)], [lengths(1 + j % 4) for j in range(some)]]
    width = max(sum(map(sum, rows)) for rows in lines)
    parts, owners = zip(*[line(rows, width) for rows in lines], strict=True)
    return torch.stack(parts), torch.stack(owners)


BY_HAND = [
    ([[BLOCK * 3, BLOCK * 2, BLOCK * 2]], BLOCK * 7),  # everything on a boundary
    ([[100, 400, 300]], 800),  # the first response's blocks join the prompt's
    ([[700, 1, 1, 1, 500]], 1400),
    ([[300, 300], [300, 300, 2]], 1202),  # rows in one line
    ([[130, 10, 20]], 700),  # blocks of padding alone
]


@pytest.mark.parametrize("given", [*BY_HAND, *range(20)], ids=str)
def test_the_blocks_are_those_of_the_dense_mask(given):
    if isinstance(given, int):
        part, owner = drawn(given)
    else:
        part, owner = (one[None] for one in line(*given))
    found = flex_blocks(part, owner, CPU).mask
    dense = create_block_mask(found.mask_mod, len(part), None, part.shape[1], part.shape[1], device="cpu")
    assert found.shape == dense.shape
    names = [
        f"{full}{side}_{what}" for full in ("", "full_") for side in ["kv", "q"] for what in ("num_blocks", "indices")
    ]
    for name in names:
        mine, theirs = getattr(found, name), getattr(dense, name)
        assert torch.equal(mine, theirs), name


class Largest(TorchDispatchMode):
    """Bytes of the largest tensor that any operation returns."""

    bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for one in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(one, torch.Tensor):
                self.bytes = max(self.bytes, one.nbytes)
        return out


@pytest.mark.parametrize("tokens", [8_192, 131_072])
def test_nothing_is_made_that_grows_with_the_square_of_the_tokens(tokens):
    part, owner = (one[None] for one in line([[tokens // 2, *[tokens // 16] * 8]], tokens))
    with Largest() as largest:
        mask = flex_blocks(part, owner, CPU).mask
    assert mask.shape == (1, 1, tokens, tokens)
    blocks = tokens // BLOCK
    # the sort's int64 places of n² blocks, and the (2, T) runs
    assert largest.bytes <= 8 * max(blocks * (blocks + 1), 2 * tokens)
