"""Form: planted multiple choice, true/false and proof questions are caught, look-alikes are not (k1.5 §2.1)."""

from __future__ import annotations

import pytest
from curation_cases import ask_image, ask_text, drawn_image, encoded

from vlrl.curation.selection.formats import Formats, format_of
from vlrl.curation.selection.open_answer import NotOpen, to_open_answer
from vlrl.curation.stage import Context
from vlrl.types import Text
from vlrl.verify.judge import judge

CHOICES = "How many legs has a spider?\n(A) 6\n(B) 8\n(C) 10"


@pytest.mark.parametrize(
    "problem",
    [
        ask_text(CHOICES, "B", "choice", metadata={"choices": ["6", "8", "10"]}),
        ask_text("Which is it?\nA. red\nB. blue", "A", "exact"),
        ask_text("Pick: A) red B) blue C) green", "A", "exact"),
        ask_text("Pick one. (A) red (B) blue", "A", "exact"),
        ask_text("What colour?", "red", "text", metadata={"choices": ["red", "blue"]}),
    ],
)
def test_multiple_choice_is_recognised(problem):
    assert format_of(problem) == "multiple choice"


@pytest.mark.parametrize(
    "problem",
    [
        ask_text("Is 7 prime?", "Yes", "text"),
        ask_text("True or false: 7 is prime.", "T", "text"),
        ask_text("Is the ball red?", "no", "choice", metadata={"choices": ["yes", "no"]}),
    ],
)
def test_true_false_is_recognised(problem):
    assert format_of(problem) == "true/false"


@pytest.mark.parametrize(
    "text",
    [
        "Prove that there are infinitely many primes.",
        "Let n be odd. Show that n^2 - 1 is divisible by 8.",
        "Let ABC be a triangle. (a) Prove that AB = AC.",
        "Let f be continuous. Prove or disprove: f is bounded.",
        "For n > 2, please demonstrate that the sum is even.",
        "Give a proof of Fermat's little theorem.",
    ],
)
def test_proofs_are_recognised(text):
    assert format_of(ask_text(text, "see solution", "text")) == "proof"


@pytest.mark.parametrize(
    "text",
    [
        "Tom wanted to prove his strength and lifted 3 stones of 4 kg. How many kg did he lift?",
        "The baker can prove that he baked 12 loaves and sold 5. How many are left?",
        "A show that starts at 7 lasts 2 hours. When does it end?",
        "Show that f is odd. Find f(0) + 7.",
        "A proof of purchase costs 3 coins; what do 4 cost?",
        "Vitamin A and vitamin B (see the table) weigh 3 g and 4 g. What is the sum in g?",
        "In triangle ABC, (A) is a corner. Find the angle.",
    ],
)
def test_look_alikes_are_left_alone(text):
    assert format_of(ask_text(text)) is None


def decide(problem, **settings):
    return Formats(**settings).decide([problem], Context(0))[0]


def test_an_open_question_goes_on_unchanged():
    problem = ask_text("What is 3 + 4?")
    assert decide(problem).problem is problem


def test_every_form_can_be_dropped_or_kept():
    for problem, setting in (
        (ask_text(CHOICES, "B", "choice"), "multiple_choice"),
        (ask_text("Is 7 prime?", "yes", "text"), "true_false"),
        (ask_text("Prove that 7 is prime.", "…", "text"), "proof"),
    ):
        assert decide(problem).outcome == "dropped"
        assert decide(problem, **{setting: "keep"}).outcome == "kept"


def test_multiple_choice_becomes_an_open_question_that_its_verifier_judges():
    image = encoded(drawn_image(1))
    problem = ask_image(
        image,
        CHOICES + "\nAnswer with the option's letter from the given choices directly.",
        "B",
        verifier="choice",
        metadata={"choices": ["6", "8", "10"], "unit": ""},
    )
    decision = decide(problem, multiple_choice="open")
    opened = decision.problem
    assert decision.outcome == "kept"
    assert opened.prompt == (image, Text("How many legs has a spider?"))
    assert (opened.answer, opened.verifier) == ("8", "number")
    assert "choices" not in opened.metadata
    assert opened.id != problem.id
    assert judge(opened, "<answer>8</answer>").correct
    assert not judge(opened, "<answer>B</answer>").correct


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Which of these is largest?\n(A) 3\n(B) 4", "B"),  # the question speaks of its options
        ("What is 1 + 2?\n(A) 4\n(B) none of these", "B"),
        ("What is it?\n(A) 0.5\n(B) 1/2", "A"),  # two options that are both right under the new verifier
        ("Why?\n(A) the sun heats the air above the sea in the morning\n(B) rain", "A"),
        ("What is shown?\n(A) <image 1>\n(B) <image 2>", "A"),
    ],
)
def test_a_question_that_needs_its_options_is_dropped_with_the_reason(text, answer):
    problem = ask_text(text, answer, "choice")
    with pytest.raises(NotOpen):
        to_open_answer(problem)
    decision = decide(problem, multiple_choice="open")
    assert decision.reason == "multiple choice that needs its options"
    assert decision.detail


def test_options_that_are_not_in_the_text_cannot_be_taken_out():
    problem = ask_image(encoded(drawn_image(1)), "How many?", "4", metadata={"choices": ["3", "4"]})
    assert "no block of options" in decide(problem, multiple_choice="open").detail


def test_a_gold_that_is_none_of_the_options_is_a_fault_not_a_drop():
    problem = ask_text(CHOICES, "12", "choice", metadata={"choices": ["6", "8", "10"]})
    assert decide(problem, multiple_choice="open").outcome == "fault"
