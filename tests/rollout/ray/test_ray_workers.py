"""When a pool gives up on actors that die of the same thing again and again."""

from __future__ import annotations

import pytest

from vlrl.errors import EngineError
from vlrl.rollout.ray.ray_workers import Losses


@pytest.mark.parametrize("doing", ["load_weights", "sleep", "wake"])
def test_an_actor_that_opens_well_and_always_dies_of_what_comes_next_is_not_restarted_for_ever(doing):
    losses = Losses()
    for _ in range(2):
        losses.done("open")
        losses.lost(doing, 3, "out of memory")
    losses.done("open")
    with pytest.raises(EngineError, match=rf"3 in a row were lost while they {losses.NAMES[doing][5:]}: out of memory"):
        losses.lost(doing, 3, "out of memory")


def test_what_went_well_in_between_ends_the_row_and_a_request_s_actors_are_the_ledger_s():
    losses = Losses()
    for _ in range(5):
        losses.lost("sleep", 2, "killed")
        losses.done("sleep")
        losses.lost("generate", 1, "killed")
        losses.lost("abandoned", 1, "killed")
