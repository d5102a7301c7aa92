"""The schedule by hand, and which weights Muon takes."""

from __future__ import annotations

import pytest
import torch

from vlrl.model.optimization.optimizer import Optimizer, OptimizerSettings
from vlrl.model.training.deepspeed_library import SkippingAdamW


def test_linear_rise_then_constant_by_hand():
    settings = OptimizerSettings(warmup_steps=3)
    assert [settings.lr_scale_at(s, 10) for s in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_linear_fall_to_the_final_share_by_hand():
    settings = OptimizerSettings(schedule="linear", final_share=0.2)
    assert [settings.lr_scale_at(s, 4) for s in range(5)] == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])


def test_cosine_fall_after_the_rise_by_hand():
    settings = OptimizerSettings(schedule="cosine", warmup_steps=2, final_share=0.0)
    expected = [1 / 3, 2 / 3, 1.0, 0.8535533906, 0.5, 0.1464466094, 0.0]
    assert [settings.lr_scale_at(s, 6) for s in range(7)] == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_a_step_past_the_end_or_a_rise_longer_than_the_run_keep_the_rate_within_bounds(schedule):
    settings = OptimizerSettings(schedule=schedule, warmup_steps=20)
    assert all(0.0 < settings.lr_scale_at(step, 10) <= 1.0 for step in range(40))


def test_muon_takes_the_matrices_and_adamw_embeddings_head_and_vectors():
    parameters = {
        "model.layers.0.mlp.weight": torch.nn.Parameter(torch.ones(3, 4)),
        "model.embed_tokens.weight": torch.nn.Parameter(torch.ones(5, 4)),
        "lm_head.weight": torch.nn.Parameter(torch.ones(5, 4)),
        "model.norm.weight": torch.nn.Parameter(torch.ones(4)),
        "model.visual.patch_embed.proj.weight": torch.nn.Parameter(torch.ones(2, 3, 2, 2, 2)),
        "frozen.weight": torch.nn.Parameter(torch.ones(3, 4), requires_grad=False),
    }
    optimizer = Optimizer(parameters.items(), OptimizerSettings(name="muon", lr=1e-2, adamw_lr=1e-3))
    (muon, muon_rate), (adamw, adamw_rate) = optimizer._parts
    names = {id(p): n for n, p in parameters.items()}
    assert [names[id(p)] for g in muon.param_groups for p in g["params"]] == ["model.layers.0.mlp.weight"]
    assert len([p for g in adamw.param_groups for p in g["params"]]) == 4
    assert (muon_rate, adamw_rate) == (1e-2, 1e-3)


def test_adamw_without_muon_goes_by_lr_whatever_adamw_lr_says():
    """As a config for Muon does once its optimiser's name is changed."""
    given = {"name": "adamw", "lr": 1e-5, "adamw_lr": 6e-3, "lr_by_part": {"vision": 2e-6}}
    names = ("model.visual.blocks.0.weight", "model.language_model.norm.weight")
    parameters = [(name, torch.nn.Parameter(torch.ones(3))) for name in names]
    settings = OptimizerSettings(**given)
    assert [rate for _, rate in Optimizer(parameters, settings)._parts] == [2e-6, 1e-5]
    assert [group["lr"] for group in SkippingAdamW(parameters, settings).param_groups] == [2e-6, 1e-5]


def test_adamw_takes_the_first_step_that_the_formula_gives():
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = Optimizer([("w", weight)], OptimizerSettings(lr=0.1, weight_decay=0.5, max_norm=0.0))
    weight.grad = torch.tensor([3.0, -4.0])
    assert optimizer.step(0.5) == 5.0  # the norm before clipping
    # at a rate of 0.05: w·(1 − 0.05·0.5) − 0.05·sign(gradient)
    assert weight.tolist() == pytest.approx([0.975 - 0.05, 1.95 + 0.05], abs=1e-6)
    assert weight.grad is None


def test_gradients_are_clipped_to_the_global_norm():
    weight = torch.nn.Parameter(torch.zeros(2))
    optimizer = Optimizer([("w", weight)], OptimizerSettings(max_norm=1.0))
    seen = []
    part = optimizer._parts[0][0]
    part.step = lambda: seen.append(weight.grad.clone())
    weight.grad = torch.tensor([3.0, 4.0])
    assert optimizer.step(1.0) == 5.0
    assert seen[0].tolist() == pytest.approx([0.6, 0.8], abs=1e-4)
