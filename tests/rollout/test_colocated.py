"""Taking turns on one device: when the engine wakes and sleeps, with which weights, and what is told about it."""

from __future__ import annotations

import time

import pytest
import torch

from vlrl.rollout.colocated import STATM, ColocatedEngine, used_memory

CPU = torch.device("cpu")
WEIGHTS = [("w", 1)]


def weights():
    """A policy's."""
    return iter(WEIGHTS)


class Sleeper:
    """An engine that notes what it is told."""

    def __init__(self, wakes_in: float = 0.0, sleeps_in: float = 0.0) -> None:
        self.told: list[object] = []
        self.writes = False
        self._wakes_in, self._sleeps_in = wakes_in, sleeps_in

    def wake(self):
        time.sleep(self._wakes_in)
        self.told.append("wake")

    def sleep(self):
        time.sleep(self._sleeps_in)
        self.told.append("sleep")

    def generate(self, requests):
        self.told.append(list(requests))
        return []

    def pop_metrics(self):
        return {"rollout/slot_utilisation": 0.5} if self.writes else {}

    def load_weights(self, weights, version):
        self.told.append((list(weights), version))


def test_the_engine_wakes_with_the_weights_of_each_phase_and_sleeps_after_it():
    engine = Sleeper()
    colocated = ColocatedEngine(engine, CPU)
    colocated.to_training()  # nobody woke it
    assert engine.told == []
    colocated.to_rollout(weights, 3)
    assert engine.told == ["wake", (WEIGHTS, 3)]
    colocated.to_training()
    colocated.to_training()
    assert engine.told == ["wake", (WEIGHTS, 3), "sleep"]


def test_an_engine_that_started_by_being_asked_sleeps_before_training():
    engine = Sleeper()
    colocated = ColocatedEngine(engine, CPU)
    colocated.generate([])
    colocated.to_training()
    assert engine.told == [[], "sleep"]
    if STATM.is_file():
        assert set(colocated.pop_metrics()) == {
            "colocated/to_training_seconds",
            *(f"colocated/memory_{when}_gib" for when in ("training", "rollout", "after")),
        }


def test_an_engine_that_is_awake_takes_new_weights():
    engine = Sleeper()
    colocated = ColocatedEngine(engine, CPU)
    colocated.to_rollout(weights, 1)
    colocated.to_rollout(weights, 2)
    assert [told for told in engine.told if told != "wake"] == [(WEIGHTS, 1), (WEIGHTS, 2)]


def test_figures_are_the_seconds_of_all_switches_since_the_last_call_and_the_memory_beside_them():
    colocated = ColocatedEngine(Sleeper(wakes_in=0.05, sleeps_in=0.02), CPU)
    for _ in range(2):
        colocated.to_rollout(weights, 1)
        time.sleep(0.3)
        colocated.to_training()
    found = colocated.pop_metrics()
    assert 0.1 <= found["colocated/to_rollout_seconds"] < 0.6  # the phases themselves are not counted
    assert 0.04 <= found["colocated/to_training_seconds"] < 0.6
    if STATM.is_file():
        assert found["colocated/memory_training_gib"] > 0.05
        assert found["colocated/memory_rollout_gib"] > 0.05
        assert found["colocated/memory_after_gib"] > 0.05
    assert colocated.pop_metrics() == {}


def test_gathering_the_weights_is_part_of_the_switch_and_what_it_takes_is_not_the_trainer_s_memory():
    colocated, held = ColocatedEngine(Sleeper(), CPU), []

    def gathered():
        time.sleep(0.2)
        held.append(torch.ones(2**26))  # 256 MiB
        return weights()

    colocated.to_rollout(gathered, 1)
    found = colocated.pop_metrics()
    assert found["colocated/to_rollout_seconds"] >= 0.2
    if STATM.is_file():
        assert found["colocated/memory_rollout_gib"] - found["colocated/memory_training_gib"] > 0.2


def test_the_engine_s_own_figures_are_among_them():
    engine = Sleeper()
    engine.writes = True
    assert ColocatedEngine(engine, CPU).pop_metrics() == {"rollout/slot_utilisation": 0.5}


@pytest.mark.skipif(not STATM.is_file(), reason="/proc tells memory on Linux only")
def test_memory_that_is_taken_during_the_phase_is_seen():
    colocated = ColocatedEngine(Sleeper(), CPU)
    colocated.to_rollout(weights, 1)
    held = torch.ones(2**26)  # 256 MiB
    colocated.to_training()
    found = colocated.pop_metrics()
    assert found["colocated/memory_rollout_gib"] - found["colocated/memory_training_gib"] > 0.2
    del held
    now = used_memory(CPU)
    assert now is not None
    assert now / 2**30 < found["colocated/memory_rollout_gib"] - 0.2
