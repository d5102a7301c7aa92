"""Long2short's pairs: the shortest right response against longer ones, by the 1.5-times rule, on planted lengths."""

from __future__ import annotations

from vlrl.curation.selection.short_answers import preference_pairs, shortest_right
from vlrl.curation.stage import Answered
from vlrl.types import Problem, Rollout, Segment, Text, Verdict

PROBLEM = Problem((Text("1+1=?"),), "2", "number", "text", "sums")


def answered(*responses) -> Answered:
    """Responses as (tokens, right) or (tokens, right, ending); None: a fault. Texts: place and length."""
    rollouts, verdicts = [], []
    for place, (tokens, right, *finish_reason) in enumerate(responses):
        segment = Segment((5,) * tokens, (-0.1,) * tokens, 0)
        rollouts.append(Rollout((segment,), f"{place}:{tokens}", *finish_reason or ("stop",)))
        verdicts.append(Verdict.broken("down") if right is None else Verdict.right() if right else Verdict.wrong("no"))
    return Answered(tuple(rollouts), tuple(verdicts))


def rejected(*responses, **settings):
    return [pair.rejected for pair in preference_pairs(PROBLEM, answered(*responses), **settings)]


def test_the_shortest_right_response_is_the_positive_and_the_first_wins_a_tie():
    assert shortest_right(answered((9, True), (4, True), (2, False))) == 1
    assert shortest_right(answered((5, True), (5, True))) == 0
    assert shortest_right(answered((3, False))) is None


def test_a_right_answer_that_was_cut_off_is_no_example():
    assert shortest_right(answered((3, True, "length"), (8, True))) == 1
    assert shortest_right(answered((3, True, "length"))) is None


def test_longer_wrong_ones_are_negatives_and_shorter_wrong_ones_are_not():
    given = [(10, True), (11, False), (10, False), (9, False)]
    assert rejected(*given) == ["1:11"]
    assert {pair.chosen for pair in preference_pairs(PROBLEM, answered(*given))} == {"0:10"}


def test_right_ones_are_negatives_from_exactly_1_5_times_the_length_on():
    assert rejected((10, True), (14, True), (15, True), (30, True)) == ["2:15", "3:30"]
    assert rejected((10, True), (14, True), (15, True), ratio=1.4) == ["1:14", "2:15"]


def test_without_a_right_response_and_of_faults_there_is_no_pair():
    assert rejected((4, False), (9, False)) == []
    assert rejected((4, True), (9, None)) == []


def test_one_text_is_a_negative_once():
    same = answered((4, True), (9, False), (9, False))
    one, two, three = same.rollouts
    twice = Answered((one, two, Rollout(three.segments, two.text, "stop")), same.verdicts)
    assert len(preference_pairs(PROBLEM, twice)) == 1


def test_a_negative_that_was_cut_or_looped_is_known_as_one():
    """So that preference learning gives it no end token, which the policy never wrote."""
    right, wrong = Verdict.right(), Verdict.wrong("")
    rollouts = [
        Rollout((Segment((1,) * n, (-1.0,) * n, 0),), f"{finish_reason} {n}", finish_reason)
        for n, finish_reason in ((2, "stop"), (5, "stop"), (6, "length"), (7, "repeat"))
    ]
    pairs = preference_pairs(PROBLEM, Answered(tuple(rollouts), (right, wrong, wrong, wrong)))
    assert {pair.rejected: pair.rejected_ended for pair in pairs} == {
        "stop 5": True,
        "length 6": False,
        "repeat 7": False,
    }
    assert all(pair.chosen_ended for pair in pairs)
