"""Engine, trainer and a plain forward pass of transformers give every sampled token the same log-probability."""

from __future__ import annotations

import pytest
import torch
from small_models import ask, encode, pixels, plain_logprobs, prompts

from vlrl.model.batch.example import Example
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine, TransformersEngineSettings

K = 3


def roll_out(loaded, temperature, **settings):
    """Prompts with 0 to 3 images in one batch, K responses each."""
    encoded = encode(loaded, *[ask(*pieces) for pieces in prompts()])
    sampling = Sampling(temperature=temperature, max_tokens=12)
    engine = TransformersEngine(loaded, TransformersEngineSettings(**settings))
    requests = [Request(one, K, sampling, seed) for seed, one in enumerate(encoded)]
    return encoded, engine.generate(requests)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_engine_trainer_and_plain_forward_agree_with_zero_to_three_images(
    loaded, architecture, model_folders, temperature
):
    encoded, answers = roll_out(loaded, temperature)
    rows = [Example(one, tuple(r.token_ids for r in rollouts)) for one, rollouts in zip(encoded, answers, strict=True)]
    trainer = TorchPolicy(loaded, PolicySettings()).logprobs(rows, temperature)
    for pieces, rollouts, by_trainer in zip(prompts(), answers, trainer, strict=True):
        for rollout, mine in zip(rollouts, by_trainer, strict=True):
            assert rollout.sampler_logprobs == pytest.approx(mine, abs=1e-5)
        attention = "eager" if len(pieces) == 2 else "sdpa"
        plain = plain_logprobs(
            model_folders[architecture],
            attention,
            pieces,
            rollouts[0].token_ids,
            loaded.placeholder_ids,
            temperature,
        )
        assert rollouts[0].sampler_logprobs == pytest.approx(plain, abs=1e-5)


def test_greedy_logprobs_are_those_at_temperature_one(loaded, architecture, model_folders):
    _, answers = roll_out(loaded, 0.0)
    pieces, rollout = prompts()[2], answers[2][0]
    plain = plain_logprobs(model_folders[architecture], "sdpa", pieces, rollout.token_ids, loaded.placeholder_ids)
    assert rollout.sampler_logprobs == pytest.approx(plain, abs=1e-5)


def test_what_the_image_shows_changes_the_logprobs(loaded):
    """Otherwise the tests above could not see a lost or exchanged image."""
    encoded = encode(loaded, ask(pixels(1), pixels(2), "red"), ask(pixels(2), pixels(1), "red"))
    first, second = TorchPolicy(loaded, PolicySettings()).logprobs([Example(e, ((20, 30, 40),)) for e in encoded], 1.0)
    assert max(abs(a - b) for a, b in zip(first[0], second[0], strict=True)) > 0.05


def test_the_distribution_is_far_from_uniform(loaded):
    """Otherwise equal log-probabilities would prove little."""
    _, answers = roll_out(loaded, 1.0)
    values = torch.tensor([value for rollouts in answers for r in rollouts for value in r.sampler_logprobs])
    assert float(values.std()) > 0.5


def test_waves_and_removed_rows_change_no_number(loaded):
    """One request a wave against all in one; finished rows cut out at once against never."""
    _, together = roll_out(loaded, 1.0, drop_share=1.0)
    _, apart = roll_out(loaded, 1.0, max_num_seqs=1, drop_share=0.0)
    for one, other in zip(together, apart, strict=True):
        for a, b in zip(one, other, strict=True):
            assert a.token_ids == b.token_ids
            assert a.sampler_logprobs == pytest.approx(b.sampler_logprobs, abs=1e-5)


def test_logits_made_in_chunks_give_the_same_logprobs(loaded, monkeypatch):
    encoded = encode(loaded, ask(*prompts()[1]))
    row = Example(encoded[0], ((20, 21, 22, 23, 24), (30, 31)))
    policy = TorchPolicy(loaded, PolicySettings())
    whole = policy.logprobs([row], 1.0)
    monkeypatch.setattr("vlrl.model.training.logprobs.CHUNK_LOGITS", 2 * loaded.model.lm_head.weight.shape[0])
    assert [v for r in policy.logprobs([row], 1.0)[0] for v in r] == pytest.approx(
        [v for r in whole[0] for v in r], abs=1e-6
    )


def test_scoring_in_chunks_never_holds_the_logits_of_all_tokens(qwen3, monkeypatch):
    """The largest tensor that a forward and backward pass makes, by every operation's output."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        size = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            for one in result if isinstance(result, tuple | list) else (result,):
                if isinstance(one, torch.Tensor) and one.untyped_storage().data_ptr() != weight:
                    self.size = max(self.size, one.numel())
            return result

    vocabulary = qwen3.model.lm_head.weight.shape[0]
    weight = qwen3.model.lm_head.weight.untyped_storage().data_ptr()
    (encoded,) = encode(qwen3, ask("3+4=?"))
    responses = tuple(tuple(20 + (i + j) % 100 for i in range(20)) for j in range(3))
    policy = TorchPolicy(qwen3, PolicySettings())
    found = []
    for chunk in (10**9, 8 * vocabulary):
        monkeypatch.setattr("vlrl.model.training.logprobs.CHUNK_LOGITS", chunk)
        with Largest() as largest:
            policy.logprobs([Example(encoded, responses)], 1.0)
        found.append(largest.size)
    assert found[0] == 60 * vocabulary
    assert found[1] < found[0] / 2  # what is left are the activations
