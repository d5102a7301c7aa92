"""Pieces by cost, each request delivered once, deadly requests named: without Ray."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from vlrl.errors import EngineError
from vlrl.rollout.ray.work_queue import WorkQueue, pieces
from vlrl.types import Rollout


def answer(number):
    return (Rollout((), f"response {number}", "stop"),)


def test_pieces_are_of_like_cost_and_the_costliest_comes_first():
    # longest first: 9 | 7 | 6; then 5 joins 6, 4 joins 7, 2 joins 9 (all three weigh 11), and 1 the first of them
    assert pieces([4, 9, 2, 7, 1, 5, 6], 3) == [(1, 2, 4), (0, 3), (5, 6)]
    assert pieces([5, 5], 8) == [(0,), (1,)]
    assert pieces([], 4) == []


def test_every_request_is_in_exactly_one_piece():
    draw = random.Random(0)
    for _ in range(50):
        costs = [draw.randint(1, 1000) for _ in range(draw.randint(1, 40))]
        shared = pieces(costs, draw.randint(1, 9))
        assert sorted(number for piece in shared for number in piece) == list(range(len(costs)))
        loads = [sum(costs[n] for n in piece) for piece in shared]
        assert max(loads) <= min(loads) + max(costs)


def test_with_actors_lost_at_random_every_request_is_delivered_once_and_in_order():
    draw = random.Random(1)
    for _ in range(100):
        count = draw.randint(1, 30)
        ledger = WorkQueue([str(n) for n in range(count)], pieces([1] * count, draw.randint(1, 6)), tries=1000)
        working = []
        while not ledger.done:
            while len(working) < 3 and (piece := ledger.next()) is not None:
                working.append(piece)
            piece = working.pop(draw.randrange(len(working)))
            if draw.random() < 0.4:
                ledger.lost(piece, "killed")
            else:
                ledger.deliver(piece, [answer(number) for number in piece])
        assert working == []
        assert ledger.next() is None
        assert ledger.answers() == [answer(number) for number in range(count)]


def test_a_second_answer_to_a_request_is_refused():
    ledger = WorkQueue(["a", "b"], [(0, 1)], tries=3)
    ledger.deliver((0, 1), [answer(0), answer(1)])
    with pytest.raises(EngineError, match="request 1 was answered twice"):
        ledger.deliver((1,), [answer(1)])
    with pytest.raises(EngineError, match="1 answers to 2 requests"):
        WorkQueue(["a", "b"], [(0, 1)], tries=3).deliver((0, 1), [answer(0)])


def test_a_deadly_request_is_soon_alone_and_named_and_the_others_are_not_blamed():
    ledger = WorkQueue([f"p{n}" for n in range(8)], [tuple(range(8))], tries=3)
    deaths = []

    def work():
        while (piece := ledger.next()) is not None:
            if 5 in piece:
                deaths.append(piece)
                ledger.lost(piece, "out of memory")
            else:
                ledger.deliver(piece, [answer(number) for number in piece])

    with pytest.raises(EngineError, match=r"request 5, problem p5: lost 3 actors .*: out of memory"):
        work()
    assert [len(piece) for piece in deaths] == [8, 4, 2, 1, 1, 1]


def test_a_process_that_reads_the_ledger_loads_no_torch():
    code = "import sys; from vlrl.rollout.ray import work_queue; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
