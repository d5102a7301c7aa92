"""The longest predicted response gets to the engine first, and every token stays what it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_models import ask, encode, fresh, pixels

from vlrl.model.batch.example import Example
from vlrl.model.training.token_statistics import places_of
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.rollout.transformers.transformers_settings import TransformersEngineSettings
from vlrl.training.scheduling.length_head import LengthHeadSettings
from vlrl.training.scheduling.long_first import LongFirst
from vlrl.types import Group, Rollout, Segment

PROBLEMS = (
    ask("3+4=?"),
    ask(pixels(1), "How many?"),
    ask("a longer prompt: red and green and blue"),
    ask("What is left of the red card?"),
)
LENGTHS = (3, 12, 6, 9)


class Listening:
    """An engine that notes the order in which it is asked, and what it is told."""

    def __init__(self, engine):
        self.engine, self.asked = engine, []

    def generate(self, requests):
        self.asked = [(one.encoded.problem_id, one.expected_tokens) for one in requests]
        return self.engine.generate(requests)


@pytest.fixture(scope="module")
def loaded(model_folders):
    return fresh(model_folders["tiny-qwen3-vl"])


@pytest.fixture(scope="module")
def encoded(loaded):
    return encode(loaded, *PROBLEMS)


@pytest.fixture(scope="module")
def policy(loaded):
    return TorchPolicy(loaded, PolicySettings())


def rollout(length: int, finish_reason="stop") -> Rollout:
    return Rollout((Segment(tuple(20 + t for t in range(length)), (-1.0,) * length, 0),), "", finish_reason)


def groups(encoded):
    """Two responses each, of lengths that differ from problem to problem; one was cut and teaches nothing."""
    return [
        Group(problem, (rollout(length), rollout(length), rollout(30, "length")), one)
        for problem, length, one in zip(PROBLEMS, LENGTHS, encoded, strict=True)
    ]


@pytest.fixture(scope="module")
def taught(loaded, policy, encoded):
    lengths = LongFirst(LengthHeadSettings(gamma=0.95, updates=100), loaded, policy)
    lengths.expected([Request(one, 1, Sampling(), 0) for one in encoded])
    assert set(lengths.learn(groups(encoded))) == {"length_head/loss"}, "it begins without a view, so with no order"
    return lengths


def requests(encoded, k=3):
    return [Request(one, k, Sampling(max_tokens=12), 5 + i) for i, one in enumerate(encoded)]


def test_places_are_spread_evenly_from_the_first_token_on():
    assert places_of(10, 4) == [0, 2, 5, 7]
    assert places_of(3, 8) == [0, 1, 2]
    assert places_of(5, 1) == [0]


def test_states_are_those_of_the_places_however_rows_are_split(loaded, policy, encoded):
    """Row by row and response by response they are what one pass over all tokens gives; no gradient is made."""
    rows = [Example(one, ((20, 31, 44, 25), (26,))) for one in encoded[:2]]
    whole = policy.hidden_states(rows, 99)
    assert [tuple(states.shape) for states in whole] == [(5, whole[0].shape[1])] * 2
    some = TorchPolicy(loaded, PolicySettings(micro_batch_tokens=1)).hidden_states(rows, 2)
    for few, every in zip(some, whole, strict=True):
        assert torch.allclose(few, every[[0, 2, 4]], atol=1e-4)
        assert not few.requires_grad
    (alone,) = policy.hidden_states([Example(encoded[0], ((20,),))], 1)
    assert torch.allclose(alone, whole[0][:1], atol=1e-4), "the first place is the prompt's end"


def test_the_longest_predicted_is_asked_first_and_the_tokens_are_the_same(loaded, encoded, taught):
    """Two slots for twelve responses: the order is another, each answer stands where it was asked for."""
    engine = TransformersEngine(loaded, TransformersEngineSettings(max_num_seqs=2))
    asked = requests(encoded)
    plain = engine.generate(asked)
    listening = Listening(engine)
    ordered = taught.through(listening).generate(asked)
    by_length = sorted(range(4), key=lambda i: -LENGTHS[i])
    assert [name for name, _ in listening.asked] == [encoded[i].problem_id for i in by_length]
    told = [expected for _, expected in listening.asked]
    assert told == sorted(told, reverse=True) == pytest.approx(sorted(LENGTHS, reverse=True), rel=0.35)
    tokens = [[one.token_ids for one in answers] for answers in plain]
    assert len({one for answers in tokens for one in answers}) > 6
    assert [[one.token_ids for one in answers] for answers in ordered] == tokens
    assert [[one.text for one in answers] for answers in ordered] == [[one.text for one in a] for a in plain]


def test_what_is_begun_has_the_rest_to_come_and_what_has_ended_nothing(encoded, taught):
    (fresh_one,) = requests(encoded[1:2], 2)
    (whole,) = taught.expected([fresh_one])
    begun = replace(fresh_one, resume_from=(rollout(5, "unfinished"), rollout(8, "unfinished")))
    half = replace(fresh_one, resume_from=(rollout(5), rollout(8, "unfinished")))
    over = replace(fresh_one, resume_from=(rollout(5), rollout(40)))
    late = replace(fresh_one, resume_from=(rollout(40, "unfinished"), rollout(2)))
    assert taught.expected([begun, half, over, late]) == pytest.approx([whole - 5, whole - 8, 0.0, 1.0])


def test_a_step_says_how_well_its_order_was_predicted(loaded, policy, encoded, taught):
    again = LongFirst(LengthHeadSettings(gamma=0.95, updates=1), loaded, policy)
    again.load_state_dict(taught.state_dict())
    asked = requests(encoded)
    assert again.expected(asked) == taught.expected(asked)
    metrics = again.learn(groups(encoded))
    assert metrics["length_head/rank_correlation"] == pytest.approx(1.0)
    assert metrics["length_head/loss"] > 0
    assert "length_head/rank_correlation" not in again.learn(groups(encoded)), "nothing was predicted since"


def test_the_policy_learns_nothing_of_it(loaded, policy, encoded):
    before = {name: value.clone() for name, value in loaded.model.named_parameters()}
    LongFirst(LengthHeadSettings(), loaded, policy).learn(groups(encoded))
    assert all(torch.equal(before[name], value) for name, value in loaded.model.named_parameters())
    assert all(value.grad is None for value in loaded.model.parameters())
