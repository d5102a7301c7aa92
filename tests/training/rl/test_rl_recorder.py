"""Which groups of a step a run shows in rollouts.jsonl."""

from __future__ import annotations

from dataclasses import replace

from vlrl.training.rl.rl_recorder import shown
from vlrl.types import Group, Problem, Rollout, ScoredGroup, Segment, Text, Verdict


def group(number: int, modality: str, informative: bool) -> ScoredGroup:
    problem = Problem((Text(f"{number}?"),), "7", "number", modality, "tests")
    rollouts = (Rollout((Segment((1,), (-1.0,), 0),), "7", "stop"),) * 2
    scored = ScoredGroup.of(Group(problem, rollouts), (Verdict.right("7"), Verdict.wrong("no")))
    return replace(scored, advantages=(0.5, -0.5)) if informative else scored


def test_modalities_come_in_turn_and_of_each_what_is_learned_from_comes_first():
    dull, first, second = (group(i, "text", informative) for i, informative in enumerate((False, True, True)))
    real, late = group(3, "real", False), group(4, "real", True)
    groups = [dull, first, second, real, late]
    assert shown(groups, 5) == [first, late, second, real, dull]
    assert shown(groups, 3) == [first, late, second]
    assert shown(groups, 9) == shown(groups, 5)
    assert shown(groups, 0) == shown([], 3) == []
