"""Utilisation over calls and engines by hand."""

from __future__ import annotations

import pytest

from vlrl.rollout.slot_utilization import SLOT_UTILISATION, SlotCount, mean_utilisation


def test_calls_are_weighted_by_their_slots_and_steps_and_read_once():
    count = SlotCount()
    count.add(written=30, steps=10, slots=4)
    count.add(written=10, steps=10, slots=1)
    assert count.pop_metrics() == {SLOT_UTILISATION: pytest.approx(40 / 50)}
    assert count.pop_metrics() == {}
    count.add(0, 0, 4)
    assert count.pop_metrics() == {}


def test_engines_that_told_nothing_are_left_out_of_the_mean():
    assert mean_utilisation([{SLOT_UTILISATION: 0.5}, {"pool/actors": 2.0}, {SLOT_UTILISATION: 1.0}]) == {
        SLOT_UTILISATION: 0.75
    }
    assert mean_utilisation([]) == {}
