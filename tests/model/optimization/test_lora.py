"""Adapters: the base model at first, plain names and the same numbers on the way out, frozen weights that stay."""

from __future__ import annotations

import json

import peft
import pytest
import torch
import transformers
from small_models import ask, encode, fresh, pixels

from vlrl.errors import ConfigError
from vlrl.losses.sft_loss import SftLoss
from vlrl.model.batch.example import Example
from vlrl.model.load import ModelSettings, load_folder
from vlrl.model.optimization.lora import LoraSettings, adapted_layers, has_adapters, hub_name
from vlrl.model.optimization.optimizer import OptimizerSettings
from vlrl.model.optimization.parameter_groups import part_of
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine

RESPONSES = ((20, 31, 42, 53), (64,), (75, 86, 97))


def settings(**lora):
    return PolicySettings(lora=LoraSettings(rank=2, alpha=4.0, **lora), optimizer=OptimizerSettings(lr=3e-2))


def scored(policy):
    rows = [Example(e, RESPONSES) for e in encode(policy.loaded, ask(pixels(1), "How many?"), ask("3+4=?"))]
    return torch.tensor([v for row in policy.logprobs(rows, 1.0) for r in row for v in r])


def trained(policy):
    (one,) = encode(policy.loaded, ask(pixels(1), "How many?"))
    for _ in range(2):  # B is zero in the first step, so A moves in the second
        policy.update([Example(one, RESPONSES, (1.0, 1.0, 1.0))], SftLoss(), 1.0, 1.0)
    return policy


@pytest.mark.parametrize("parts", [("language",), ("vision", "projector", "language")])
def test_fresh_adapters_are_the_base_model_exactly(model_folders, architecture, parts):
    folder = model_folders[architecture]
    base = TorchPolicy(fresh(folder), PolicySettings())
    adapted = TorchPolicy(fresh(folder), settings(parts=parts))
    assert has_adapters(adapted.loaded.model)
    assert torch.equal(scored(adapted), scored(base))
    for (name, mine), (theirs_name, theirs) in zip(adapted.weights(), base.weights(), strict=True):
        assert name == theirs_name
        assert torch.equal(mine, theirs)


