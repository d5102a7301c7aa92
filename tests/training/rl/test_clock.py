"""Seconds of a step by phase."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from vlrl.training.rl import clock as module
from vlrl.training.rl.clock import Clock


@pytest.fixture
def at(monkeypatch):
    """Sets the time that the clock reads."""
    now = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def set_to(seconds: float) -> None:
        now[0] = seconds

    return set_to


def test_phases_add_up_and_the_step_counts_what_is_in_none(at):
    at(10.0)
    clock = Clock()
    for start, stop, phase in ((10, 12, "rollout"), (13, 14, "judge"), (14, 16, "rollout")):
        at(start)
        with clock.phase(phase):
            at(stop)
    at(18.0)
    assert clock.metrics(response_tokens=100) == {
        "time/rollout_seconds": 4.0,
        "time/judge_seconds": 1.0,
        "time/step_seconds": 8.0,
        "tokens/rollout_per_second": 25.0,
    }


def test_a_phase_that_fails_is_booked(at):
    clock = Clock()
    with pytest.raises(KeyError), clock.phase("judge"):
        raise KeyError(at(3.0))
    assert clock.metrics(0)["time/judge_seconds"] == 3.0
