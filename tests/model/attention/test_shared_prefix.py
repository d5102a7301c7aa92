"""Decoding attention against a plain softmax over each row's own prompt and tokens."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vlrl.model.attention import shared_prefix
from vlrl.model.attention.shared_prefix import SharedPrefix, attend_shared, by_products, seats

SIZE = 8


def one_row(query, key, value):
    """(H, D) against (H, L, D), in float64."""
    scores = torch.einsum("hd,hld->hl", query.double(), key.double()) * SIZE**-0.5
    return torch.einsum("hl,hld->hd", torch.softmax(scores, -1), value.double())


def check(lengths, runs, prompt_of, starts, width, groups, per_group, dtype=torch.float32, within=1e-5):
    drawn = torch.Generator().manual_seed(3)

    def normal(*shape):
        return torch.randn(*shape, generator=drawn).to(dtype)

    prompts, rows, heads = len(lengths), len(prompt_of), groups * per_group
    keys, values = normal(prompts, groups, max(lengths), SIZE), normal(prompts, groups, max(lengths), SIZE)
    query, key, value = (
        normal(rows, heads, 1, SIZE),
        normal(rows, groups, width, SIZE),
        normal(rows, groups, width, SIZE),
    )
    taken, given = seats(torch.tensor(prompt_of), prompts, groups, per_group)

    def infinite(hidden):
        return torch.zeros(hidden.shape, dtype=dtype).masked_fill(hidden, float("-inf"))

    mask = infinite(torch.arange(max(lengths))[None] >= torch.tensor(lengths)[:, None])[:, None, None]
    own_mask = infinite(torch.arange(width)[None] < torch.tensor(starts)[:, None])
    own_mask = own_mask.repeat_interleave(groups, 0)[:, None]
    prefix = SharedPrefix([keys], [values], mask, runs, taken, given, own_mask if any(starts) else None)
    found = attend_shared(query, key, value, prefix, 0, SIZE**-0.5)
    assert found.shape == (rows, 1, heads, SIZE)
    for r, p in enumerate(prompt_of):
        seen = [
            torch.cat([behind[p, :, : lengths[p]], own[r, :, starts[r] :]], 1).repeat_interleave(per_group, 0)
            for behind, own in ((keys, key), (values, value))
        ]
        expected = one_row(query[r, :, 0], *seen)
        assert (found[r, 0].double() - expected).abs().max() < within


@pytest.fixture(params=["flash", "products"])
def way(request, monkeypatch):
    if request.param == "products":
        monkeypatch.setattr(
            shared_prefix, "_flash", lambda q, k, v, *_, attn_mask, scale: by_products(q, k, v, attn_mask, scale)
        )
    return request.param


@pytest.mark.parametrize(("groups", "per_group"), [(1, 4), (2, 3), (4, 1)])
def test_rows_read_their_own_prompt_and_their_own_tokens(way, groups, per_group):
    check([9, 5, 7], [(0, 3, 9)], [0, 2, 0, 1, 2, 2], [0] * 6, 4, groups, per_group)
    check([9, 5, 7], [(0, 1, 9), (1, 3, 7)], [2, 1, 0], [0, 3, 1], 4, groups, per_group)
    check([1], [(0, 1, 1)], [0], [0], 1, groups, per_group)


def test_whole_blocks_of_the_kernel_may_be_masked(way):
    """It reads 512 keys at a time; a row that came late begins behind them, and a short prompt ends before them."""
    check([20, 700], [(0, 2, 700)], [0, 1, 0], [1100, 600, 0], 1200, 2, 2)


def test_sixteen_bits(way):
    check([300, 20], [(0, 2, 300)], [0, 1, 0], [30, 0, 0], 60, 2, 2, torch.bfloat16, within=0.03)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_layout(data):
    lengths = data.draw(st.lists(st.integers(1, 20), min_size=1, max_size=4))
    prompt_of = data.draw(
        st.permutations([*range(len(lengths)), *data.draw(st.lists(st.sampled_from(range(len(lengths))), max_size=5))])
    )
    width = data.draw(st.integers(1, 6))
    starts = [data.draw(st.integers(0, width - 1)) for _ in prompt_of]
    cut = data.draw(st.integers(0, len(lengths) - 1))
    runs = [(a, b, max(lengths[a:b])) for a, b in ((0, cut), (cut, len(lengths))) if a < b]
    check(lengths, runs, list(prompt_of), starts, width, 2, 3)
