"""The pool under real kills, resizes, deadly requests and changing weights; actors are processes of a real cluster."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from dataclasses import replace

import pytest
import torch
from ray_cases import LightActor, Prompt, TracedEngineSettings, alive, served, started, working, written
from small_models import fresh

from vlrl.config import build_settings
from vlrl.errors import ConfigError, EngineError
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.ray import ray_pool
from vlrl.rollout.ray.ray_pool import RayPoolSettings
from vlrl.training.run_settings import RunSettings

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def loaded(model_folders):
    return fresh(model_folders["tiny-qwen3-vl"])


@pytest.fixture(scope="module")
def requests():
    return [Request(Prompt(f"p{i}", 10 + i), 2, Sampling(max_tokens=20), i) for i in range(24)]


@pytest.fixture
def opened(ray_cluster, loaded, tmp_path, monkeypatch):
    """Opens a pool of traced engines in light actors; their notes lie in tmp_path."""
    pools = []
    monkeypatch.setattr(ray_pool, "RolloutActor", LightActor)

    def open_pool(actors=2, traced=None, **settings):
        engine = TracedEngineSettings(folder=str(tmp_path), **(traced or {}))
        pools.append(RayPoolSettings(actors=actors, engine=engine, cpus_per_actor=0.1, **settings).open(loaded))
        return pools[-1]

    yield open_pool
    for pool in pools:
        pool.close()


def expected(requests, version=0):
    return [written(request, version) for request in requests]


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come true"
        time.sleep(0.05)


def test_twenty_killed_actors_lose_and_double_nothing(opened, loaded, requests, tmp_path):
    pool = opened(actors=3, traced={"seconds": 0.05}, tries=20)
    draw, killed, over = random.Random(0), [], threading.Event()

    def kill():
        while len(killed) < 20 and not over.is_set():
            time.sleep(draw.uniform(0.0, 0.3))
            victims = [pid for pid in working(tmp_path) if pid not in killed]
            if victims:
                victim = draw.choice(victims)
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)

    killer = threading.Thread(target=kill)
    killer.start()
    calls = delivered = 0
    try:
        while killer.is_alive():
            found = pool.generate(requests)
            assert found == expected(requests)
            delivered += len(found)
            calls += 1
    finally:
        over.set()
        killer.join()
    assert pool.generate(requests) == expected(requests)
    assert len(killed) == 20
    assert delivered == calls * len(requests)
    assert pool.counts["delivered"] == delivered + len(requests)
    assert pool.counts["lost"] >= 20  # a machine under load may lose one of its own accord
    assert pool.counts["redone"] > 0, "no kill hit an actor at work"


def test_a_deadly_request_is_named_after_a_bounded_number_of_tries(opened, requests):
    deadly = requests[7].encoded.problem_id
    pool = opened(traced={"deadly": deadly}, tries=2)
    with pytest.raises(EngineError, match=f"request 7, problem {deadly}: lost 2 actors"):
        pool.generate(requests[:12])
    assert pool.counts["lost"] <= 3 + 2  # a piece of at most 3 is halved twice at most
    others = [r for r in requests if r.encoded.problem_id != deadly]
    assert len(pool.generate(others)) == len(others)  # the pool itself is well


def test_a_request_at_which_the_engine_breaks_is_named_with_the_cause(opened, requests):
    broken = requests[3].encoded.problem_id
    pool = opened(traced={"broken": broken}, tries=1)
    with pytest.raises(EngineError, match=rf"request 3, problem {broken}.*RuntimeError: the device fell over"):
        pool.generate(requests[:4])


def test_when_every_actor_dies_at_its_start_the_error_says_so(opened):
    with pytest.raises(EngineError, match="all actors are dead: 3 in a row were lost while they started"):
        opened(actors=1, traced={"dies_at_start": True}, tries=2)


@pytest.mark.parametrize("at", ["sleep", "generate"])
def test_an_engine_that_says_that_it_broke_costs_its_actor_and_not_the_run(opened, requests, at):
    pool = opened(actors=1, traced={"fails_once_at": at}, tries=2)
    pool.sleep()
    pool.wake()
    assert pool.generate(requests) == expected(requests)
    figures = pool.pop_metrics()
    assert (figures["pool/actors"], figures["pool/actors_started"], figures["pool/actors_lost"]) == (1, 2, 1)
    assert (figures["pool/requests_redone"] > 0) == (at == "generate")
    assert figures["rollout/slot_utilisation"] == 0.5


def test_an_engine_that_always_breaks_when_it_sleeps_is_given_up(opened):
    pool = opened(actors=1, traced={"dies_asleep": True}, tries=2)
    with pytest.raises(EngineError, match="3 in a row were lost while they went to sleep"):
        pool.sleep()


def test_only_the_last_pieces_may_leave_responses_early(opened, requests, tmp_path):
    """A response of a piece that waits could take the slot of one that is left."""
    pool = opened(actors=1, pieces_per_actor=3)
    pool.generate([replace(request, early_exit_below=0.8) for request in requests])
    allowed = [line for line in served(tmp_path) if line.startswith("may leave")]
    assert 0 < len(allowed) < len(requests)


def test_actors_that_the_cluster_has_no_room_for_are_an_error_that_says_what_is_free(opened):
    with pytest.raises(EngineError, match=r"no actor was ready within .* CPU"):
        opened(actors=1, resources_per_actor={"tpu_of_the_future": 1}, start_timeout_seconds=2)


def test_the_pool_grows_and_shrinks_while_requests_are_answered(opened, loaded, requests, tmp_path):
    control = tmp_path / "actors"
    pool = opened(actors=1, traced={"seconds": 0.2}, resize_file=str(control), pieces_per_actor=12)
    done = []
    working = threading.Thread(target=lambda: done.append(pool.generate(requests * 6)))
    working.start()
    control.write_text("3\n")
    wait_for(lambda: len(alive(tmp_path)) == 3)
    control.write_text("1\n")
    wait_for(lambda: len(alive(tmp_path)) == 1)
    assert working.is_alive(), "the call ended before the pool had changed"
    (tmp_path / "hurry").touch()
    working.join()
    assert done[0] == expected(requests * 6)
    assert len(started(tmp_path)) == 3
    assert (pool.size, pool.counts["redone"], pool.counts["lost"]) == (1, 0, 0)
    control.write_text("many")
    with pytest.warns(UserWarning, match="'many', not a number of actors; 1 stay"):
        pool.generate(requests[:1])
    with pytest.raises(EngineError, match="0 actors"):
        pool.resize(0)


def test_a_replaced_actor_has_the_newest_weights_before_it_answers_and_sleeps_with_the_others(
    opened, loaded, requests, tmp_path
):
    pool = opened(actors=1, shard_mib=1)
    weights = dict(loaded.model.named_parameters())
    for version in (4, 9):
        pool.load_weights(weights.items(), version)
    os.kill(alive(tmp_path)[0], signal.SIGKILL)
    found = pool.generate(requests)
    assert found == expected(requests, version=9)
    last = max(started(tmp_path), key=lambda pid: (tmp_path / f"started_{pid}").stat().st_mtime_ns)
    assert (tmp_path / f"served_{last}").read_text().splitlines()[0] == f"weights 9 {len(weights)}"
    pool.sleep()
    assert len(list(tmp_path.glob("asleep_*"))) == 1
    pool.wake()
    assert not list(tmp_path.glob("asleep_*"))


def test_weights_that_do_not_fit_leave_the_old_ones_in_place(opened, loaded, requests):
    pool = opened(actors=1)
    weights = dict(loaded.model.named_parameters())
    pool.load_weights(weights.items(), 3)
    for wrong, said in (
        ({**weights, "model.nothing": torch.zeros(1)}, "no parameter 'model.nothing'"),
        (dict(list(weights.items())[1:]), "1 parameters are missing"),
    ):
        with pytest.raises(EngineError, match=said):
            pool.load_weights(wrong.items(), 4)
    assert pool.version == 3
    assert pool.generate(requests[:2]) == expected(requests[:2], version=3)


def test_answers_to_an_interrupted_call_are_not_taken_for_those_of_the_next(opened, loaded, requests, monkeypatch):
    pool = opened(traced={"seconds": 0.3})
    wait, rounds = pool._ray.wait, []

    def interrupted(*arguments, **more):
        rounds.append(1)
        if len(rounds) == 2:
            raise KeyboardInterrupt
        return wait(*arguments, **more)

    monkeypatch.setattr(pool._ray, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pool.generate(requests[:8])
    assert pool.generate(requests[8:12]) == expected(requests[8:12])


def test_requests_reach_the_actors_once_each_where_nothing_goes_wrong(opened, requests, tmp_path):
    pool = opened(actors=2)
    assert pool.generate([]) == []
    pool.generate(requests)
    lines = [line.split()[0] for line in served(tmp_path)]
    assert sorted(lines) == sorted(r.encoded.problem_id for r in requests)


def test_a_closed_pool_says_so(opened, requests, tmp_path):
    pool = opened(actors=1)
    pool.close()
    pool.close()
    wait_for(lambda: not alive(tmp_path))
    with pytest.raises(EngineError, match="was closed"):
        pool.generate(requests)


def test_settings_are_written_in_a_config_and_mistakes_are_named():
    held = build_settings(
        RunSettings,
        {"name": "x", "data": "d", "model": {"build": "tiny-qwen3-vl"}, "engine": {"name": "ray", "actors": 4}},
        "c.yaml",
    )
    assert held.model_dump(mode="json")["engine"]["engine"]["name"] == "transformers"
    with pytest.raises(ConfigError, match="is a pool again"):
        RayPoolSettings(engine="ray")
    with pytest.raises(ConfigError, match="a cluster of our own"):
        RayPoolSettings(address="auto", object_store_gib=1)
