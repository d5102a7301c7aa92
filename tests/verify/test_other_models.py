"""What other models write for a right answer counts, and what only looks like one doesn't, for every verifier."""

from __future__ import annotations

import pytest
from other_models import GROUPS, Group
from patience import patiently, problem

import vlrl.verify  # noqa: F401  fills the registry


@pytest.mark.parametrize("group", GROUPS, ids=[f"{i}-{g.gold}" for i, g in enumerate(GROUPS)])
def test_every_form_gets_its_verdict_from_every_verifier(group: Group):
    lost, taken, broken = [], [], []
    for verifier, metadata in group.kits:
        asked = problem(verifier, group.gold, group.question, **metadata)
        for response in (*group.right, *group.wrong):
            verdict = patiently(asked, response)
            if verdict.fault is not None:
                broken.append((verifier, response, verdict.fault))
            elif response in group.right and not verdict.correct:
                lost.append((verifier, response, verdict.note))
            elif response in group.wrong and verdict.score > 0:
                taken.append((verifier, response))
    assert not broken, broken
    assert not lost, lost
    assert not taken, taken


def test_the_set_is_large_and_no_form_is_right_and_wrong():
    assert sum(len(g.kits) * (len(g.right) + len(g.wrong)) for g in GROUPS) > 2500
    for group in GROUPS:
        assert not {*group.right} & {*group.wrong}
