"""Products with packed weights are the layers' own but for rounding, and only while the block lasts."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from small_models import ask, encode, fresh, pixels

from vlrl.model.decoding import onednn_linear as packing
from vlrl.model.decoding.onednn_linear import packed_layers, packed_products
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine, TransformersEngineSettings


@pytest.fixture
def all_layers(monkeypatch):
    monkeypatch.setattr(packing, "LEAST_WEIGHTS", 1)


def test_small_layers_and_other_precisions_stay_as_they_are(loaded, model_folders, monkeypatch):
    assert packed_layers(loaded.model) == []  # every layer of this model is small
    monkeypatch.setattr(packing, "LEAST_WEIGHTS", 1)
    layers = packed_layers(loaded.model)
    assert len(layers) == 7 * loaded.config.get_text_config().num_hidden_layers + 1  # and the head
    assert packed_layers(fresh(model_folders["tiny-qwen3-vl"], dtype="bfloat16").model) == []


def test_any_number_of_rows_gives_the_layers_own_products(qwen3, all_layers):
    layers = packed_layers(qwen3.model)
    for shape in ((1,), (32,), (33,), (2, 5)):
        for layer in layers:
            rows = torch.randn(*shape, layer.in_features)
            with torch.inference_mode():
                own = layer(rows)
                with packed_products(layers):
                    assert "forward" in vars(layer)
                    packed = layer(rows)
            torch.testing.assert_close(packed, own, rtol=1e-5, atol=1e-5)
            assert "forward" not in vars(layer)


def test_an_error_leaves_the_layers_as_they_were(qwen3, all_layers):
    with pytest.raises(ZeroDivisionError), torch.inference_mode(), packed_products(packed_layers(qwen3.model)):
        1 / 0  # noqa: B018
    assert not any("forward" in vars(layer) for layer in packed_layers(qwen3.model))


def test_an_interrupt_before_all_layers_are_packed_leaves_none(qwen3, all_layers, monkeypatch):
    made = []

    def interrupted(*given):
        made.append(given)
        if len(made) == 3:
            raise KeyboardInterrupt
        return partial(*given)

    monkeypatch.setattr(packing, "partial", interrupted)
    with pytest.raises(KeyboardInterrupt), torch.inference_mode(), packed_products(packed_layers(qwen3.model)):
        pass
    assert not any("forward" in vars(layer) for layer in packed_layers(qwen3.model))


@pytest.mark.parametrize("decode_step", ["own", "model"])
def test_an_engine_writes_the_same_and_sees_new_weights(model_folders, architecture, decode_step, monkeypatch):
    loaded = fresh(model_folders[architecture])
    encoded = encode(loaded, ask("3+4=?"), ask(pixels(1), "How many?"))
    requests = [Request(one, 3, Sampling(max_tokens=12), seed) for seed, one in enumerate(encoded)]
    engine = TransformersEngine(loaded, TransformersEngineSettings(decode_step=decode_step))
    for _ in range(2):
        monkeypatch.setattr(packing, "LEAST_WEIGHTS", 2**60)
        own = engine.generate(requests)
        monkeypatch.setattr(packing, "LEAST_WEIGHTS", 1)
        packed = engine.generate(requests)
        for mine, theirs in zip(packed, own, strict=True):
            for one, other in zip(mine, theirs, strict=True):
                assert one.token_ids == other.token_ids
                assert one.sampler_logprobs == pytest.approx(other.sampler_logprobs, abs=1e-5)
        with torch.no_grad():
            for layer in packed_layers(loaded.model):
                layer.weight.mul_(0.7)
