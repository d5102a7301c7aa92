"""The step of few operations against the model's own forward pass, and where it may not be used."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import pytest
import torch
from known_models import GROUPS, PER_GROUP, SIZE, WIDTH, decoder
from small_models import ask, encode, fresh, pixels, prompts

from vlrl.errors import ConfigError, EngineError
from vlrl.losses.sft_loss import SftLoss
from vlrl.model.attention.shared_prefix import SharedPrefix, seats
from vlrl.model.batch.example import Example
from vlrl.model.decoding import onednn_linear as packing
from vlrl.model.decoding.decode_step import DecodeStep, _norm, single_layers
from vlrl.model.decoding.onednn_linear import packed_products
from vlrl.model.decoding.supported_decoders import known_decoders, what_is_unknown
from vlrl.model.optimization.lora import LoraSettings, choose_trained
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.response_kv_cache import OwnTokensCache
from vlrl.rollout.transformers.transformers_engine import TransformersEngine, TransformersEngineSettings


def hidden_states(model, way):
    """(steps, N, d) while rows leave and others join, some of which go on behind 3 tokens."""
    found = model.get_decoder()
    dtype, drawn = found.embed_tokens.weight.dtype, torch.Generator().manual_seed(5)

    def normal(*shape):
        return torch.randn(*shape, generator=drawn).to(dtype)

    layers = range(len(found.layers))
    keys, values = ([normal(3, GROUPS, 9, SIZE) for _ in layers] for _ in range(2))
    nowhere = torch.zeros(0, dtype=torch.long)
    prefix = SharedPrefix(keys, values, None, ((0, 3, 9),), nowhere, nowhere)
    cache, outputs = OwnTokensCache(len(layers)), []
    position = torch.tensor([4, 9, 20, 5, 7])
    start, prompt_of = torch.zeros(5, dtype=torch.long), torch.tensor([0, 1, 1, 2, 0])
    with torch.inference_mode(), packed_products(single_layers(model)) as packed:
        own = DecodeStep(model, packed)
        for step in range(8):
            if step == 3:
                kept = torch.tensor([0, 2, 4])
                cache.keep(kept)
                position, start, prompt_of = position[kept], start[kept], prompt_of[kept]
            if step == 5:
                cache.join(*([normal(2, GROUPS, 3, SIZE) for _ in layers] for _ in range(2)))
                position = torch.cat([position, torch.tensor([30, 6])])
                start = torch.cat([start, torch.tensor([2, 2])])
                prompt_of = torch.cat([prompt_of, torch.tensor([2, 2])])
            prefix.taken, prefix.given = seats(prompt_of, 3, GROUPS, PER_GROUP)
            late = torch.arange(step + 1) < start[:, None]
            hidden = torch.zeros(late.shape, dtype=dtype).masked_fill(late, float("-inf"))
            prefix.own_mask = hidden.repeat_interleave(GROUPS, 0)[:, None]
            tokens = torch.randint(0, 50, (len(position),), generator=drawn)
            if way == "own":
                outputs.append(own(tokens, position, cache, prefix))
            else:
                rows = position.expand(3, -1)[:, :, None] if "mrope_section" in vars(found.rotary_emb) else None
                outputs.append(
                    found(
                        input_ids=tokens[:, None],
                        position_ids=position[:, None] if rows is None else rows,
                        past_key_values=cache,
                        use_cache=True,
                        attention_mask=torch.zeros(1, 1, 1, 1, dtype=dtype),
                        shared_prefix=prefix,
                    ).last_hidden_state[:, 0]
                )
            position = position + 1
    return torch.cat(outputs).float()


@pytest.fixture(params=["packed", "small"])
def packs(request, monkeypatch):
    monkeypatch.setattr(packing, "LEAST_WEIGHTS", 1 if request.param == "packed" else 2**60)


@pytest.mark.parametrize("name", known_decoders())
def test_every_known_decoder_says_what_its_own_forward_pass_says(name, packs):
    model = decoder(name)
    assert what_is_unknown(model) == ""
    own, expected = hidden_states(model, "own"), hidden_states(model, "model")
    assert expected.std() > 0.5
    torch.testing.assert_close(own, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rope", ["linear", "llama3", "yarn"])
def test_positions_are_those_of_the_models_own_rotation(rope, packs):
    model = decoder("llama", rope, attention_bias=True, mlp_bias=True)
    assert what_is_unknown(model) == ""
    torch.testing.assert_close(hidden_states(model, "own"), hidden_states(model, "model"), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", known_decoders())
def test_in_16_bits_it_is_as_close_to_float32_as_the_models_own_forward_pass(name):
    exact = hidden_states(decoder(name), "model")
    model = decoder(name)
    model.get_decoder().to(torch.bfloat16)
    by_model, own = ((hidden_states(model, way) - exact).norm() for way in ("model", "own"))
    assert 0 < own < by_model * 1.2


def test_norms_in_16_bits_round_where_the_models_do():
    norm = decoder("llama").get_decoder().norm.to(torch.bfloat16)
    rows = torch.randn(20, WIDTH).to(torch.bfloat16)
    assert torch.equal(_norm(norm)(rows), norm(rows))


def test_16_bits_take_no_copies_of_matrices():
    model = decoder("llama", attention_bias=True)
    model.get_decoder().to(torch.bfloat16)
    assert single_layers(model) == []
    step = DecodeStep(model, {})
    with torch.no_grad():
        for parameter in model.get_decoder().parameters():
            parameter.zero_()
    for layer in step._layers:
        for name in ("states", "out", "gate", "up", "down"):
            rows = torch.ones(2, 96 if name == "down" else WIDTH, dtype=torch.bfloat16)
            assert not getattr(layer, name)(rows).any(), name


def changed_class(model):
    layer = model.get_decoder().layers[1].mlp
    layer.__class__ = type("Changed", (type(layer),), {})


def hooked(model):
    model.get_decoder().layers[0].self_attn.q_proj.register_forward_hook(lambda *_: None)


def with_a_forward_of_its_own(model):
    layer = model.get_decoder().layers[0]
    layer.forward = layer.forward


def in_two_precisions(model):
    model.get_decoder().norm.to(torch.bfloat16)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (changed_class, "layers.1.mlp, a Changed"),
        (hooked, "a hook of layers.0.self_attn.q_proj"),
        (with_a_forward_of_its_own, "a hook of layers.0"),
        (in_two_precisions, "weights of several precisions"),
    ],
)
def test_what_was_changed_is_unknown(change, found):
    model = decoder("llama")
    assert what_is_unknown(model) == ""
    change(model)
    assert what_is_unknown(model).startswith(found)


def test_a_class_with_another_forward_pass_is_unknown(monkeypatch):
    model = decoder("qwen2")
    mlp = type(model.get_decoder().layers[0].mlp)
    own = mlp.forward
    monkeypatch.setattr(mlp, "forward", lambda self, rows: own(self, rows) * 2)
    assert what_is_unknown(model) == f"layers.0.mlp, whose forward pass is from {__name__}"


def test_what_a_config_may_ask_for_and_the_step_has_not():
    assert "sliding" in what_is_unknown(
        decoder("qwen2", use_sliding_window=True, sliding_window=4, max_window_layers=0)
    )
    assert "'dynamic'" in what_is_unknown(decoder("llama", "dynamic"))
    assert "act_fn, a GELU" in what_is_unknown(decoder("llama", hidden_act="gelu"))
    model = decoder("llama")
    model.get_decoder().config._attn_implementation = "sdpa"
    assert "'sdpa'" in what_is_unknown(model)
    model.get_decoder().config.model_type = "other"
    assert "'other'" in what_is_unknown(model)


def engine(loaded, decode_step, **more):
    return TransformersEngine(loaded, TransformersEngineSettings(decode_step=decode_step, **more))


@pytest.mark.parametrize("rows", [3, 1024])
def test_an_engine_writes_the_same_with_either(loaded, packs, rows):
    encoded = encode(loaded, *(ask(*pieces) for pieces in prompts()))
    samplings = (
        Sampling(temperature=0.0, max_tokens=14),
        Sampling(temperature=0.8, max_tokens=9),
        Sampling(max_tokens=20),
    )
    requests = [Request(one, 3, samplings[r % 3], r) for r, one in enumerate(encoded)]
    engines = {way: engine(loaded, way, max_num_seqs=rows) for way in ("own", "model", "auto")}
    assert [one.decode_step for one in engines.values()] == ["own", "model", "own"]
    own, model, auto = (one.generate(requests) for one in engines.values())
    assert own == auto
    for mine, theirs in zip(own, model, strict=True):
        for one, other in zip(mine, theirs, strict=True):
            assert one.token_ids == other.token_ids
            assert one.sampler_logprobs == pytest.approx(other.sampler_logprobs, abs=1e-5)


def test_the_next_call_decodes_with_the_weights_of_then(model_folders, architecture, packs):
    loaded = fresh(model_folders[architecture])
    request = Request(encode(loaded, ask(pixels(1), "red?"))[0], 2, Sampling(max_tokens=8), 1)
    own, model = engine(loaded, "own"), engine(loaded, "model")
    for _ in range(2):
        mine, theirs = (one.generate([request])[0][0] for one in (own, model))
        assert mine.sampler_logprobs == pytest.approx(theirs.sampler_logprobs, abs=1e-5)
        with torch.no_grad():
            for parameter in loaded.model.get_decoder().parameters():
                parameter.mul_(0.7)


@pytest.mark.parametrize("freeze", [(), ("vision", "projector")])
def test_a_model_that_learns_with_checkpointed_layers_decodes_by_the_own_step(model_folders, architecture, freeze):
    loaded = fresh(model_folders[architecture], gradient_checkpointing=True)
    assert loaded.model.is_gradient_checkpointing
    one = encode(loaded, ask(pixels(1), "red?"))[0]
    policy, auto = TorchPolicy(loaded, PolicySettings(freeze=freeze)), engine(loaded, "auto")
    for _ in range(2):
        assert auto.decode_step == "own"
        rollout = auto.generate([Request(one, 2, Sampling(max_tokens=8), 1)])[0][0]
        (scored,) = policy.logprobs([Example(one, (rollout.token_ids,))], 1.0)[0]
        assert rollout.sampler_logprobs == pytest.approx(scored, abs=1e-4)
        policy.update([Example(one, (rollout.token_ids,), (1.0,))], SftLoss(), 1.0, 1.0)


def test_a_model_with_adapters_decodes_by_its_own_forward_pass(model_folders, library):
    library("peft")
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    auto = engine(loaded, "auto")
    own = engine(loaded, "own")
    assert auto.decode_step == "own"
    request = Request(encode(loaded, ask(pixels(1), "red?"))[0], 2, Sampling(max_tokens=5), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        auto.generate([request])
    choose_trained(loaded.model, (), LoraSettings(rank=2))
    assert auto.decode_step == "model"
    with pytest.warns(UserWarning, match=r"own doesn't know layers.0.self_attn.q_proj, a L"):
        assert auto.generate([request])[0][0].token_ids
    with pytest.raises(EngineError, match=r"engine\.decode_step: own doesn't know layers.0.self_attn.q_proj, a L"):
        own.generate([request])


def test_own_on_an_unknown_architecture_is_refused_before_weights_are_read(loaded):
    settings = TransformersEngineSettings(decode_step="own")
    settings.check(loaded.config, loaded.device, 100, torch.float32)
    other = SimpleNamespace(get_text_config=lambda: SimpleNamespace(model_type="mamba"))
    with pytest.raises(ConfigError, match=r"engine\.decode_step: own doesn't know 'mamba'"):
        settings.check(other, loaded.device, 100, torch.float32)
    TransformersEngineSettings().check(other, loaded.device, 100, torch.float32)
