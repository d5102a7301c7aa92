"""Training sends a rollout's tokens to the experts that they went to, whatever its own routers would choose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_models import ask, build_spread, encode, fresh, pixels

from vlrl.config import load_settings
from vlrl.errors import ConfigError, EngineError
from vlrl.losses.loss_registry import losses
from vlrl.model.batch.example import Example, read_rollouts
from vlrl.model.experts.routed_tokens import given_experts, real_tokens
from vlrl.model.training.token_statistics import token_statistics
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.rollout.collector import AsksForRouting, collect
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.rollout.transformers.transformers_settings import TransformersEngineSettings
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.training.run_settings import RunSettings
from vlrl.types import Rollout

SAMPLING = Sampling(max_tokens=9)
PROMPTS = (("3+4=?",), (pixels(1, 48, 32), "How many cards?"))
MODELS = ("tiny-qwen3-vl-moe", "tiny-qwen3.5-moe")  # packed rows; a prompt read once, its state to each response


def nudge_routers(model, size: float, seed: int = 0) -> None:
    """Noise of `size` on what routers multiply with."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("mlp.gate.weight"):
                weight += size * torch.randn(weight.shape, generator=draw)


@pytest.fixture(scope="module", params=MODELS)
def loaded(request, tmp_path_factory):
    """Three of its four experts are all but equally likely: the last digits of the scores decide on two of them."""
    one = fresh(build_spread(request.param, tmp_path_factory.mktemp("experts") / "model"))
    with torch.no_grad():
        for name, weight in one.model.named_parameters():
            if name.endswith("mlp.gate.weight"):
                weight[1:3] = weight[0]
    nudge_routers(one.model, 1e-6)
    return one


@pytest.fixture(scope="module")
def groups(loaded):
    engine = AsksForRouting(TransformersEngine(loaded, TransformersEngineSettings(max_num_seqs=2)))
    problems = [ask(*pieces) for pieces in PROMPTS]
    return collect(lambda some: encode(loaded, *some), engine, problems, SAMPLING, 3, 0)


@pytest.fixture
def elsewhere(loaded):
    """The same model with routers that differ by less than bfloat16 tells apart, for the length of a test."""
    gates = [p for n, p in loaded.model.named_parameters() if n.endswith("mlp.gate.weight")]
    before = [p.detach().clone() for p in gates]
    nudge_routers(loaded.model, 1e-6, seed=1)
    yield loaded
    with torch.no_grad():
        for gate, old in zip(gates, before, strict=True):
            gate.copy_(old)


def rows_of(groups) -> list[Example]:
    return [replace(read_rollouts(group.encoded, group.rollouts), advantages=(1.0, -1.0, 0.5)) for group in groups]


def gap(groups, logprobs) -> float:
    """The largest difference between the engine's log-probabilities and these, in nats."""
    pairs = [
        (rollout.sampler_logprobs, mine)
        for group, by_trainer in zip(groups, logprobs, strict=True)
        for rollout, mine in zip(group.rollouts, by_trainer, strict=True)
    ]
    return max(float(np.abs(np.subtract(a, b)).max()) for a, b in pairs)


@pytest.mark.parametrize("packed", [False, True])
def test_replayed_logprobs_are_the_engines_where_routers_would_choose_others(elsewhere, groups, packed):
    rows = rows_of(groups)
    policy = TorchPolicy(elsewhere, PolicySettings(pack_sequences=packed))
    assert gap(groups, policy.logprobs(rows, 1.0)) < 1e-4
    assert gap(groups, policy.logprobs([row.freely_routed() for row in rows], 1.0)) > 1e-2


def test_a_row_that_is_cut_into_parts_takes_its_own_experts_along(elsewhere, groups):
    settings = PolicySettings(micro_batch_tokens=groups[1].encoded.num_tokens + 10)
    policy = TorchPolicy(elsewhere, settings)
    rows = rows_of(groups)
    assert len(policy._learning.split(rows[1])) == 3
    assert gap(groups, policy.logprobs(rows, 1.0)) < 1e-4


def test_every_token_that_was_read_has_two_experts_in_each_layer(groups):
    for group in groups:
        for rollout in group.rollouts:
            assert rollout.routing.prompt.shape == (group.encoded.num_tokens, 2, 2)
            assert rollout.routing.response.shape == (rollout.num_tokens, 2, 2)
            read = np.concatenate([rollout.routing.prompt, rollout.routing.response[:-1]])
            assert read.min() >= 0
            assert read.max() < 4
            assert (read[..., 0] != read[..., 1]).all()


