"""bfloat16 weights learn at small rates, and gradient checkpointing is really on while dropout stays off."""

import pytest
import torch
from small_models import fresh
from transformers.modeling_layers import GradientCheckpointingLayer

from vlrl.model.forward import checkpointed_layers
from vlrl.model.optimizer import Optimizer, OptimizerSettings


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_small_steps_on_bfloat16_weights_add_up(name):
    torch.manual_seed(0)
    start = torch.randn(64, 64) * 0.02
    moved = {}
    for dtype in (torch.float32, torch.bfloat16):
        weight = torch.nn.Parameter(start.clone().to(dtype))
        optimizer = Optimizer([("layer.weight", weight)], OptimizerSettings(name=name, lr=1e-6, max_norm=0.0))
        for _ in range(200):
            weight.grad = torch.ones_like(weight)
            optimizer.step(1.0)
        moved[dtype] = (optimizer.parameters[0].detach() - start.to(dtype).float()).mean().item()
        if name == "adamw":  # far enough for the rounded weights themselves to have moved
            assert (weight.detach().float() - start.to(dtype).float()).mean().item() == pytest.approx(-2e-4, rel=0.1)
    assert moved[torch.float32] < 0
    assert moved[torch.bfloat16] == pytest.approx(moved[torch.float32], rel=0.1)


def test_the_float32_copies_are_part_of_the_state():
    weight = torch.nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
    optimizer = Optimizer([("bias", weight)], OptimizerSettings(lr=1e-5))
    weight.grad = torch.ones_like(weight)
    optimizer.step(1.0)
    assert weight.detach().tolist() == [1.0] * 4  # the step is below bfloat16's resolution …
    again = Optimizer([("bias", torch.nn.Parameter(torch.ones(4, dtype=torch.bfloat16)))], OptimizerSettings(lr=1e-5))
    again.load_state_dict(optimizer.state_dict())
    assert again.parameters[0].detach().tolist() == optimizer.parameters[0].detach().tolist() != [1.0] * 4  # … but kept


def test_checkpointed_layers_train_and_their_dropout_does_not(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"], gradient_checkpointing=True)
    layers = [m for m in loaded.model.modules() if isinstance(m, GradientCheckpointingLayer)]
    assert layers
    with checkpointed_layers(loaded.model):
        assert all(layer.training and layer.gradient_checkpointing for layer in layers)
        inner = [m for layer in layers for m in layer.children()]
        assert not any(m.training for m in inner)
    assert not any(layer.training for layer in layers)


def test_without_the_setting_no_layer_changes_its_mode(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    with checkpointed_layers(loaded.model):
        assert not any(m.training for m in loaded.model.modules())
