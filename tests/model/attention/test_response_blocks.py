"""Attention by blocks gives the numbers of the dense mask, gradients included, and is what long rows use."""

from __future__ import annotations

import pytest
import torch
from small_models import ask, encode, pixels

from vlrl.errors import ConfigError, RunError
from vlrl.model.attention import response_blocks as blocks_module
from vlrl.model.attention.flex_blocks import attend_flex, flex_blocks
from vlrl.model.attention.lse_merge_attention import attend_behind
from vlrl.model.attention.prompt_attention import check_masks
from vlrl.model.attention.response_blocks import PackedRow, attend_in_blocks, attend_with_masks, response_blocks
from vlrl.model.batch import packing
from vlrl.model.batch.example import Example
from vlrl.model.batch.packing import block_mask, pack
from vlrl.model.prompts.positions import PositionRule
from vlrl.model.training.logprobs import response_logprobs
from vlrl.model.vision.image_encoding import VisionTower

RESPONSES = ((20, 31, 42, 53), (64,), (75, 86, 97, 20, 31, 42, 11))


def test_blocks_equal_the_dense_mask_for_rows_of_unlike_prompts(loaded, monkeypatch):
    prompts = [("What is 3+4=?",), (pixels(1), "How many?"), ("left", pixels(2, 48, 16), pixels(3, 16, 32), "red?")]
    encoded = encode(loaded, *[ask(*pieces) for pieces in prompts])
    rows = [Example(one, RESPONSES[: 3 - place]) for place, one in enumerate(encoded)]
    model, tower, rule = loaded.model, VisionTower(loaded.model), PositionRule(loaded.model)
    model.requires_grad_(True)
    found = []
    for blocks_from, rows_from in ((1, 1), (1, 10_000), (10_000, 10_000)):
        monkeypatch.setattr(packing, "BLOCKS_FROM", blocks_from)
        monkeypatch.setattr(blocks_module, "ROWS_FROM", rows_from)
        batch = pack(rows, rule, 0, loaded.device)
        assert (batch.blocks is None) == (blocks_from > 1)
        forbidden = torch.tensor(loaded.placeholder_ids)
        logprobs = response_logprobs(model, tower, batch, tower.encode_images(batch.images), forbidden).logprobs
        weights = torch.linspace(-1.0, 2.0, len(logprobs))
        gradients = torch.autograd.grad((weights * logprobs).sum(), list(model.parameters()), allow_unused=True)
        found.append((logprobs.detach(), torch.cat([g.flatten() for g in gradients if g is not None])))
    *with_blocks, (dense, expected) = found
    for blocks, gradient in with_blocks:  # row by row, and with masks
        assert torch.allclose(blocks, dense, atol=1e-5, rtol=0)
        assert float((gradient - expected).norm()) < 1e-5 * float(expected.norm())


