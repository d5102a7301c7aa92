"""The updates of one RL step: what is told of them, however the step is cut into updates."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from small_models import ask, encode, fresh, pixels

from vlrl.model.batch.example import Example
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.model.training.update_metrics import UpdateMetrics
from vlrl.training.rl.learn import learn
from vlrl.training.rl.rl_settings import RlSettings

OFFSETS = {"text": 0.5, "synthetic": 0.25, "real": 0.0}


@pytest.fixture(scope="module")
def read(model_folders):
    """A policy, and an example of each modality whose engine was off by OFFSETS at every token."""
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    policy = TorchPolicy(loaded, PolicySettings())
    prompts = encode(loaded, ask("3+4=?"), ask(pixels(1), "How many?"), ask(pixels(2), "red?"))
    rows = [Example(one, (tuple(range(30, 32 + 2 * i)),)) for i, one in enumerate(prompts)]
    return policy, [
        replace(
            row,
            advantages=(1.0,),
            old_logprobs=own,
            sampler_logprobs=(tuple(p + off for p in own[0]),),
            origins=(((name, len(own[0])),),),
        )
        for (name, off), row, own in zip(OFFSETS.items(), rows, policy.logprobs(rows, 1.0), strict=True)
    ]


@pytest.mark.parametrize("updates", [1, 3])
def test_the_gap_of_a_modality_does_not_depend_on_the_number_of_updates(read, updates):
    policy, examples = read
    found = learn(policy, examples, RlSettings(updates_per_step=updates), 0, 1e-9, seed=0)
    assert found["updates"] == updates
    assert {name: found[f"logprob_gap/{name}"] for name in OFFSETS} == pytest.approx(OFFSETS, abs=1e-5)
    assert found["logprob_gap/max"] == pytest.approx(0.5, abs=1e-5)
    assert found["logprob_gap/mean"] == pytest.approx((2 * 0.5 + 4 * 0.25) / 12, abs=1e-5)
    assert found["logprob_gap/compared_tokens"] == 12


@pytest.mark.parametrize("updates", [1, 2, 3])
def test_skipped_examples_are_dealt_to_the_updates_of_every_epoch(read, updates):
    _, examples = read
    dealt, sums = [], UpdateMetrics()
    policy = SimpleNamespace(update=lambda chosen, loss, temperature, scale, left: dealt.append(left) or sums)
    settings = RlSettings(updates_per_step=updates, epochs_per_step=2)
    learn(policy, examples, settings, 0, 1.0, 0, skipped=examples[:2])
    assert len(dealt) == 2 * updates
    for epoch in (dealt[:updates], dealt[updates:]):
        assert sorted(id(one) for left in epoch for one in left) == sorted(map(id, examples[:2]))
        assert max(map(len, epoch)) - min(map(len, epoch)) <= 1


def test_a_step_with_nothing_to_learn_says_that_it_compared_nothing(read):
    found = learn(read[0], [], RlSettings(updates_per_step=3), 0, 1.0, seed=0)
    assert found == {"updates": 0.0, "groups/trained": 0.0, "logprob_gap/compared_tokens": 0.0}
