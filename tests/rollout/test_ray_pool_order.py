"""What the pool makes of calls that end in an unlucky order or not at all: without Ray."""

from __future__ import annotations

import pytest
from ray_cases import Prompt, written
from stand_in_ray import StandInRay

from vlrl.rollout import ray_pool
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.ray_pool import RayPool, RayPoolSettings

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
