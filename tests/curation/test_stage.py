"""What every stage of curation is made of: decisions, and answers as they are counted."""

from __future__ import annotations

import pytest
from curation_cases import ask_text

from vlrl.curation.selection.difficulty import Difficulty, too_few_judged
from vlrl.curation.stage import Answered, Context, Decision, stage_name
from vlrl.types import Verdict

RIGHT, WRONG, FAULT = Verdict.right("7"), Verdict.wrong("no"), Verdict.broken("down")


def answered(*verdicts: Verdict) -> Answered:
    return Answered((), verdicts)


@pytest.mark.parametrize(("outcome", "reason"), [("kept", "too easy"), ("dropped", ""), ("fault", "")])
def test_a_reason_belongs_to_what_is_not_kept(outcome, reason):
    with pytest.raises(ValueError, match="kept ones alone have none"):
        Decision(ask_text("x"), outcome, reason)


def test_a_fault_is_neither_right_nor_judged():
    counts = answered(RIGHT, WRONG, FAULT, RIGHT)
    assert (counts.correct, counts.judged, counts.faults) == (2, 3, ("down",))


@pytest.mark.parametrize(("judged", "faults", "too_few"), [(5, 5, False), (4, 5, True), (0, 1, True), (1, 0, False)])
def test_a_rate_needs_half_of_the_verdicts(judged, faults, too_few):
    assert too_few_judged(answered(*[WRONG] * judged, *[FAULT] * faults)) is too_few


def test_the_label_names_a_stage_where_it_has_one():
    assert [stage_name(Difficulty()), stage_name(Difficulty(label="after the warm-up"))] == [
        "difficulty",
        "after the warm-up",
    ]


def test_a_stage_that_needs_a_model_says_so_where_there_is_none():
    with pytest.raises(AssertionError, match="runs with a model"):
        _ = Context(0).model