@pytest.mark.parametrize("lengths", [(3, 1, 5), (4, 4)])
@pytest.mark.parametrize(("heads", "groups"), [(4, 2), (3, 3)])
def test_joined_attention_is_the_softmax_over_both_parts_with_its_gradients(lengths, heads, groups):
    draw = torch.Generator().manual_seed(1)
    prompt, size = 6, 8
    width = prompt + sum(lengths)

    def states(count):
        return torch.randn(1, count, width, size, generator=draw, dtype=torch.float64, requires_grad=True)

    given = (states(heads), states(groups), states(groups))
    part = torch.tensor([0] * prompt + [j + 1 for j, length in enumerate(lengths) for _ in range(length)])
    mask = torch.ones(width, width, dtype=torch.bool).tril() & ((part[None] == 0) | (part[None] == part[:, None]))
    whole = torch.nn.functional.scaled_dot_product_attention(*given, attn_mask=mask, scale=0.4, enable_gqa=True)
    expected, found = whole[:, :, prompt:], attend_behind(*given, prompt, lengths, 0.4)
    weights = torch.randn(expected.shape, generator=draw, dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    for mine, theirs in zip(
        torch.autograd.grad((weights * found).sum(), given),
        torch.autograd.grad((weights * expected).sum(), given),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)


def test_masked_blocks_equal_those_without_a_mask(qwen3, monkeypatch):
    """Short rows and other devices have masks."""
    monkeypatch.setattr(blocks_module, "ROWS_FROM", 1)
    blocks = response_blocks([PackedRow(0, 2, (1, 2)), PackedRow(5, 1, (2,))], torch.device("cpu"))
    draw = torch.Generator().manual_seed(1)
    query, key, value = (torch.randn(2, heads, 5, 8, generator=draw) for heads in (4, 2, 2))
    attention = qwen3.model.get_decoder().layers[0].self_attn
    masked = attend_with_masks(attention, query, key, value, blocks, 0.0, 0.5)
    plain = attend_in_blocks(attention, query, key, value, blocks, 0.0, 0.5)
    torch.testing.assert_close(plain[0], masked[0])
    torch.testing.assert_close(plain[1, :3], masked[1, :3])


def test_flex_blocks_show_the_same_pairs_as_the_dense_mask():
    """FlexAttention runs forward on the CPU; 4 heads read 2, one line is padded, the other holds two rows."""
    part = torch.tensor([[0] * 70 + [1] * 40 + [2] * 50 + [-1] * 10, [0] * 20 + [1] * 75 + [0] * 35 + [1] * 40])
    owner = torch.tensor([[0] * 170, [0] * 95 + [1] * 75])
    draw = torch.Generator().manual_seed(1)
    query, key, value = (torch.randn(2, heads, 170, 16, generator=draw) for heads in (4, 2, 2))
    found = attend_flex(query, key, value, flex_blocks(part, owner, torch.device("cpu")), 0.3)
    expected = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=block_mask(part, owner), scale=0.3, enable_gqa=True
    )
    torch.testing.assert_close(found, expected.transpose(1, 2), rtol=1e-5, atol=1e-5)


def test_masks_of_long_rows_are_refused_with_the_remedy():
    blocks = response_blocks([PackedRow(0, 8_000, (60_000, 4, 4))], torch.device("cpu"))
    with pytest.raises(RunError, match=r"3 responses of up to 60,000 tokens behind up to 8,000[\s\S]*attention: auto"):
        _ = blocks.mask
    cuda = torch.device("cuda")  # named, not used
    with pytest.raises(ConfigError, match=r"micro_batch_tokens is 16,385, above 16,384[\s\S]*attention: auto"):
        check_masks("sdpa", cuda, 16_385)
    check_masks("sdpa", cuda, 16_384)
    check_masks("auto", cuda, 10**6)
    check_masks("sdpa", torch.device("cpu"), 10**6)


def test_blocks_by_hand():
    # row 0: prompt of 2, responses of 1 and 2; row 1: prompt of 1, one response of 2; width 5
    blocks = response_blocks([PackedRow(0, 2, (1, 2)), PackedRow(5, 1, (2,))], torch.device("cpu"))
    assert blocks.responses.take.tolist() == [[2, 2], [3, 4], [6, 7]]
    assert blocks.responses.give.tolist() == [0, 2, 3, 4, 5]
    assert blocks.responses.put.tolist() == [2, 3, 4, 6, 7]
    assert blocks.mask[1, 0].int().tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert blocks.mask[2, 0].int().tolist() == [[1, 0, 1, 0], [1, 0, 1, 1]], "the second column is padding of row 1"


@pytest.mark.parametrize(("length", "uses_blocks"), [(10, False), (400, True)])
def test_only_long_rows_use_blocks(loaded, length, uses_blocks):
    (encoded,) = encode(loaded, ask("What is 3+4=?"))
    batch = pack([Example(encoded, ((20,) * length, (31,)))], PositionRule(loaded.model), 0, loaded.device)
    assert (batch.blocks is not None) == uses_blocks
    assert (batch.mask is None) == uses_blocks, "no dense mask beside the blocks"
