"""The cost model by hand, against what PyTorch counts, and what is split by it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_models import ask, encode, pixels
from torch.utils.flop_counter import FlopCounterMode

from vlrl.model.batch.example import Example
from vlrl.model.batch.micro_batches import padding_waste, rows_by_micro_batch, split_responses
from vlrl.model.batch.packing import pack
from vlrl.model.cost import CostModel, Load, Rates, balance, calibrated, cost_of, load_of
from vlrl.model.optimization.parameter_groups import PARTS
from vlrl.model.prompts.positions import PositionRule
from vlrl.model.training.logprobs import response_logprobs
from vlrl.model.vision.image_encoding import VisionTower


def test_language_work_by_hand(qwen3):
    # width 32 in 2 heads of 16, 2 layers; 100 matrix weights; 3 new tokens behind 5: 3·5 + 3·4/2 = 21 pairs
    cost = CostModel(qwen3.config, {"vision": 0, "projector": 0, "language": 100})
    assert cost.language_flops(3, 5) == 2 * 100 * 3 + 4 * 32 * 2 * 21
    assert cost.head_flops(3) == 2 * 32 * qwen3.config.get_text_config().vocab_size * 3


def test_window_layers_and_tiles_attend_to_less(loaded_models):
    qwen, tiles = loaded_models["tiny-qwen2.5-vl"].config, loaded_models["tiny-idefics3"].config
    none = {"vision": 0, "projector": 0, "language": 0}
    # one full layer and one with windows of 8 × 8 patches; 256 patches: 256·(256 + 64) pairs of width 32
    assert CostModel(qwen, none).vision_flops([256]) == 4 * 32 * 256 * (256 + 64)
    # two layers, tiles of 2 × 2 patches: 20·4 pairs in each
    assert CostModel(tiles, none).vision_flops([20]) == 4 * 32 * 2 * 20 * 4


def test_the_estimate_is_near_what_pytorch_counts_of_separate_rows(loaded):
    """Norms, rotations and the patch embedding are left out; PyTorch counts no attention of the CPU's own kernel."""
    (encoded,) = encode(loaded, ask(pixels(1), pixels(2, 48, 16), "How many?"))
    model, row = loaded.model, Example(encoded, (tuple(range(20, 60)),))
    tower = VisionTower(model)
    batch = pack([row], PositionRule(model), 0, loaded.device)
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        response_logprobs(model, tower, batch, tower.encode_images(batch.images), torch.tensor(loaded.placeholder_ids))
    cost = cost_of(loaded.config, model, PARTS, False)
    assert cost.forward(load_of(row)) == pytest.approx(counted.get_total_flops(), rel=0.35)


def test_training_is_three_forward_passes_and_a_frozen_tower_one(qwen3):
    load = Load(20, (5, 7), (16,))
    cost = cost_of(qwen3.config, qwen3.model, PARTS, False)
    assert cost.training(load) == pytest.approx(3 * cost.forward(load))
    frozen = cost_of(qwen3.config, qwen3.model, ("language",), False)
    assert cost.training(load) - frozen.training(load) == pytest.approx(2 * cost.vision_flops((16,)))
    assert cost.forward(load) - cost.forward(load, encodes_images=False) == pytest.approx(cost.vision_flops((16,)))


@pytest.mark.parametrize("checkpointed", [False, True])
def test_a_frozen_tower_below_a_trained_projector_is_paid_forward_alone(qwen3, checkpointed):
    """Every model's tower is 16 patches of 2·W_v, and of 2 layers of width 32 with 16 · 16 pairs each."""
    load, back = Load(20, (5, 7), (16,)), 3 if checkpointed else 2
    whole, projector, language, tower = (
        cost_of(qwen3.config, qwen3.model, trained, checkpointed)
        for trained in (PARTS, ("projector", "language"), ("language",), ("vision", "language"))
    )
    by_hand = 16 * 2 * whole.matrices["vision"] + 4 * 32 * 2 * 16 * 16
    assert whole.training(load) - projector.training(load) == pytest.approx(back * by_hand)
    assert projector.training(load) - language.training(load) == pytest.approx(
        back * 2 * whole.matrices["projector"] * 16 / 4
    )
    assert tower.training(load) == pytest.approx(whole.training(load))
    assert projector.activation_bytes(100, 16) == language.activation_bytes(100, 16) < whole.activation_bytes(100, 16)


def test_rates_are_found_again_from_timed_calls(qwen3):
    cost = cost_of(qwen3.config, qwen3.model, PARTS, False)
    samples = [(v, lang, 2e-9 * v + 5e-10 * lang + 0.01) for v, lang in [(1e6, 3e6), (4e6, 1e6), (0, 8e6), (9e6, 2e6)]]
    found = calibrated(cost, samples).rates
    assert (found.vision, found.language, found.call) == pytest.approx((2e-9, 5e-10, 0.01))
    assert cost.rates == Rates()
    with pytest.raises(ValueError, match="three rates"):
        calibrated(cost, samples[:2])


def test_ranks_are_balanced_and_the_split_is_always_the_same():
    assert balance([5, 4, 3, 3, 3], 2) == [[0, 3], [1, 2, 4]]
    assert balance([1.0], 3) == [[0], [], []]
    costs = np.random.default_rng(0).lognormal(0, 1, 64).tolist()
    found = balance(costs, 8)
    assert sorted(i for some in found for i in some) == list(range(64))
    each = [sum(costs[i] for i in some) for some in found]
    assert max(each) <= 4 / 3 * max(sum(costs) / 8, max(costs))
    assert found == balance(costs, 8)


def test_a_group_over_the_budget_is_split_into_pieces_behind_copies_of_the_prompt():
    assert split_responses(10, [5, 5, 5, 30, 1], 21) == [range(2), range(2, 3), range(3, 4), range(4, 5)]
    assert split_responses(10, [5, 5], 100) == [range(2)]
    lengths = [5, 5, 5, 30, 1]

    def too_large(chosen):
        return sum(lengths[j] for j in chosen) > 10

    assert split_responses(10, lengths, 100, too_large=too_large) == [range(2), range(2, 3), range(3, 4), range(4, 5)]
    assert split_responses(10, lengths, 100, 2, too_large) == [range(2), range(2, 4), range(4, 5)]


def test_micro_batches_keep_to_memory_and_keep_rows_with_a_common_image_together(qwen3):
    one, two = pixels(1), pixels(2)
    encoded = encode(qwen3, ask(one, "a"), ask("b " * 12), ask(one, two, "c"), ask("d " * 30), ask(two))
    rows = [Example(e, ((20, 21), (22,))) for e in encoded]
    together = rows_by_micro_batch(rows, 10**6)
    assert len(together) == 1
    order = together[0]
    assert sorted(order.index(i) for i in (0, 2, 4)) == list(
        range(min(order.index(i) for i in (0, 2, 4)), min(order.index(i) for i in (0, 2, 4)) + 3)
    )
    cost = cost_of(qwen3.config, qwen3.model, PARTS, False)

    def bytes_of(some):
        return cost.bytes([load_of(row) for row in some])

    limit = 2.5 * max(bytes_of([row]) for row in rows)
    found = rows_by_micro_batch(rows, 10**6, limit, bytes_of)
    assert sorted(i for some in found for i in some) == list(range(5))
    assert len(found) > 1
    assert all(bytes_of([rows[i] for i in some]) <= limit for some in found)


def test_padding_waste_by_hand():
    assert padding_waste([10, 5, 20], [[2], [0, 1]]) == pytest.approx(5 / 40)
    assert padding_waste([], []) == 0.0