def test_only_adapters_and_parts_without_them_move(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    policy = TorchPolicy(loaded, PolicySettings(freeze=("vision",), **settings().model_dump(include={"lora"})))
    before = {n: p.detach().clone() for n, p in loaded.model.named_parameters()}
    trained(policy)
    moved = {n for n, p in loaded.model.named_parameters() if not torch.equal(p, before[n])}
    assert {part_of(n) for n in moved} == {"projector", "language"}
    assert all(".lora_" in n for n in moved if part_of(n) == "language")
    assert any(".lora_A." in n for n in moved)


def test_a_saved_model_and_its_weights_have_plain_names_and_the_adapted_numbers(model_folders, architecture, tmp_path):
    folder = model_folders[architecture]
    policy = trained(TorchPolicy(fresh(folder), settings()))
    expected = scored(policy)
    assert float((expected - scored(TorchPolicy(fresh(folder), PolicySettings()))).abs().max()) > 1e-2
    policy.save(tmp_path / "saved")
    again = load_folder(str(tmp_path / "saved"), ModelSettings(path=str(tmp_path / "saved"), device="cpu"))
    torch.testing.assert_close(scored(TorchPolicy(again, PolicySettings())), expected, rtol=0, atol=1e-5)
    copied = fresh(folder)
    TransformersEngine(copied).load_weights(policy.weights(), 1)  # an engine with a model of its own
    torch.testing.assert_close(scored(TorchPolicy(copied, PolicySettings())), expected, rtol=0, atol=1e-5)


def test_an_engine_over_the_trainers_model_writes_with_its_adapters(model_folders):
    policy = trained(TorchPolicy(fresh(model_folders["tiny-qwen3-vl"]), settings()))
    engine = TransformersEngine(policy.loaded)
    engine.load_weights(policy.weights(), 3)
    assert engine.version == 3
    (one,) = encode(policy.loaded, ask(pixels(1), "How many?"))
    (found,) = engine.generate([Request(one, 2, Sampling(max_tokens=6), 1)])
    (again,) = policy.logprobs([Example(one, tuple(r.token_ids for r in found))], 1.0)
    for rollout, mine in zip(found, again, strict=True):
        assert rollout.sampler_logprobs == pytest.approx(mine, abs=1e-5)


def test_the_next_stage_starts_from_the_merged_weights(model_folders):
    policy = trained(TorchPolicy(fresh(model_folders["tiny-qwen3-vl"]), settings()))
    expected = scored(policy)
    following = TorchPolicy(policy.loaded, PolicySettings())
    assert not has_adapters(policy.loaded.model)
    torch.testing.assert_close(scored(following), expected, rtol=0, atol=1e-5)


def test_base_and_saved_adapter_are_the_merged_weights_by_peft(model_folders, tmp_path):
    base = model_folders["tiny-qwen3-vl"]
    frozen = PolicySettings(freeze=("vision", "projector"), **settings().model_dump(include={"lora", "optimizer"}))
    policy = trained(TorchPolicy(fresh(base), frozen))
    policy.save(tmp_path / "first")
    config = json.loads((tmp_path / "first/adapter/adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["r"], config["lora_alpha"]) == (str(base), 2, 4.0)
    second = trained(TorchPolicy(policy.loaded, frozen))  # a stage that goes on with the merged weights
    second.save(tmp_path / "export")
    trained(second).save(tmp_path / "second")
    for name in ("export", "second"):
        config = json.loads((tmp_path / name / "adapter/adapter_config.json").read_text())
        assert config["base_model_name_or_path"] == str(tmp_path / "first")
    for start, name in ((base, "first"), (tmp_path / "first", "second")):
        whole = transformers.AutoModelForImageTextToText.from_pretrained(tmp_path / name, dtype=torch.float32)
        started = transformers.AutoModelForImageTextToText.from_pretrained(start, dtype=torch.float32)
        before = {name: tensor.clone() for name, tensor in started.state_dict().items()}
        merged = peft.PeftModel.from_pretrained(started, tmp_path / name / "adapter").merge_and_unload()
        assert any(not torch.equal(tensor, before[name]) for name, tensor in merged.state_dict().items())
        for key, tensor in whole.state_dict().items():
            assert torch.equal(merged.state_dict()[key], tensor), key
    TorchPolicy(second.loaded, PolicySettings()).save(tmp_path / "full")  # no adapters any more
    assert not (tmp_path / "full" / "adapter").exists()


def test_where_more_than_adapters_trains_no_adapter_is_saved(model_folders, tmp_path):
    TorchPolicy(fresh(model_folders["tiny-qwen3-vl"]), settings()).save(tmp_path / "saved")
    assert not (tmp_path / "saved" / "adapter").exists()


def test_a_cached_snapshot_is_named_by_its_hub_id():
    assert hub_name("/cache/hub/models--Qwen--Qwen3-VL-2B/snapshots/0a1b") == "Qwen/Qwen3-VL-2B"
    assert hub_name("runs/mine/model_sft") == "runs/mine/model_sft"


def test_names_that_no_layer_has_are_refused(model_folders):
    with pytest.raises(ConfigError, match="no linear layer"):
        TorchPolicy(fresh(model_folders["tiny-qwen3-vl"]), PolicySettings(lora=LoraSettings(modules=("q_porj",))))


def test_a_head_that_is_the_embedding_gets_no_adapter(model_folders, architecture):
    loaded = fresh(model_folders[architecture])
    lora = LoraSettings(modules=("q_proj", "lm_head"))
    with pytest.raises(ConfigError, match="one weight"):
        TorchPolicy(loaded, PolicySettings(lora=lora))
    head = loaded.model.lm_head
    head.weight = torch.nn.Parameter(head.weight.detach().clone())
    assert "lm_head" in adapted_layers(loaded.model, lora)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"lora": LoraSettings(), "freeze": ("language",)}, "is frozen, too"),
        ({"freeze": ("language", "vision", "projector")}, "leaves nothing to train"),
    ],
)
def test_settings_that_leave_nothing_to_train_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        PolicySettings(**wrong)