def test_recording_changes_no_number_and_replaying_own_choices_next_to_none(loaded, groups):
    engine = TransformersEngine(loaded, TransformersEngineSettings(max_num_seqs=2))
    plain = collect(lambda some: encode(loaded, *some), engine, [ask(*p) for p in PROMPTS], SAMPLING, 3, 0)
    assert [group.rollouts for group in plain] == [group.rollouts for group in groups]
    assert all(rollout.routing is None for group in plain for rollout in group.rollouts)
    policy, rows = TorchPolicy(loaded, PolicySettings()), rows_of(groups)
    assert gap(groups, policy.logprobs(rows, 1.0)) < 1e-5


@pytest.mark.parametrize("checkpointed", [False, True])
def test_updates_replay_and_routers_learn_through_the_scores_of_the_given_experts(elsewhere, groups, checkpointed):
    model, rows = elsewhere.model, rows_of(groups)
    policy = TorchPolicy(elsewhere, PolicySettings())
    if checkpointed:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    try:
        loss, sums = losses.build("kimi"), policy.update([], losses.build("kimi"), 1.0, 0.0)
        for run, _ in policy._learning.micro_batches(rows, loss, 1.0, rows, sums):
            run().backward()
        batch = policy._learning._pack(rows)
        expected = np.zeros((2, 4), int)
        for given, real in zip(given_experts(rows, batch), real_tokens(rows, batch), strict=True):
            for layer in range(2):
                kept = given[real, layer]
                expected[layer] += np.bincount(kept[kept >= 0], minlength=4)
        short = sums.expert_load.tokens.sum() - expected.sum()  # last tokens of responses chose for themselves
        assert (sums.expert_load.tokens >= expected).all()
        assert short <= 2 * 2 * 6
        gates = [p.grad for n, p in model.named_parameters() if n.endswith("mlp.gate.weight")]
        assert all(one is not None and float(one.abs().max()) > 1e-6 for one in gates)
    finally:
        model.gradient_checkpointing_disable()
        model.zero_grad()


def test_responses_in_parts_are_noted_as_one_call_notes_them(loaded, groups):
    """What an earlier call noted stays, and the token that ended a turn is noted when it is read."""
    engine = TransformersEngine(loaded)
    requests = [Request(group.encoded, 3, SAMPLING, seed, record_routing=True) for seed, group in enumerate(groups)]
    whole = engine.generate(requests)
    begun: list[tuple[Rollout, ...]] = engine.generate([replace(one, new_tokens=4) for one in requests])
    assert all(r.routing.response[-1].max() == -1 for rollouts in begun for r in rollouts)
    parts = engine.generate([replace(one, resume_from=some) for one, some in zip(requests, begun, strict=True)])
    for a, b in zip(whole, parts, strict=True):
        for one, other in zip(a, b, strict=True):
            assert one.token_ids == other.token_ids
            assert (one.routing.response >= 0).all(-1).all(-1).sum() == max(one.num_tokens - 1, 0)
            assert (np.sort(one.routing.response) == np.sort(other.routing.response)).mean() > 0.9  # all but ties


def test_other_models_choose_by_themselves(elsewhere, groups):
    """A teacher or a frozen model has experts of its own."""
    rows, policy = rows_of(groups)[:1], TorchPolicy(elsewhere, PolicySettings())
    forward = policy._reading
    found = token_statistics(forward, rows, 1.0, {"logprobs", "teacher", "frozen"}, forward, {"frozen": forward})[0]
    freely = policy.logprobs([rows[0].freely_routed()], 1.0)[0]
    for name, expected in (("teacher", freely), ("frozen", freely), ("logprobs", policy.logprobs(rows, 1.0)[0])):
        for mine, theirs in zip(found[name], expected, strict=True):
            assert mine == pytest.approx(theirs, abs=1e-5), name


def test_a_model_without_experts_is_refused(qwen3):
    with pytest.raises(EngineError, match="no experts"):
        AsksForRouting(TransformersEngine(qwen3)).generate([Request(encode(qwen3, ask("1"))[0], 1, SAMPLING, 0)])
    settings = load_settings(RunSettings, "configs/quickstart.yaml", ["rl.replay_routing=true"])
    with pytest.raises(ConfigError, match=r"rl\.replay_routing: is true, but 'qwen3_vl' has no experts"):
        settings.check_model(qwen3.config, qwen3.device, 160, torch.float32)


def test_what_can_not_replay_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"engine 'vllm' doesn't say which experts"):
        load_settings(RunSettings, "configs/quickstart.yaml", ["engine=vllm", "rl.replay_routing=true"])
    with pytest.raises(ValueError, match="partial and replay_routing"):
        RlSettings(replay_routing=True, partial={"budget": 8})
