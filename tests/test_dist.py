"""Ranks: one process is all of them, and what ranks did for their shares comes back in order."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from vlrl import dist
from vlrl.types import Problem, Text
from vlrl.verify.judge import judge_all


@pytest.fixture
def second_of_two(monkeypatch):
    """This process as rank 1 of 2; what rank 0 would send is what `theirs` holds."""
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    theirs: list = []
    monkeypatch.setattr(dist, "gather", lambda mine: [theirs.pop(0), mine])
    return theirs


def test_one_process_is_the_first_and_only_rank(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert (dist.rank(), dist.world(), dist.local_rank(), dist.is_first(), dist.launched()) == (0, 1, 0, True, False)
    assert dist.gather("mine") == ["mine"]
    assert dist.from_first(lambda: 7) == 7
    assert dist.spread([1, 2, 3], [[0, 1, 2]], lambda some: [2 * one for one in some]) == [2, 4, 6]
    dist.start()
    dist.barrier()
    dist.end()


def test_the_environment_of_a_launcher_says_who_is_who(second_of_two):
    assert (dist.rank(), dist.world(), dist.local_rank(), dist.is_first(), dist.launched()) == (1, 2, 1, False, True)


def test_a_launcher_with_one_process_is_one_process(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not dist.launched()


def test_every_rank_works_on_its_share_and_gets_all_results_in_order(second_of_two):
    second_of_two.append(["b", "d"])
    asked = []
    found = dist.spread("abcd", [[1, 3], [0, 2]], lambda some: asked.extend(some) or list(some))
    assert asked == ["a", "c"]
    assert found == ["a", "b", "c", "d"]


def test_a_rank_without_a_share_does_no_work(second_of_two):
    second_of_two.append(["A", "B"])
    assert dist.spread("ab", [[0, 1], []], lambda some: pytest.fail("worked")) == ["A", "B"]


def test_verdicts_of_all_ranks_are_in_order(second_of_two):
    problems = [Problem((Text("?"),), str(n), "number", "text", "tests") for n in range(3)]
    second_of_two.append(["verdicts of 0", "verdicts of 2"])
    first, own, last = judge_all([(one, [f"<answer>{n}</answer>", "none"]) for n, one in enumerate(problems)])
    assert (first, last) == ("verdicts of 0", "verdicts of 2")
    assert [verdict.correct for verdict in own] == [True, False]


LATE = """
import atexit, os
from torch import distributed
from vlrl import dist

class Held:
    def __del__(self, write=os.write):  # bound here: a module's names are gone by then
        write(1, b"finalised\\n")

dist.start()
kept = distributed.distributed_c10d._get_default_group()  # as a library does
held = Held()
atexit.register(os.write, 1, b"handlers ran\\n")  # in one piece: the ranks share a stream
dist.gather(dist.rank())
dist.leave()
"""


def test_a_rank_leaves_with_its_exit_handlers_run_and_without_finalisation(tmp_path):
    (tmp_path / "late.py").write_text(LATE)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    root = os.path.dirname(os.path.dirname(__file__))
    variables = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [*launcher, str(tmp_path / "late.py")], env=variables, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("handlers ran") == 2  # torch 2.9's Gloo speaks in between
    assert "finalised" not in ended.stdout


def test_one_process_does_not_leave(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    dist.leave()
