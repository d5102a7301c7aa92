"""Requests over ranks: shared out by cost, answered in order; one engine for all where it has processes of its own."""

from __future__ import annotations

import pytest
import torch
from small_models import ask, encode, pixels

from vlrl import dist
from vlrl.errors import ConfigError
from vlrl.rollout.distributed_engine import FirstRanksEngine, SharedEngine, check_engine, open_engine
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.engine_registry import EngineCapabilities
from vlrl.rollout.ray.ray_pool import RayPoolSettings
from vlrl.rollout.transformers.transformers_engine import TransformersEngine, TransformersEngineSettings


@pytest.fixture
def first_of_two(monkeypatch):
    """This process as rank 0 of 2."""
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")


def requests(loaded):
    problems = [ask("3+4=?"), ask(pixels(1, 64, 64), "How many?"), ask("red and green and blue"), ask("left")]
    return [Request(one, 2, Sampling(max_tokens=4), i) for i, one in enumerate(encode(loaded, *problems))]


def test_alone_the_engine_is_the_engine_itself(qwen3):
    assert isinstance(open_engine(TransformersEngineSettings(), qwen3), TransformersEngine)


def test_shares_cover_all_requests_and_answers_are_those_of_one_engine(qwen3, first_of_two, monkeypatch):
    given = requests(qwen3)
    alone = TransformersEngine(qwen3)
    shared = open_engine(TransformersEngineSettings(), qwen3)
    assert isinstance(shared, SharedEngine)
    held = {}

    def spread(items, shares, work, together, everywhere):
        held["shares"] = shares
        by_place = {
            i: one for places in shares for i, one in zip(places, work([items[i] for i in places]), strict=True)
        }
        return [by_place[i] for i in range(len(items))]

    monkeypatch.setattr(dist, "spread", spread)
    found = shared.generate(given)
    assert sorted(i for places in held["shares"] for i in places) == [0, 1, 2, 3]
    assert [1] in held["shares"], "the request with an image is the dearest"
    assert [[r.token_ids for r in one] for one in found] == [
        [r.token_ids for r in one] for one in alone.generate(given)
    ]
    assert [{r.content_hash for r in one} for one in found] == [{one.encoded.content_hash} for one in given]


def test_a_pool_is_opened_by_the_first_rank_alone(qwen3, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(RayPoolSettings, "open", lambda *_: pytest.fail("a second pool"))
    engine = open_engine(RayPoolSettings(), qwen3)
    assert isinstance(engine, FirstRanksEngine)
    monkeypatch.setattr(dist, "from_first", lambda make: "what the first rank sent")
    assert engine.generate(requests(qwen3)) == "what the first rank sent"
    engine.load_weights([], 1)
    engine.sleep()
    engine.wake()
    engine.close()


def test_ranks_that_are_one_engine_get_the_same_requests_and_an_engine_in_step_is_called_without_any(
    qwen3, first_of_two, monkeypatch
):
    given, calls, own = requests(qwen3), [], TransformersEngine(qwen3)
    monkeypatch.setattr(own, "generate", lambda some: calls.append(len(some)) or [() for _ in some])
    monkeypatch.setattr(dist, "gather", lambda mine: [mine, mine])
    for together, asked, expected in ((1, [], 0), (2, given, 4)):
        engine = SharedEngine(own, qwen3, EngineCapabilities(in_step=True, ranks_per_engine=together))
        monkeypatch.setenv("RANK", "1")
        engine.generate(asked)
        assert calls.pop() == expected
    SharedEngine(own, qwen3, EngineCapabilities()).generate([])
    assert not calls


def test_the_library_of_a_pools_inner_engine_is_asked_for_too(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "vllm" else name)
    check_engine(RayPoolSettings())
    with pytest.raises(ConfigError, match=r"engine.engine: 'vllm' is not installed"):
        check_engine(RayPoolSettings(engine={"name": "vllm"}))


def test_a_pools_inner_engine_is_asked_about_the_actors_device(qwen3):
    inner = {"name": "vllm", "sleep": "release"}
    RayPoolSettings(engine=inner, gpus_per_actor=1).check(qwen3.config, torch.device("cpu"), 64, torch.float32)
    with pytest.raises(ConfigError, match="no heads of 16"):
        RayPoolSettings(engine=inner).check(qwen3.config, torch.device("cuda"), 64, torch.float32)
