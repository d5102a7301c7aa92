"""The verifiers `exact`, `text`, `time` and `list`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patience import answered, problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge
from vlrl.verify.values.edit_distance import edit_distance, edit_similarity
from vlrl.verify.values.moments import parse_time
from vlrl.verify.values.normaliser import normalise


def score(verifier: str, gold: str, answer: str, **metadata: object) -> float:
    return judge(problem(verifier, gold, **metadata), answered(answer)).score


def test_exact_means_every_character():
    assert score("exact", "Paris", " Paris ") == 1
    for other in ("paris", "Paris.", "Pa ris", "Paris, France"):
        assert score("exact", "Paris", other) == 0
    assert score("exact", "Paris", "Lutetia", accepted=["Lutetia"]) == 1


def test_text_ignores_case_spaces_quotes_and_markup_only():
    for same in (
        "red car",
        "Red  Car",
        "RED CAR.",
        '"red car"',
        "**red car**",
        "\\text{red car}",
        "`red car`",
        "red\u00a0car",
    ):
        assert score("text", "red car", same) == 1, same
    for other in ("red", "car", "redcar", "red cars", "a red car", "red or blue car", "x²"):
        assert score("text", "red car", other) == 0, other
    assert score("text", "x2", "x²") == 0


def test_levenshtein_by_hand():
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == 3
    assert edit_similarity("kitten", "sitting") == pytest.approx(1 - 3 / 7)


def test_anls_gives_part_of_the_score_above_its_threshold():
    verdict = judge(problem("text", "kitten", anls=0.5), answered("sitten"))
    assert verdict.score == pytest.approx(5 / 6)
    assert not verdict.correct
    assert score("text", "kitten", "mouse", anls=0.5) == 0


@given(st.text(max_size=30), st.text(max_size=30))
def test_similarity_is_symmetric_and_bounded(a: str, b: str):
    assert edit_similarity(a, b) == edit_similarity(b, a)
    assert 0 <= edit_similarity(a, b) <= 1
    assert (edit_similarity(a, b) == 1) == (a == b)


@given(st.text(max_size=40))
def test_normalising_twice_is_normalising_once(text: str):
    once = normalise(text)
    assert normalise(once) in (once, normalise(normalise(once)))


@pytest.mark.parametrize(
    ("text", "seconds", "half_known"),
    [
        ("3:45", 13500, False),
        ("03:45", 13500, False),
        ("3:45:10", 13510, False),
        ("3:45 AM", 13500, True),
        ("3:45 p.m.", 56700, True),
        ("15:45", 56700, True),
        ("12:00 AM", 0, True),
        ("12:30 PM", 45000, True),
        ("0:15", 900, True),
        ("3 o'clock", 10800, False),
        ("3 PM", 54000, True),
        ("quarter past three", 11700, False),
        ("half past 3", 12600, False),
        ("quarter to 4", 13500, False),
        ("ten past twelve", 600, False),
        ("noon", 43200, True),
        ("midnight", 0, True),
    ],
)
def test_times_are_read(text: str, seconds: int, half_known: bool):
    found = parse_time(text)
    assert found is not None
    assert (found[0] % 43200, found[1]) == (seconds % 43200, half_known)
    if half_known:
        assert found[0] == seconds


@pytest.mark.parametrize(
    "text", ["3", "345", "3.45", "3:75", "24:00", "13:00 PM", "3:45-4:45", "half to 3", "3:4", "-3:45", "0:15 AM"]
)
def test_what_is_no_time_is_refused(text: str):
    assert parse_time(text) is None


def test_the_half_of_the_day_counts_unless_the_clock_has_none():
    assert score("time", "3:45 PM", "15:45") == 1
    assert score("time", "3:45 PM", "3:45") == 0
    assert score("time", "3:45", "15:45") == 0
    assert score("time", "3:45", "15:45", hours=12) == 1
    assert score("time", "12:05", "0:05", hours=12) == 1


def test_the_tolerance_of_a_clock_goes_around():
    assert score("time", "12:01", "11:59", hours=12, tolerance_minutes=2) == 1
    assert score("time", "12:01", "11:58", hours=12, tolerance_minutes=2) == 0
    assert score("time", "00:01", "23:59", tolerance_minutes=2) == 1


@given(st.integers(1, 12), st.integers(0, 59))
def test_every_clock_time_is_right_in_each_spelling(hour: int, minute: int):
    gold = f"{hour}:{minute:02d}"
    assert score("time", gold, f"{hour:02d}:{minute:02d}") == 1
    if hour < 12:  # "12:05" alone may be noon or midnight
        assert score("time", gold + " PM", f"{hour + 12}:{minute:02d}") == 1
    assert score("time", gold, f"{hour}:{(minute + 1) % 60:02d}") == 0


@pytest.mark.parametrize(
    ("answer", "ordered", "free"),
    [
        ("[2014, 2016]", 1, 1),
        ("2014, 2016", 1, 1),
        ("2014; 2016", 1, 1),
        ("2014 and 2016", 1, 1),
        ("(2014, 2016)", 1, 1),
        ("2014\n2016", 1, 1),
        ("2014,2016", 1, 1),
        ("2016, 2014", 0, 1),
        ("2014", 0, 0),
        ("2014, 2014, 2016", 0, 0),
        ("2014, 2017", 0, 0),
        ("2014 or 2016", 0, 0),
        ("2014, 2016, 2018", 0, 0),
        ("[2014, [2016]]", 0, 0),
    ],
)
def test_lists_with_and_without_order(answer: str, ordered: int, free: int):
    assert score("list", "[2014, 2016]", answer) == ordered
    assert score("list", "[2014, 2016]", answer, ordered=False) == free


def test_a_list_can_be_graded():
    verdict = judge(problem("list", "[1, 2, 3, 4]", ordered=False, graded=True), answered("4, 3, 9"))
    assert verdict.score == pytest.approx(2 * 2 / 7)
    assert not verdict.correct
