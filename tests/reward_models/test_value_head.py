"""The value head: a gradient worked out by hand, any split into micro-batches, and the same logits after a restart."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from small_models import BUDGET, ask, fresh, pixels

from vlrl.errors import ConfigError
from vlrl.model.load import ModelSettings, load_folder, save_model
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.forward import PackedForward
from vlrl.reward_models.value_head import head_of, load_head, logits_of, value_example, value_loss


def test_the_gradient_is_sigmoid_minus_label_over_the_rows_of_the_update():
    logits = torch.tensor([0.0, math.log(3.0)], requires_grad=True)
    loss = value_loss(logits, torch.tensor([1.0, 0.0]), 4)
    loss.backward()
    assert float(loss.detach()) == pytest.approx((math.log(2) + math.log(4)) / 4)
    assert logits.grad is not None
    assert logits.grad.tolist() == pytest.approx([(0.5 - 1) / 4, 0.75 / 4])


def test_the_heads_gradient_is_that_of_the_logits_times_the_state():
    from types import SimpleNamespace

    text = SimpleNamespace(hidden_size=2)
    config = SimpleNamespace(get_text_config=lambda: text)
    head = head_of(SimpleNamespace(config=config, device=torch.device("cpu")))  # type: ignore[arg-type]
    value_loss(head(torch.tensor([[2.0, -4.0]])), torch.tensor([1.0]), 1).backward()
    assert head.weight.grad.tolist() == [-1.0, 2.0]  # (1/2 − 1) · h
    assert head.bias.grad.tolist() == -0.5


PROMPTS = [ask("3+4=?"), ask(pixels(1), "How many cards?"), ask("left right red green blue?"), ask(pixels(2), "red?")]


def gradients(loaded, budget: int) -> dict[str, torch.Tensor]:
    head = head_of(loaded)
    with torch.no_grad():
        head.weight += torch.linspace(-1, 1, len(head.weight))
    encoded = Encoder(loaded, BUDGET).encode(PROMPTS)
    labels = torch.tensor([1.0, 0.0, 0.0, 1.0])
    for parameter in loaded.model.parameters():
        parameter.grad = None
    forward = PackedForward(loaded, budget, vision_trains=True)
    rows = [value_example(loaded, one) for one in encoded]
    forward.learn_from_hidden(rows, lambda h, chosen: value_loss(head(h), labels[list(chosen)], 4))
    named = {**dict(loaded.model.named_parameters()), **dict(head.named_parameters())}
    return {name: p.grad.clone() for name, p in named.items() if p.grad is not None}


def test_any_split_into_micro_batches_gives_the_same_gradients(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    whole, parts = gradients(loaded, 10_000), gradients(loaded, 1)
    assert whole.keys() == parts.keys()
    assert any("visual" in name for name in whole)
    for name, gradient in whole.items():
        assert torch.allclose(gradient, parts[name], atol=2e-5, rtol=1e-3), name


def test_a_saved_model_with_its_head_gives_the_same_logits(model_folders, tmp_path: Path):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    head = head_of(loaded)
    with torch.no_grad():
        head.weight += torch.linspace(-1, 1, len(head.weight))
        head.bias += 0.5
    save_model(loaded, tmp_path / "model")
    head.save(tmp_path / "model")
    again = load_folder(str(tmp_path / "model"), ModelSettings(path=str(tmp_path / "model"), device="cpu"))
    found = [
        logits_of(one, PackedForward(one, 10_000, False), own, Encoder(one, BUDGET).encode(PROMPTS))
        for one, own in ((loaded, head), (again, load_head(tmp_path / "model", again)))
    ]
    assert torch.equal(found[0], found[1])
    assert len(set(found[0].tolist())) == 4


def test_a_head_that_is_missing_or_of_another_width_is_refused(model_folders, tmp_path: Path):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    with pytest.raises(ConfigError, match="holds no value_head"):
        load_head(tmp_path, loaded)
    head = head_of(loaded)
    head.weight = torch.nn.Parameter(torch.zeros(3))
    head.save(tmp_path)
    with pytest.raises(ConfigError, match="doesn't fit"):
        load_head(tmp_path, loaded)
