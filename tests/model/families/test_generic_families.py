"""Families without a file of their own give the numbers of transformers' plain forward pass, packed and sampled."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from generic_models import K, tried
from small_models import GENERIC, SHAPE, TEXTS, ask, encode, fresh, pixels

from vlrl.errors import ConfigError
from vlrl.model.batch.example import Example, Observations
from vlrl.model.batch.packing import pack
from vlrl.model.families.tested import TESTED, tested_table
from vlrl.model.load import save_model
from vlrl.model.optimization.parameter_groups import part_of
from vlrl.model.prompts.positions import PositionRule
from vlrl.model.tiny import build_tiny
from vlrl.model.training.logprobs import response_logprobs
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.model.vision.image_encoding import VisionTower
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine

NEEDS_TORCHVISION = {name for one in TESTED if one.torchvision for name in one.small}
TOKENS = 30  # beyond the small models' windows of 24
# 1e-5, and 2e-5 where a recurrence over tokens and sums over experts meet: 1.1e-5 of 5.35 at one token of 30 was seen,
# which is some twenty roundings of float32
BARS = {"qwen3_5_moe": 2e-5}


@pytest.fixture(scope="module", params=GENERIC)
def model(request, tmp_path_factory):
    if request.param in NEEDS_TORCHVISION and importlib.util.find_spec("torchvision") is None:
        pytest.skip("its processor needs torchvision, which the suite runs without")
    return tried(request.param, tmp_path_factory.mktemp("generic"))


@pytest.fixture(scope="module")
def answers(model):
    """K responses to each prompt, in one batch with 0 to 3 images."""
    engine = TransformersEngine(model.loaded)
    sampling = Sampling(max_tokens=TOKENS)
    return engine.generate([Request(one, K, sampling, seed) for seed, one in enumerate(model.encoded)])


def examples(model, answers):
    return [
        Example(one, tuple(rollout.token_ids for rollout in rollouts))
        for one, rollouts in zip(model.encoded, answers, strict=True)
    ]


def test_packed_rows_and_engine_give_the_logprobs_of_the_plain_forward_pass(model, answers):
    packed = TorchPolicy(model.loaded, PolicySettings()).logprobs(examples(model, answers), 1.0)
    bar = BARS.get(model.loaded.model.config.model_type, 1e-5)
    with torch.no_grad():
        for number, (rollouts, by_trainer) in enumerate(zip(answers, packed, strict=True)):
            for rollout, mine in zip(rollouts, by_trainer, strict=True):
                plain = model.forward(number, rollout.token_ids).tolist()
                assert mine == pytest.approx(plain, abs=bar)
                assert rollout.sampler_logprobs == pytest.approx(plain, abs=bar)


def test_frames_of_a_video_are_read_as_transformers_reads_them(model):
    frames = ("<0.5 seconds>", pixels(5, 24, 24), "<1.5 seconds>", pixels(6, 24, 24), "Which one is red?")
    shown = replace(model, asked=[frames], encoded=encode(model.loaded, ask(*frames)))
    response = (70, 80, 90)
    (found,) = TorchPolicy(model.loaded, PolicySettings()).logprobs([Example(shown.encoded[0], (response,))], 1.0)
    with torch.no_grad():
        assert found[0] == pytest.approx(shown.forward(0, response).tolist(), abs=1e-5)


def test_gradients_are_those_of_the_plain_forward_pass(model, answers):
    rows = examples(model, answers)[-3:-1]
    loaded, tower = model.loaded, VisionTower(model.loaded.model)
    loaded.model.requires_grad_(True)
    batch = pack(rows, PositionRule(loaded.model), 0, loaded.device)
    forbidden = torch.tensor(loaded.placeholder_ids)
    found = response_logprobs(loaded.model, tower, batch, tower.encode_images(batch.images), forbidden).logprobs
    plain = torch.cat([model.forward(n, r) for n, row in enumerate(rows, len(answers) - 3) for r in row.responses])
    weights = torch.linspace(-1.0, 2.0, len(found))
    gradients = [
        dict(zip(names, torch.autograd.grad((weights * value).sum(), parameters, allow_unused=True), strict=True))
        for value, one in ((found, loaded.model), (plain, model.plain))
        for names, parameters in [zip(*one.named_parameters(), strict=True)]
    ]
    mine, expected = ({name: g for name, g in one.items() if g is not None} for one in gradients)
    assert mine.keys() == expected.keys()
    assert {part_of(name) for name in mine} == {"vision", "projector", "language"}
    whole = torch.stack([g.norm() for g in expected.values()]).norm()
    for name, gradient in mine.items():
        assert float((gradient - expected[name]).norm()) < 1e-5 * float(whole), name


def test_an_image_that_an_environment_shows_is_read_behind_the_response(model):
    """As it would be with what came before it as the prompt."""
    if model.name == "tiny-paligemma2":
        pytest.skip("its prompt reads itself in both directions, a response doesn't")
    prompt, shown = model.encoded[-3], model.encoded[-2]
    begun, more = (70, 80, 90), (75, 65, 95, 85)
    ids, types = (*begun, *shown.token_ids), (*(0,) * len(begun), *shown.token_types)
    written = (*(True,) * len(begun), *(False,) * shown.num_tokens, *(True,) * len(more))
    seen = Observations(written, (*types, *(0,) * len(more)), shown.images)
    responses = ((*ids, *more), (66, 77, 88))
    example = Example(prompt, responses, observations=(seen, None))
    policy = TorchPolicy(model.loaded, PolicySettings())
    (found,) = policy.logprobs([example], 1.0)
    (alone,) = policy.logprobs([Example(prompt.followed_by(ids, types, shown.images), (more,))], 1.0)
    assert found[0][-len(more) :] == pytest.approx(alone[0], abs=2e-5)
    assert set(found[0][len(begun) : -len(more)]) == {0.0}


def test_a_response_cut_into_calls_and_a_model_saved_and_read_again_are_the_same(model, answers, tmp_path):
    save_model(model.loaded, tmp_path / "again")
    engine = TransformersEngine(fresh(tmp_path / "again"))
    requests = [Request(one, K, Sampling(max_tokens=TOKENS), seed) for seed, one in enumerate(model.encoded)]
    cut = [replace(one, new_tokens=number + 3) for number, one in enumerate(requests)]
    first = engine.generate(cut)
    second = engine.generate([replace(r, resume_from=b) for r, b in zip(requests, first, strict=True)])
    for once, twice in zip(answers, second, strict=True):
        assert [r.token_ids for r in once] == [r.token_ids for r in twice]
        for one, other in zip(once, twice, strict=True):
            assert one.sampler_logprobs == pytest.approx(other.sampler_logprobs, abs=2e-5)


def test_a_context_that_does_not_hold_the_check_is_refused_at_the_models_place(tmp_path):
    folder = build_tiny("tiny-internvl", TEXTS, tmp_path / "model", 0, SHAPE.model_copy(update={"context": 200}))
    said = (
        r"model\.path: 'internvl' can't be checked with an image of 96×64 pixels: its prompt takes [\s\S]*model.context"
    )
    with pytest.raises(ConfigError, match=said):
        fresh(folder, context=20)


def test_the_page_of_models_has_the_table_of_what_was_tested():
    page = (Path(__file__).parents[3] / "docs" / "models.md").read_text()
    assert "\n".join(tested_table()) in page


def test_every_small_model_is_of_one_tested_family():
    names = [name for one in TESTED for name in one.small]
    assert len(names) == len(set(names))
    assert set(GENERIC) <= set(names)
