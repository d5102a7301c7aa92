"""Mistakes are found before weights are read, and `vlrl plan` names what this machine lacks."""

from __future__ import annotations

import pytest
from small_models import fresh
from transformers import AutoModelForImageTextToText

from vlrl.config import load_settings
from vlrl.errors import ConfigError
from vlrl.model.load import ModelSettings, load_folder
from vlrl.plan.plan import make_plan, warnings_of
from vlrl.rollout.vllm.vllm_settings import VllmEngineSettings
from vlrl.training.lifecycle.preflight import check_machine
from vlrl.training.run_settings import RunSettings


@pytest.fixture
def without(monkeypatch):
    """These libraries are missing."""
    import importlib.util

    real = importlib.util.find_spec

    def hide(*names):
        monkeypatch.setattr("importlib.util.find_spec", lambda name, *a: None if name in names else real(name, *a))

    return hide


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["rl.policy.lora.rank=4"], r"rl.policy.lora: the library peft is not installed"),
        (["engine.name=ray", "engine.engine.name=vllm"], r"engine.engine: 'vllm' is not installed"),
        (["backend.name=deepspeed"], r"backend: 'deepspeed' is not installed"),
        (["model.attention=flex", "model.device=cpu"], r"model.attention: flex needs a CUDA device"),
    ],
)
def test_what_this_machine_lacks_stops_a_run_and_is_noted_in_its_plan(images_config, without, overrides, said):
    without("peft", "vllm", "deepspeed")
    settings = load_settings(RunSettings, images_config, overrides)
    with pytest.raises(ConfigError, match=said):
        check_machine(settings)
    assert any(
        said in one and "would stop at its start" in one for one in warnings_of(make_plan(images_config, overrides))
    )
    check_machine(load_settings(RunSettings, images_config))


def test_a_cache_that_holds_no_response_of_the_context_is_noted_in_the_plan(images_config):
    engine = ["model.device=cpu", "engine={name: vllm, cache_gib: 0.001}"]
    (said,) = [one for one in warnings_of(make_plan(images_config, engine)) if "engine.cache_gib" in one]
    assert "would stop at its start" in said


def test_own_decoding_steps_of_a_decoder_with_adapters_are_refused_at_the_start(images_config):
    own = "engine={name: transformers, decode_step: own}"
    with pytest.raises(ConfigError, match=r"engine\.decode_step: is own, but rl\.policy\.lora has adapters"):
        load_settings(RunSettings, images_config, [own, "rl.policy.lora={rank: 2}"])
    for fine in ("rl.policy.lora={rank: 2, parts: [vision]}", "dpo.policy.lora={rank: 2}"):
        load_settings(RunSettings, images_config, [own, fine])


def test_a_stage_that_the_run_has_not_needs_nothing(images_config, without):
    without("peft")
    check_machine(load_settings(RunSettings, images_config, ["dpo.policy.lora.rank=4"]))


def test_a_model_that_the_engine_cannot_take_is_refused_before_its_weights_are_read(model_folders, monkeypatch):
    folder = str(model_folders["tiny-qwen3-vl"])
    monkeypatch.setattr(
        AutoModelForImageTextToText, "from_pretrained", lambda *_, **__: pytest.fail("weights are read")
    )
    with pytest.raises(ConfigError, match="no heads of 16"):
        load_folder(folder, ModelSettings(path=folder, device="cpu"), VllmEngineSettings().check)
    with pytest.raises(ConfigError, match="needs a CUDA device"):
        fresh(model_folders["tiny-qwen3-vl"], attention="flash_attention_2")


def test_frozen_parts_with_adapters_are_a_mistake_in_the_settings(images_config):
    with pytest.raises(ConfigError, match=r"rl.policy[\s\S]*is frozen, too"):
        load_settings(RunSettings, images_config, ["rl.policy.lora.rank=4", "rl.policy.freeze=[language]"])
