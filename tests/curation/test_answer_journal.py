"""Answers on disk: what was judged before a kill is there after it, and nothing else."""

from __future__ import annotations

import pytest

from vlrl.curation.answer_journal import Journal
from vlrl.curation.stage import Answered
from vlrl.types import Rollout, Segment, Verdict

NAME = ("difficulty", "k1", "p1")
OTHER = ("difficulty", "k2", "p1")  # the same problem under other conditions


def answered(*scores: float) -> Answered:
    rollouts = tuple(
        Rollout((Segment((1, 2 + j), (0.0, 0.0), 0),), f"été {j}", "stop" if j else "length")
        for j, _ in enumerate(scores)
    )
    verdicts = tuple(Verdict(score, score == 1.0, "7", "close", parts={"color": 0.5}) for score in scores)
    return Answered(rollouts, verdicts)


def test_what_was_added_is_read_back_by_the_next_one(tmp_path):
    path = tmp_path / "answers.jsonl"
    Journal(path).add([(NAME, answered(1.0, 0.25)), (OTHER, answered(0.0))])
    again = Journal(path)
    assert again.get(NAME) == answered(1.0, 0.25)
    assert again.get(OTHER) == answered(0.0)
    assert again.get(("guess", "k1", "p1")) is None


def test_a_fault_stays_a_fault(tmp_path):
    path = tmp_path / "answers.jsonl"
    rollouts = answered(1.0).rollouts
    Journal(path).add([(NAME, Answered(rollouts, (Verdict.broken("server down"),)))])
    assert Journal(path).get(NAME).faults == ("server down",)


@pytest.mark.parametrize("cut", [1, 20])
def test_a_line_that_a_kill_cut_off_is_forgotten_and_the_one_before_it_is_not(tmp_path, cut):
    path = tmp_path / "answers.jsonl"
    Journal(path).add([(NAME, answered(1.0)), (OTHER, answered(0.0))])
    path.write_bytes(path.read_bytes()[:-cut])
    said: list[str] = []
    again = Journal(path, said.append)
    assert (again.get(NAME), again.get(OTHER)) == (answered(1.0), None)
    again.add([(OTHER, answered(0.5))])
    assert Journal(path).get(OTHER) == answered(0.5)
