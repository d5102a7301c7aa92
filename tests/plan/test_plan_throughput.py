"""Seconds of a step: by hand, and from passes that are timed for real."""

from __future__ import annotations

import pytest
from rich.console import Console

import vlrl.plan.plan as planning
from vlrl.config import load_settings
from vlrl.errors import ConfigError
from vlrl.model.cost import CostModel, Load, Rates
from vlrl.model.load import ModelSettings
from vlrl.model.sizes import find_architecture
from vlrl.plan.plan import make_plan
from vlrl.plan.plan_throughput import step_seconds
from vlrl.training.run_settings import RunSettings

TEXTS = ["What is 3+4? <think>3+4=7</think><answer>7</answer>"] * 50


def test_seconds_of_a_step_by_hand(images_config):
    settings = load_settings(RunSettings, images_config, ["engine={name: transformers, max_num_seqs: 4}"])
    arch = find_architecture(ModelSettings(build="tiny-qwen3-vl"), lambda: TEXTS)
    cost = CostModel(arch.config, {"vision": 0, "projector": 0, "language": 100}, rates=Rates(0.0, 0.0, 0.5))
    # only calls cost: one read for each of 2 groups, and 6 responses in 4 slots are 2 × 30 steps; training 2 rows
    assert step_seconds(settings, cost, [Load(10, (30, 5, 5)), Load(10, (30, 5, 5))]) == (2 * 0.5 + 60 * 0.5, 2 * 0.5)


def test_a_measured_plan_has_seconds_and_changes_nothing_else(images_config, capsys):
    plain, timed = make_plan(images_config), make_plan(images_config, measure=True)
    assert plain.pace is None
    assert timed.pace is not None
    assert timed.pace.rollout_seconds > 0
    assert timed.pace.update_seconds > 0
    assert timed.work == plain.work
    assert timed.memory == plain.memory
    planning.show_plan(timed, Console(width=300))
    assert "measured on cpu" in capsys.readouterr().out


def test_measuring_needs_the_processor(images_config):
    with pytest.raises(ConfigError, match="needs the processor of Qwen"):
        make_plan(images_config, ["model={path: Qwen/Qwen2.5-VL-3B-Instruct}"], measure=True)
