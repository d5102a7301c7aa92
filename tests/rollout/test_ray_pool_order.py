"""What the pool makes of calls that end in an unlucky order, in a refusal or not at all: without Ray."""

from __future__ import annotations

import time
import warnings

import pytest
from ray_cases import Prompt, written
from stand_in_ray import StandInRay

from vlrl.errors import ConfigError, EngineError
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.ray import ray_pool
from vlrl.rollout.ray.ray_pool import RayPool, RayPoolSettings

REQUESTS = [Request(Prompt(f"p{i}"), 1, Sampling(max_tokens=20), i) for i in range(6)]


@pytest.fixture
def ray(monkeypatch):
    stand_in = StandInRay()
    monkeypatch.setattr(ray_pool, "RayCluster", lambda address, store: stand_in)
    return stand_in


@pytest.fixture
def opened(ray, qwen3):
    pools = []

    def open_pool(**settings):
        pools.append(RayPool(qwen3, RayPoolSettings(**settings)))
        return pools[-1]

    yield open_pool
    for pool in pools:
        pool.close()


def never():
    return False


def test_an_actor_that_opens_while_the_others_go_to_sleep_is_awake_when_it_is_asked_to_write(ray, opened):
    ray.held = {(1, "open"): never}
    pool = opened(actors=2)
    late = ray.actors[1]
    ray.held = {(0, "sleep"): lambda: "open" in late.done, (1, "sleep"): never}
    pool.sleep()
    assert late.done == ["open"], "it is on its way to sleep"
    ray.held = {}
    pool.wake()
    assert late.done == ["open", "sleep", "wake"]
    assert pool.generate(REQUESTS) == [written(request) for request in REQUESTS]
    assert pool.counts["lost"] == 0


def test_a_later_actor_that_refuses_to_open_costs_itself_and_not_the_run(ray, opened):
    ray.new = [{}, {"open": ConfigError("engine", "no room on this node")}]
    pool = opened(actors=2)
    assert pool.generate(REQUESTS) == [written(request) for request in REQUESTS]
    assert [actor.done[0] if actor.done else "" for actor in ray.actors] == ["open", "", "open"]
    assert (pool.counts["started"], pool.counts["lost"]) == (3, 1)


def test_an_actor_that_refuses_new_weights_is_replaced_by_one_that_has_them(ray, opened, qwen3):
    pool = opened(actors=2)
    pool.generate(REQUESTS)  # the second actor has opened, too
    ray.actors[1].raises["load_weights"] = EngineError("load_weights, shard 0", "its checksum is not the one")
    pool.load_weights(qwen3.model.named_parameters(), 7)
    assert pool.generate(REQUESTS) == [written(request, 7) for request in REQUESTS]
    assert "load_weights" in ray.actors[2].done
    assert pool.counts["lost"] == 1


def test_when_every_actor_refuses_new_weights_the_run_stops_and_says_why(ray, opened, qwen3):
    refusal = {"load_weights": EngineError("load_weights", "its checksum is not the one")}
    ray.new = [refusal] * 9
    pool = opened(actors=1, tries=2)
    with pytest.raises(EngineError, match=r"3 in a row were lost while they took weights: EngineError: .* checksum"):
        pool.load_weights(qwen3.model.named_parameters(), 7)


def test_what_the_first_actor_refuses_to_open_and_what_an_engine_refuses_to_write_is_the_callers(ray, opened):
    ray.new = [{"open": ConfigError("engine", "no heads of 16")}, {"generate": EngineError("request 0", "too long")}]
    with pytest.raises(ConfigError, match="no heads of 16"):
        opened(actors=1)
    pool = opened(actors=1)
    with pytest.raises(EngineError, match="request 0: too long"):
        pool.generate(REQUESTS)
    assert pool.counts["lost"] == 0


def test_actors_that_the_cluster_has_no_room_for_are_counted_apart_and_told_once(ray, opened):
    ray.held = {(1, "open"): never, (2, "open"): never}
    pool = opened(actors=3, start_timeout_seconds=0.02)
    time.sleep(0.03)
    with pytest.warns(
        UserWarning, match=r"2 of 3 actors .* not opened within 0\.02 s; the cluster has 1 CPU, 0 GPU free"
    ):
        pool.generate(REQUESTS)
    figures = pool.pop_metrics()
    assert (figures["pool/actors"], figures["pool/actors_starting"], figures["pool/actors_started"]) == (1, 2, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pool.generate(REQUESTS)
        ray.held = {}
        pool.generate(REQUESTS)
    figures = pool.pop_metrics()
    assert (figures["pool/actors"], figures["pool/actors_starting"]) == (3, 0)


def test_actors_that_opened_between_two_calls_are_not_late(ray, opened):
    ray.held = {(1, "open"): never, (2, "open"): never}
    pool = opened(actors=3, start_timeout_seconds=0.02)
    ray.held = {}
    time.sleep(0.03)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pool.generate(REQUESTS)


def test_an_actor_on_a_node_without_our_disk_is_sent_the_model_s_files(ray, opened):
    ray.far = {1}
    pool = opened(actors=2)
    assert pool.generate(REQUESTS) == [written(request) for request in REQUESTS]
    near, far = ray.actors
    assert near.files is None
    assert {"config.json", "model.safetensors"} <= set(far.files)


def test_an_answer_with_other_weights_than_the_pool_s_is_not_taken(ray, opened):
    pool = opened(actors=1)
    ray.actors[0].version = 3
    with pytest.raises(EngineError, match=r"an answer of version 3 \(transfer 0\) came, the weights are 0"):
        pool.generate(REQUESTS)
