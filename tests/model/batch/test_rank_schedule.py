"""What ranks agree on before an update; what a rank runs that has nothing reaches every weight and counts nothing."""

from __future__ import annotations

from small_models import ask, encode, fresh, pixels

from vlrl.losses.kimi import KimiLoss
from vlrl.model.batch.example import Example
from vlrl.model.batch.rank_schedule import Lockstep, agreed
from vlrl.model.batch.rank_schedule import MicroBatchShape as Shape
from vlrl.model.training.forward import PackedForward
from vlrl.model.training.update_metrics import UpdateMetrics
from vlrl.model.vision.image_encoding import VisionTower


def test_ranks_take_as_many_steps_as_the_longest_and_look_where_any_has_images():
    mine = [Shape(False, 1), Shape(False, 3), Shape(False, 1)]
    theirs = [Shape(True, 2)]
    assert agreed([mine, theirs], tower_trains=False) == [
        Shape(True, 2),
        Shape(False, 3),
        Shape(False, 1),
    ]


def test_a_tower_that_trains_looks_first_and_last():
    assert agreed([[Shape(False, 1)] * 3, []], tower_trains=True) == [
        Shape(True, 1),
        Shape(False, 1),
        Shape(True, 1),
    ]


def test_ranks_without_any_row_take_one_step():
    assert agreed([[], []], tower_trains=False) == [Shape(False, 1)]


def test_an_idle_look_reaches_every_weight_of_the_tower_and_moves_none(model_folders, architecture):
    loaded = fresh(model_folders[architecture])
    value = Lockstep(loaded, tower_trains=True).dummy_vision_pass(VisionTower(loaded.model))
    value.backward()
    assert float(value.detach()) == 0.0
    for name, parameter in loaded.model.named_parameters():
        if any(part in name for part in ("visual", "vision_model", "connector")):
            assert parameter.grad is not None, name
            assert not parameter.grad.any(), name


def reached_by_rows(loaded) -> set[str]:
    """The weights that a row with an image gives a gradient: all but those of a tower that its features pass over."""
    rows = [Example(one, ((20, 21, 22),), (1.0,)) for one in encode(loaded, ask(pixels(1), "How many cards?"))]
    forward = PackedForward(loaded, 1000, vision_trains=True)
    for micro_batch, _ in forward.micro_batches(rows, KimiLoss(), 1.0, rows, UpdateMetrics()):
        micro_batch().backward()
    return {name for name, parameter in loaded.model.named_parameters() if parameter.grad is not None}


def test_a_rank_without_rows_reaches_every_weight_of_one_with_rows_and_moves_none(
    model_folders, architecture, monkeypatch
):
    """With the steps of another rank: two, the second with three calls of the head."""
    loaded = fresh(model_folders[architecture])
    lockstep = Lockstep(loaded, tower_trains=True)
    monkeypatch.setattr(lockstep, "agree", lambda mine: agreed([mine, [Shape(True, 1), Shape(False, 3)]], True))
    calls = []
    loaded.model.lm_head.register_forward_hook(lambda *_: calls.append(1))
    seen = []

    forward, sums = PackedForward(loaded, 1000, vision_trains=True, lockstep=lockstep), UpdateMetrics()
    for micro_batch, last in forward.micro_batches([], KimiLoss(), 1.0, [], sums):
        value = micro_batch()
        seen.append((float(value.detach()), last))
        value.backward()
    assert seen == [(0.0, False), (0.0, True)]
    assert sums.tokens == 0
    assert len(calls) >= 1 + 3  # and again in the backward pass, where pieces are checkpointed
    gradients = {name: p.grad for name, p in loaded.model.named_parameters() if p.grad is not None}
    assert gradients.keys() == reached_by_rows(fresh(model_folders[architecture]))
    assert not any(gradient.any() for gradient in gradients.values())
