"""Prompts of one length are read together by a decoder with recurrent layers, each with its own numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_models import ask, build_spread, encode, fresh, pixels

from vlrl.model.batch.example import Example, Observations
from vlrl.model.batch.packing import pack
from vlrl.model.decoding.state_rows import PADDING, readings
from vlrl.model.prompts.positions import PositionRule
from vlrl.model.training.logprobs import response_logprobs
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.model.vision.image_encoding import VisionTower
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine

PROMPTS = [("3+4=?",), ("5+2=?",), *((pixels(seed, 32, 32), "red?") for seed in range(3)), ("9-2=?",)]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    return fresh(build_spread("tiny-qwen3.5", tmp_path_factory.mktemp("together") / "model"))


def passes(loaded):
    """Shapes of what the model's decoder reads from now on."""
    found = []
    hook = loaded.model.get_decoder().register_forward_pre_hook(
        lambda _, args, given: found.append(tuple(given["inputs_embeds"].shape[:2])), with_kwargs=True
    )
    return found, hook


def test_responses_behind_prompts_of_one_length_have_the_numbers_of_each_alone(loaded):
    encoded = encode(loaded, *[ask(*pieces) for pieces in PROMPTS])
    draw = np.random.default_rng(3)
    responses = [[tuple(draw.integers(60, 90, n)) for n in draw.integers(1, 9, k)] for k in (1, 3, 2, 1, 2, 1)]
    examples = [Example(one, tuple(some)) for one, some in zip(encoded, responses, strict=True)]
    shown = encoded[3]
    written, types = (True,) * 2 + (False,) * shown.num_tokens + (True,) * 3, (0, 0, *shown.token_types, 0, 0, 0)
    examples[2] = Example(
        encoded[2],
        ((70, 80, *shown.token_ids, 75, 65, 85), (66, 77)),
        observations=(Observations(written, types, shown.images), None),
    )
    policy = TorchPolicy(loaded, PolicySettings())
    found, hook = passes(loaded)
    together = policy.logprobs(examples, 1.0)
    hook.remove()
    assert len(found) < 2 * len(examples)
    assert {rows for rows, _ in found} >= {3}  # three prompts of text in one pass
    for example, mine in zip(examples, together, strict=True):
        (alone,) = policy.logprobs([example], 1.0)
        for one, other in zip(mine, alone, strict=True):
            assert one == pytest.approx(other, abs=1e-5)


def test_an_engine_decodes_them_together_and_goes_on_with_them(loaded):
    encoded = encode(loaded, *[ask(*pieces) for pieces in PROMPTS])
    requests = [Request(one, 2, Sampling(max_tokens=8), seed) for seed, one in enumerate(encoded)]
    engine = TransformersEngine(loaded)
    found, hook = passes(loaded)
    together = engine.generate(requests)
    hook.remove()
    assert max(rows for rows, tokens in found if tokens == 1) >= 6  # both responses of three prompts
    begun = engine.generate([replace(one, new_tokens=2 + number % 2) for number, one in enumerate(requests)])
    ended = engine.generate([replace(one, resume_from=some) for one, some in zip(requests, begun, strict=True)])
    for request, rollouts, continued in zip(requests, together, ended, strict=True):
        (alone,) = engine.generate([request])
        for one, other, resumed in zip(rollouts, alone, continued, strict=True):
            assert one.token_ids == other.token_ids == resumed.token_ids
            assert one.sampler_logprobs == pytest.approx(other.sampler_logprobs, abs=1e-5)
            assert one.sampler_logprobs == pytest.approx(resumed.sampler_logprobs, abs=2e-5)


def test_what_is_read_together_is_of_one_length_and_takes_little_padding(loaded):
    (prompt, longer) = encode(loaded, ask("3+4=?"), ask("30+40=?"))
    draw = np.random.default_rng(0)
    for _ in range(50):
        examples = [
            Example(
                longer if draw.random() < 0.3 else prompt,
                tuple((70,) * int(n) for n in draw.geometric(1 / draw.choice([2, 20, 400]), draw.integers(1, 9))),
            )
            for _ in range(draw.integers(1, 20))
        ]
        found = readings(examples)
        assert sorted(number for one in found for number in one.examples) == list(range(len(examples)))
        for one in found:
            some = [examples[number] for number in one.examples]
            assert len({example.encoded.num_tokens for example in some}) == 1
            widths = [max(len(tokens) for tokens in example.responses) for example in some]
            assert one.width == (0 if max(widths) == 1 else max(2, max(widths) - 1))
            apart = sum(
                len(example.responses) * (0 if width == 1 else max(2, width - 1))
                for example, width in zip(some, widths, strict=True)
            )
            assert one.width * sum(len(example.responses) for example in some) - apart <= PADDING


def test_gradients_are_the_sum_of_those_of_each_alone(loaded):
    encoded = encode(loaded, *[ask(*pieces) for pieces in PROMPTS])
    examples = [Example(one, ((70, 80, 90), (75, 85))) for one in encoded]
    rule, tower, forbidden = PositionRule(loaded.model), VisionTower(loaded.model), torch.tensor([0])
    loaded.model.requires_grad_(True)

    def gradient(some):
        loaded.model.zero_grad()
        batch = pack(some, rule, 0, loaded.device)
        logprobs = response_logprobs(loaded.model, tower, batch, tower.encode_images(batch.images), forbidden).logprobs
        (logprobs * torch.linspace(-1.0, 2.0, 5).repeat(len(some))).sum().backward()
        found = [torch.zeros_like(p) if p.grad is None else p.grad for p in loaded.model.parameters()]
        return torch.cat([one.flatten() for one in found])

    together, alone = gradient(examples), sum(gradient([one]) for one in examples)
    assert float((together - alone).norm()) < 1e-5 * float(alone.norm())
