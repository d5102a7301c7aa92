"""Prompts that pass through the decoder's last layer in part against prompts that pass whole."""

from __future__ import annotations

from functools import wraps

import pytest
import torch
import transformers
from known_models import WIDTH, decoder
from packaging.version import Version
from small_models import SHAPE, ask, build_spread, encode, fresh, pixels
from transformers import DynamicCache

from vlrl.model.decoding.prefill_last_token import cache_argument, last_token_only
from vlrl.model.decoding.supported_decoders import known_decoders
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine, TransformersEngineSettings

LENGTHS = torch.tensor([9, 4, 1])


def read(model, *, part):
    """(3, d) at each prompt's last token, and the cache."""
    found, cache = model.get_decoder(), DynamicCache()
    tokens = torch.randint(0, 50, (3, 9), generator=torch.Generator().manual_seed(1))
    positions = torch.arange(9).expand(3, 9)
    if "mrope_section" in vars(found.rotary_emb):
        positions = torch.stack([positions, positions * 2 + 1, positions.flip(1)])
    given = {"input_ids": tokens, "position_ids": positions, "past_key_values": cache, "use_cache": True}
    with torch.inference_mode():
        if not part:
            return found(**given).last_hidden_state[torch.arange(3), LENGTHS - 1], cache
        with last_token_only(model, LENGTHS):
            hidden = found(**given).last_hidden_state
    assert hidden.shape == (3, 1, WIDTH)
    assert "forward" not in vars(found.layers[-1])
    return hidden[:, 0], cache


@pytest.mark.parametrize("name", known_decoders())
def test_the_last_token_and_the_cache_are_those_of_a_whole_pass(name):
    model = decoder(name)
    (mine, held), (expected, whole) = read(model, part=True), read(model, part=False)
    assert expected.std() > 0.5
    torch.testing.assert_close(mine, expected, rtol=1e-5, atol=1e-5)
    for one, other in zip(held.layers, whole.layers, strict=True):
        torch.testing.assert_close(one.keys, other.keys, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(one.values, other.values, rtol=1e-5, atol=1e-5)


def test_an_error_leaves_the_layer_as_it_was():
    model = decoder("llama")
    with pytest.raises(ZeroDivisionError), last_token_only(model, LENGTHS):
        1 / 0  # noqa: B018
    assert "forward" not in vars(model.get_decoder().layers[-1])


@pytest.mark.parametrize("decode_step", ["own", "model"])
def test_an_engine_computes_of_the_last_layer_what_is_needed(loaded, architecture, decode_step, monkeypatch):
    if architecture == "tiny-qwen2.5-vl" and Version(transformers.__version__).release < (5, 17):
        pytest.skip("there its attention has to see whole rows")
    encoded = encode(loaded, ask("3+4=?"), ask(pixels(1), "red?"))
    requests = [Request(one, 2, Sampling(max_tokens=3), 1) for one in encoded]
    engine = TransformersEngine(loaded, TransformersEngineSettings(decode_step=decode_step))
    decoder = loaded.model.get_decoder()
    norm, last, widths = type(decoder.norm), decoder.layers[-1].post_attention_layernorm, []
    forward = norm.forward

    @wraps(forward)  # so that the decoder stays a known one
    def listening(self, rows):
        if self is last:
            widths.append(rows.shape[1])
        return forward(self, rows)

    monkeypatch.setattr(norm, "forward", listening)
    engine.generate(requests)
    assert max(widths) == (1 if decode_step == "own" else max(one.num_tokens for one in encoded))


def test_a_decoder_whose_last_layer_takes_image_features_reads_prompts_whole(tmp_path):
    shallow = SHAPE.model_copy(update={"text_layers": 1})
    loaded = fresh(build_spread("tiny-qwen3-vl", tmp_path, shape=shallow))
    request = Request(encode(loaded, ask(pixels(1), "red?"))[0], 2, Sampling(max_tokens=4), 1)
    own, model = (
        TransformersEngine(loaded, TransformersEngineSettings(decode_step=way)).generate([request])[0]
        for way in ("own", "model")
    )
    for one, other in zip(own, model, strict=True):
        assert one.sampler_logprobs == pytest.approx(other.sampler_logprobs, abs=1e-5)


def test_the_cache_has_the_name_by_which_the_release_takes_it():
    """`past_key_values` before transformers 5.24, which takes that from outside still, but passes `cache` on."""

    class Older(torch.nn.Module):
        def forward(self, hidden_states, past_key_values=None): ...

    class Newer(torch.nn.Module):
        def forward(self, hidden_states, cache=None): ...

    assert (cache_argument(Older()), cache_argument(Newer())) == ("past_key_values", "cache")
