"""Mixtures of experts: what a token costs, and how evenly tokens are spread."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small_models import SHAPE, ask, build_spread, encode, fresh, pixels
from transformers import AutoConfig, Qwen3_5MoeConfig, Qwen3VLConfig

from vlrl.losses.loss_registry import losses
from vlrl.model.batch.example import Example
from vlrl.model.cost import cost_of
from vlrl.model.experts.active_weights import active_weights, experts_per_token, mlp_width
from vlrl.model.experts.expert_load import ExpertLoad
from vlrl.model.experts.routers import Routers
from vlrl.model.sizes import count_parameters
from vlrl.model.training.forward import PackedForward
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.model.training.update_metrics import UpdateMetrics


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_spread("tiny-qwen3-vl-moe", tmp_path_factory.mktemp("experts") / "model")


@pytest.fixture(scope="module")
def loaded(folder):
    return fresh(folder)


@pytest.fixture(scope="module")
def rows(loaded):
    prompts = encode(loaded, ask("3+4=?"), ask(pixels(1, 48, 32), "How many cards?"))
    responses = ((55, 99, 30, 88), (77, 31)), ((40,), (111, 112, 113))
    return [
        Example(one, some, advantages=(1.0, -1.0), sampler_logprobs=tuple((-5.0,) * len(r) for r in some))
        for one, some in zip(prompts, responses, strict=True)
    ]


def test_a_token_costs_the_experts_that_it_is_sent_to(folder, loaded):
    experts, matrices = 0, 0
    for name, parameter in loaded.model.named_parameters():
        if "language_model" in name and ".experts." in name:
            experts += parameter.numel()
        elif "language_model" in name and parameter.ndim == 2 and "embed" not in name:
            matrices += parameter.numel()
    assert experts == SHAPE.text_layers * 4 * 3 * SHAPE.text_width * SHAPE.mlp_width // 2
    active = active_weights(loaded.model, loaded.config)
    assert active["language"] == matrices + experts // 2  # 2 of 4
    assert count_parameters(AutoConfig.from_pretrained(folder)).active_by_part == active
    assert cost_of(loaded.config, loaded.model, (), False).matrices == active
    assert mlp_width(loaded.config, 999) == 2 * SHAPE.mlp_width // 2


def test_the_width_of_a_layer_counts_shared_experts_and_layers_without_any():
    text = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 10, "num_hidden_layers": 4}
    config = Qwen3_5MoeConfig(text_config={**text, "shared_expert_intermediate_size": 16})
    assert (experts_per_token(config), mlp_width(config, 100)) == (2, 2 * 10 + 16)
    config.text_config.mlp_only_layers = [0]
    assert mlp_width(config, 100) == (100 + 3 * 36) / 4


def test_a_model_without_experts_has_no_routers():
    config = Qwen3VLConfig()
    assert len(Routers(SimpleNamespace(config=config))) == 0
    assert mlp_width(config, 7) == 7


@pytest.mark.parametrize(("packed", "checkpointed"), [(False, False), (True, False), (False, True)])
def test_an_update_counts_each_real_token_once_in_each_layer(folder, rows, packed, checkpointed):
    policy = TorchPolicy(fresh(folder, gradient_checkpointing=checkpointed), PolicySettings(pack_sequences=packed))
    sums = policy.update(rows, losses.build("kimi"), 1.0, 1.0)
    assert sums.expert_load.tokens.shape == (SHAPE.text_layers, 4)
    assert (sums.expert_load.tokens.sum(1) == 2 * sum(row.num_tokens for row in rows)).all()
    assert 1.0 <= sums.metrics()["experts/max_load"] <= sums.metrics()["experts/max_load_worst"] <= 2.0


def test_counting_changes_no_number(folder, rows):
    """The same gradients as with nobody who looks, and the counts are those of the plain forward pass's routers."""
    gradients, counted = [], []
    for look in (True, False):
        loaded = fresh(folder)
        policy = TorchPolicy(loaded, PolicySettings())
        if not look:
            policy._learning._routers = ()
        sums = UpdateMetrics()
        forward: PackedForward = policy._learning
        for run, _ in forward.micro_batches(rows[:1], losses.build("kimi"), 1.0, rows[:1], sums):
            run().backward()
        gradients.append([p.grad.clone() for p in loaded.model.parameters() if p.grad is not None])
        counted.append(sums.expert_load.tokens)
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    assert counted[1] is None
    model = fresh(folder).model
    seen: dict[str, list[torch.Tensor]] = {}
    for name, module in model.named_modules():
        if name.endswith(".gate"):
            module.register_forward_hook(lambda m, a, out, name=name: seen.setdefault(name, []).append(out[2]))
    for response in rows[0].responses:
        model(input_ids=torch.tensor([[*rows[0].encoded.token_ids, *response]]))
    prompt = rows[0].encoded.num_tokens
    for layer, passes in zip(counted[0], seen.values(), strict=True):
        tokens = torch.cat([passes[0], *(one[prompt:] for one in passes[1:])])  # the prompt once
        assert layer.tolist() == torch.bincount(tokens.flatten(), minlength=4).tolist()


def test_the_spread_by_hand():
    load, more = ExpertLoad(), ExpertLoad()
    load.add(torch.tensor([[[0], [1]], [[0], [2]], [[3], [3]]]), torch.tensor([True, True, False]), 4)
    assert load.tokens.tolist() == [[2, 0, 0, 0], [0, 1, 1, 0]]  # 3 tokens, 2 layers, k = 1; the third is padding
    more.merge(load)
    found = more.metrics()
    assert found["experts/max_load"] == pytest.approx((4 + 2) / 2)
    assert found["experts/max_load_worst"] == 4
    assert found["experts/entropy"] == pytest.approx((0 + np.log(2) / np.log(4)) / 2)
    assert found["experts/idle_rate"] == 5 / 8
    assert ExpertLoad().metrics() == {}


def test_updates_add_up_their_loads():
    sums = UpdateMetrics()
    for tokens in ([[3, 1]], [[1, 3]]):
        sums.add(UpdateMetrics(1.0, 1, expert_load=ExpertLoad(np.array(tokens))).stepped(1.0))
    assert sums.metrics()["experts/max_load"] == 1.0
    assert not [key for key in UpdateMetrics(1.0, 1).stepped(1.0).metrics() if key.startswith("experts/")]
