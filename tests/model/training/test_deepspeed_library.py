"""The optimiser that DeepSpeed shards steps like that of one process; its configuration leaves nothing to defaults."""

from __future__ import annotations

import pytest
import torch

from vlrl.errors import ConfigError
from vlrl.installation.extras import require_library
from vlrl.model.optimization.optimizer import Optimizer, OptimizerSettings
from vlrl.model.training.backends import DeepSpeedBackend
from vlrl.model.training.deepspeed_library import SkippingAdamW, ZeroSettings, config_of

SETTINGS = OptimizerSettings(lr=1e-2, lr_by_part={"vision": 1e-3}, weight_decay=0.1, betas=(0.8, 0.9), max_norm=0.0)


def weights():
    torch.manual_seed(0)
    names = ("model.visual.blocks.0.weight", "model.visual.merger.weight", "model.language_model.layers.0.weight")
    return [(name, torch.nn.Parameter(torch.randn(4, 3))) for name in names]


def test_it_steps_as_the_optimiser_of_one_process_also_where_no_row_had_a_image():
    """There, one process has no gradient of the tower, and shards have zeros."""
    ours, theirs = weights(), weights()
    adamw, optimizer = SkippingAdamW(ours, SETTINGS), Optimizer(theirs, SETTINGS)
    for step, sees in enumerate([True, False, True, False]):
        for (name, mine), (_, other) in zip(ours, theirs, strict=True):
            gradient = torch.full((4, 3), float(step + 1)).cumsum(0)
            reached = sees or "language" in name
            mine.grad, other.grad = gradient * reached, gradient.clone() if reached else None
        adamw.prepare(0.5, sees)
        adamw.step()
        optimizer.step(0.5)
    for (name, mine), (_, other) in zip(ours, theirs, strict=True):
        assert torch.equal(mine, other), name


def test_forgotten_moments_are_those_of_a_new_optimiser():
    ours, theirs = weights(), weights()
    adamw = SkippingAdamW(ours, SETTINGS)
    for _, mine in ours:
        mine.grad = torch.ones(4, 3)
    adamw.step()
    adamw.forget()
    with torch.no_grad():
        for (_, mine), (_, other) in zip(ours, theirs, strict=True):
            other.copy_(mine)
            mine.grad = other.grad = torch.linspace(-1, 1, 12).view(4, 3)
    adamw.step()
    SkippingAdamW(theirs, SETTINGS).step()
    for (name, mine), (_, other) in zip(ours, theirs, strict=True):
        assert torch.equal(mine, other), name


@pytest.mark.parametrize("max_norm", [0.0, 0.5])
def test_clipping_is_always_said(max_norm):
    config = config_of(ZeroSettings(stage=3, offload_optimizer=True, whole_below=7), max_norm, torch.bfloat16)
    assert config["gradient_clipping"] == max_norm
    assert config["bf16"]["enabled"]
    assert config["zero_optimization"] == {
        "stage": 3,
        "offload_optimizer": {"device": "cpu"},
        "stage3_param_persistence_threshold": 7,
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_add_up_in_float32_over_micro_batches_and_ranks(dtype):
    config = config_of(ZeroSettings(stage=2), 1.0, dtype)
    assert config["data_types"] == {"grad_accum_dtype": "fp32"}
    assert config["communication_data_type"] == "fp32"


def test_without_the_library_the_error_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"backend: 'deepspeed' is not installed[\s\S]*pip install .*\[deepspeed\]"):
        require_library(DeepSpeedBackend.library, DeepSpeedBackend.remedy, "backend")
