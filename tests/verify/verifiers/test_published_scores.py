"""ANLS, relaxed accuracy, VQA's soft accuracy and edit similarity, each against numbers computed by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patience import answered, problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.types import Verdict
from vlrl.verify.gold_check import gold_problem
from vlrl.verify.judge import judge
from vlrl.verify.values.edit_distance import edit_distance
from vlrl.verify.values.vqa_answer import vqa_answer


def levenshtein(a: str, b: str) -> int:
    """The table of the textbook, row by row."""
    if len(a) < len(b):
        a, b = b, a
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def verdict(verifier: str, gold: str, answer: str, **metadata: object) -> Verdict:
    found = judge(problem(verifier, gold, **metadata), answered(answer))
    assert found.fault is None, found
    return found


@given(st.text("abc", max_size=90), st.text("abc", max_size=90))
def test_the_distance_is_that_of_the_table(a: str, b: str):
    assert edit_distance(a, b) == levenshtein(a, b) == edit_distance(b, a)


@pytest.mark.parametrize(
    ("gold", "answer", "score"),
    [
        ("kitten", "sitting", 4 / 7),  # 3 of 7
        ("Kitten", "kitten", 1.0),
        ("invoice  12", "Invoice 12", 1.0),
        ("abcd", "abxy", 0.0),  # NL = 1/2
        ("abcde", "abcxy", 0.6),
        ("abc", "xyz", 0.0),
    ],
)
def test_anls_by_hand(gold: str, answer: str, score: float):
    found = verdict("anls", gold, answer)
    assert found.score == pytest.approx(score)
    assert found.correct == (score == 1)


def test_anls_takes_the_best_gold_and_its_threshold_is_declared():
    assert verdict("anls", "abc", "abcde", accepted=["abcdx"]).score == pytest.approx(0.8)
    assert verdict("anls", "abcdx", "abcde", threshold=0.9).score == 0
    assert verdict("anls", "abcdx", "abcde", correct_at=0.75).correct


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        ("100", "105", True),
        ("100", "95", True),
        ("100", "105.1", False),
        ("-100", "-104", True),
        ("-100", "104", False),
        ("1,234", "1,200", True),
        ("20%", "0.205", True),
        ("20%", "20", False),
        ("0", "0.0001", False),
        ("0", "0", True),
        ("0.5", "0.53", False),
        ("Germany", "germany", True),
        ("Germany", "Germanys", False),
        ("2010", "2011", True),
        ("$5", "$5.20", True),
    ],
)
def test_relaxed_accuracy_by_hand(gold: str, answer: str, right: bool):
    assert verdict("relaxed", gold, answer).correct == right


def test_years_can_be_exact_and_the_tolerance_is_declared():
    assert not verdict("relaxed", "2010", "2011", years_exact=True).correct
    assert verdict("relaxed", "2010", "2010", years_exact=True).correct
    assert not verdict("relaxed", "100", "104", tolerance=0.03).correct


@pytest.mark.parametrize(("agree", "score"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)])
def test_soft_accuracy_by_hand(agree: int, score: float):
    humans = ["red"] * agree + [f"colour {n}" for n in range(10 - agree)]
    found = verdict("vqa", "red", "Red", accepted=humans)
    assert found.score == pytest.approx(score)
    assert found.correct == (score >= 0.9)
    rows = [{"answer": human, "answer_confidence": "yes", "answer_id": n} for n, human in enumerate(humans)]
    assert verdict("vqa", "red", "Red", accepted=rows).score == pytest.approx(score)


def test_nine_accepted_answers_stand_beside_the_tenth():
    assert verdict("vqa", "red", "red", accepted=["red", "red", *"abcdefg"]).score == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The Red, car.", "red car"),
        ("two", "2"),
        ("None", "0"),
        ("dont", "don't"),
        ("3.5", "3.5"),
        ("1,000", "1000"),
        ("yes/no", "yes no"),
        ("t-shirt", "t shirt"),
        ("a  b\nc", "b c"),
        ("what?", "what"),
    ],
)
def test_the_official_normalisation(text: str, normal: str):
    assert vqa_answer(text) == normal


def test_edit_similarity_by_hand():
    assert verdict("edit", "the cat sat", "the cat sat down", unit="word").score == pytest.approx(3 / 4)
    assert verdict("edit", "abcd", "abxd").score == pytest.approx(3 / 4)
    assert verdict("edit", "abcd", "ABCD").score == 0
    assert verdict("edit", "abcd", "ABCD", ignore_case=True).correct
    pages = "INVOICE\nNo. 17\n\nTotal: 12.50"
    assert judge(problem("edit", pages), pages).score == 1.0  # nothing declared: the whole response


@pytest.mark.parametrize("verifier", ["anls", "relaxed", "vqa"])
@pytest.mark.parametrize(
    "response",
    [
        "<answer>42 apples</answer> <answer>43 apples</answer>",
        "<answer>42 apples or 43</answer>",
        "<answer>maybe 42 apples</answer>",
        "<answer>42 apples</answer> Actually, 43.",
        "<think>42 apples</think>",
        "The answer is 42 apples. Or maybe 43.",
        "",
    ],
)
def test_hedged_and_double_answers_earn_nothing(verifier: str, response: str):
    found = judge(problem(verifier, "42 apples", accepted=["42 apples"] * 9), response)
    assert (found.score, found.fault) == (0.0, None)


def test_golds_are_checked():
    for verifier in ("anls", "relaxed", "edit"):
        assert gold_problem(problem(verifier, "true or false")) is None
    assert gold_problem(problem("vqa", "red", accepted=["red"] * 4 + list("abcdef"))) is None
    assert gold_problem(problem("vqa", "red", accepted=list("abcdefghij"))) is None  # nobody can score 1: no fault
    assert gold_problem(problem("vqa", "red", accepted="red")) is not None
    assert gold_problem(problem("anls", "red", threshold=5)) is not None
