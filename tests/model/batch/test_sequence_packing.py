"""Rows one behind another in one line: the numbers and gradients of rows by themselves, and none sees another."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_models import ask, encode, fresh, pixels

from vlrl.losses.sft_loss import SftLoss
from vlrl.model.attention import response_blocks as blocks_module
from vlrl.model.attention.response_blocks import PackedRow, response_blocks
from vlrl.model.batch import packing
from vlrl.model.batch.example import Example
from vlrl.model.batch.micro_batches import batches_by_length, rows_by_micro_batch
from vlrl.model.batch.packing import block_mask, pack
from vlrl.model.cost import CostModel, Load, cost_of
from vlrl.model.prompts.positions import PositionRule
from vlrl.model.training.forward import PackedForward
from vlrl.model.training.logprobs import response_logprobs
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.model.vision.image_encoding import VisionTower

PROMPTS = [
    ("What is 3+4=?",),
    (pixels(1), "How many?"),
    ("left", pixels(2, 48, 16), "right", pixels(3, 16, 32), "red?"),
    (pixels(4), pixels(1), "blue"),
]
ONE_EACH = [((20, 31, 42, 53),), ((64,),), ((75, 86, 97, 20, 31, 42, 11),), ((90, 91),)]
GROUPS = [ONE_EACH[0], ((64,), (20, 31)), ONE_EACH[2], ((21, 22, 23), (25,), (26, 27, 28, 29))]
WAYS = {"a dense mask": (10_000, 10_000), "blocks": (1, 10_000), "row by row": (1, 1)}


def rows_of(loaded, responses):
    encoded = encode(loaded, *[ask(*pieces) for pieces in PROMPTS])
    return [Example(one, written) for one, written in zip(encoded, responses, strict=True)]


def logprobs_and_gradients(loaded, batches):
    """Log-probabilities (M,) of all responses, and the gradient of their weighted sum over the batches."""
    model, tower = loaded.model, VisionTower(loaded.model)
    model.requires_grad_(True)
    forbidden = torch.tensor(loaded.placeholder_ids)
    parts = [response_logprobs(model, tower, b, tower.encode_images(b.images), forbidden).logprobs for b in batches]
    logprobs = torch.cat(parts)
    weights = torch.linspace(-1.0, 2.0, len(logprobs))
    gradients = torch.autograd.grad((weights * logprobs).sum(), list(model.parameters()), allow_unused=True)
    return logprobs.detach(), torch.cat([g.flatten() for g in gradients if g is not None])


@pytest.mark.parametrize("responses", [ONE_EACH, GROUPS], ids=["demonstrations", "groups"])
@pytest.mark.parametrize("way", WAYS)
def test_rows_in_one_line_equal_separate_rows_in_logprobs_and_gradient(loaded, monkeypatch, way, responses):
    rows, rule = rows_of(loaded, responses), PositionRule(loaded.model)
    alone = [pack([row], rule, 0, loaded.device) for row in rows]
    separate, expected = logprobs_and_gradients(loaded, alone)
    blocks_from, rows_from = WAYS[way]
    monkeypatch.setattr(packing, "BLOCKS_FROM", blocks_from)
    monkeypatch.setattr(blocks_module, "ROWS_FROM", rows_from)
    batch = pack(rows, rule, 0, loaded.device, packed=True)
    assert batch.token_ids.shape == (1, sum(row.num_tokens for row in rows))
    assert (batch.mask is None) == (way != "a dense mask")
    found, gradient = logprobs_and_gradients(loaded, [batch])
    assert torch.allclose(found, separate, atol=1e-5, rtol=0)
    assert float((gradient - expected).norm()) < 1e-5 * float(expected.norm())


def test_positions_begin_anew_with_every_row(qwen3):
    rows, rule = rows_of(qwen3, ONE_EACH), PositionRule(qwen3.model)
    line = pack(rows, rule, 0, qwen3.device, packed=True).positions
    begin = 0
    for row in rows:
        alone = pack([row], rule, 0, qwen3.device).positions
        assert torch.equal(line[:, :, begin : begin + row.num_tokens], alone)
        begin += row.num_tokens


@pytest.mark.parametrize("way", WAYS)
def test_what_one_row_says_changes_nothing_for_the_others(loaded, monkeypatch, way):
    blocks_from, rows_from = WAYS[way]
    monkeypatch.setattr(packing, "BLOCKS_FROM", blocks_from)
    monkeypatch.setattr(blocks_module, "ROWS_FROM", rows_from)
    rows = rows_of(loaded, ONE_EACH)
    other = [*rows[:1], Example(encode(loaded, ask(pixels(9), "How many?"))[0], ((33,),)), *rows[2:]]
    forward = PackedForward(loaded, 10_000, False, packs_sequences=True)
    before, after = forward.logprobs(rows, 1.0), forward.logprobs(other, 1.0)
    assert abs(before[1][0][0] - after[1][0][0]) > 1e-3
    for i in (0, 2, 3):
        assert before[i][0] == pytest.approx(after[i][0], abs=1e-6)


def test_the_mask_of_two_rows_in_one_line_by_hand():
    part = torch.tensor([[0, 1, 0, 1, 2]])  # a prompt with one response, a prompt with two
    owner = torch.tensor([[0, 0, 1, 1, 1]])
    expected = [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 0, 1]]
    assert block_mask(part, owner)[0, 0].int().tolist() == expected


def test_blocks_of_one_line_by_hand():
    """A row of one response is read in one go; of the other row its prompt, and two responses look back at it."""
    blocks = response_blocks([PackedRow(0, 2, (1,)), PackedRow(3, 1, (1, 2))], torch.device("cpu"), packed=True)
    assert blocks.reading.take.tolist() == [[0, 1, 2], [3, 3, 3]]
    assert blocks.reading.put.tolist() == [0, 1, 2, 3]
    assert blocks.responses.take.tolist() == [[4, 4], [5, 6]]
    assert blocks.row.tolist() == [1, 1]
    assert blocks.mask[1, 0].int().tolist() == [[1, 0, 0, 1, 0], [1, 0, 0, 1, 1]]


def test_a_policy_with_packed_rows_learns_the_same(model_folders, architecture):
    """One update of a stage on demonstrations, response tokens only, over two micro-batches; in float64."""
    found = []
    for packed in (False, True):
        loaded = fresh(model_folders[architecture])
        loaded.model.double()
        policy = TorchPolicy(loaded, PolicySettings(micro_batch_tokens=150, pack_sequences=packed))
        held = {}

        def step(share, loaded=loaded, held=held):
            held.update({n: p.grad.clone() for n, p in loaded.model.named_parameters() if p.grad is not None})
            return 0.0

        policy.optimizer.step = step
        rows = rows_of(loaded, ONE_EACH)
        metrics = policy.update([replace(row, advantages=(1.0,)) for row in rows], SftLoss(), 1.0, 1.0).metrics()
        found.append((metrics["loss/total"], torch.cat([g.flatten() for g in held.values()])))
    (loss, expected), (packed_loss, gradient) = found
    assert packed_loss == pytest.approx(loss, rel=1e-6)
    assert float((gradient - expected).norm()) < 1e-6 * float(expected.norm())


def test_micro_batches_of_one_line_count_no_padding(qwen3):
    rows = rows_of(qwen3, ONE_EACH)
    lengths = [row.num_tokens for row in rows]
    assert len(rows_by_micro_batch(rows, sum(lengths), packed=True)) == 1
    assert len(rows_by_micro_batch(rows, sum(lengths) - 1, packed=True)) == 2
    assert len(rows_by_micro_batch(rows, sum(lengths))) == 2, "padded, the same rows take more"
    assert batches_by_length([5, 9, 1], 15, packed=True) == [[1, 0, 2]]
    assert batches_by_length([5, 9, 1], 14, packed=True) == [[1, 0], [2]]


def test_the_memory_of_one_line_is_that_of_its_own_tokens(qwen3):
    cost: CostModel = cost_of(qwen3.config, qwen3.model, ("language",), False)
    loads = [Load(30, (10,), ()), Load(10, (10,), ())]
    line, padded = cost.bytes(loads, packed=True), cost.bytes(loads)
    assert line == cost.activation_bytes(60, 0) + cost.logit_bytes(20)
    assert padded == cost.activation_bytes(80, 0) + cost.logit_bytes(20)
