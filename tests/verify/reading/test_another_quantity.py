"""A sentence that names another quantity than the question, or only supposes its value, gives no answer."""

from __future__ import annotations

import pytest
from patience import answered, problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge
from vlrl.verify.reading.another_quantity import names_another
from vlrl.verify.reading.hedging import supposes
from vlrl.verify.values.normaliser import clean

BAR = "What is the value of the red bar?"
READERS = ["number", "math", "mathvista"]
INTEGER = {"question_type": "free_form", "answer_type": "integer"}


def correct(verifier: str, gold: str, said: str, question: str, **metadata: object) -> bool:
    verdict = judge(problem(verifier, gold, question, **(INTEGER if verifier == "mathvista" else {}), **metadata), said)
    assert verdict.fault is None, verdict.fault
    return verdict.correct


ANOTHER = [
    (BAR, "The sum is {}."), (BAR, "The sum of both bars is {}."), (BAR, "So the total is {}."),
    (BAR, "The difference is {}."), (BAR, "The average is {}."), (BAR, "The blue bar is {}."),
    (BAR, "Its value is 5. The product is {}."), (BAR, "Sum = {}"), (BAR, "This gives a sum of {}."),
    ("What is the height of the box?", "The width is {}."), ("What is the height of the box?", "The area is {} cm."),
    ("How wide is the box in the image?", "The height of the box is {}."),
    ("What is the area of the square?", "The perimeter is {}."),
    ("What is the diameter of the circle?", "The radius is {}."),
    ("What profit did the shop make?", "The cost is {}."),
    ("How many were sold on Tuesday?", "On Monday {} were sold."),
    ("What is the median of the numbers?", "The mean is {}."),
    ("How many are in the second box?", "There are {} in the first box."),
]  # fmt: skip
ASKED = [
    (BAR, "The red bar is {}."), (BAR, "Its value is {}."), (BAR, "The bar is {}."), (BAR, "It shows {}."),
    ("How many apples do they have together?", "The sum is {}."), ("How many apples are there?", "The total is {}."),
    ("What is the age gap between the two?", "The difference is {}."),
    ("How many more red than blue balls are there?", "The difference is {}."),
    ("What is 80 + 5 in the image?", "The sum is {}."), ("How tall is the box?", "The height is {}."),
    ("How long is the side AB of it?", "The length of AB is {}."), ("How old is he this year?", "His age is {}."),
    ("What is the distance around the garden?", "The perimeter is {}."),
    ("What is the length of the radius OA?", "The radius is {}."),
    ("What is x in this figure?", "The length is {}."), ("What is the price of it?", "The cost is {}."),
    ("How many were sold on Tuesday?", "They sold {} on Tuesday."),
    ("How many more were sold on Tuesday than on Monday?", "{} more were sold on Tuesday."),
]  # fmt: skip


@pytest.mark.parametrize("verifier", READERS)
def test_another_quantity_is_no_answer(verifier: str):
    taken = [(q, s) for q, s in ANOTHER for v in ("85", "6") if correct(verifier, v, s.format(v), q)]
    assert not taken


@pytest.mark.parametrize("verifier", READERS)
def test_the_quantity_that_is_asked_is_one(verifier: str):
    lost = [(q, s) for q, s in ASKED for v in ("85", "6") if not correct(verifier, v, s.format(v), q)]
    assert not lost


def test_a_question_that_says_nothing_names_no_quantity():
    for _, said in ANOTHER:
        assert not names_another(said.format(8), "What is it?")
        assert not names_another(said.format(8), "")


SUPPOSED = [
    "If the bar is {}, the answer is {}", "If it is {}, then the answer is {}.",
    "Assuming the bar is {}, the answer is {}.",
    "If the bar is {}, the bar is {}.", "So if x = {}, the answer is {}.", "Wenn es {} ist, ist die Antwort {}.",
    "If I'm right, the answer is {}.", "If the chart is correct, it is {}.", "When the bar is {}, the answer is {}.",
    "如果是{}，答案是{}。",
]  # fmt: skip


@pytest.mark.parametrize("verifier", READERS)
@pytest.mark.parametrize("said", SUPPOSED)
def test_what_is_only_supposed_is_no_answer(verifier: str, said: str):
    assert not correct(verifier, "85", said.format("85", "85"), BAR)


@pytest.mark.parametrize("verifier", READERS)
@pytest.mark.parametrize(
    "said",
    [
        "If we add 80 and 5, the answer is {}.", "If each bar is 5 units high, the answer is {}.",
        "The equation holds only if x = {0}, so the answer is {0}.", "Since the bar is {0}, the answer is {0}.",
        "If we look at the bar, it is {}.",
    ],
)  # fmt: skip
def test_a_condition_that_supposes_something_else_is_a_step(verifier: str, said: str):
    assert correct(verifier, "85", said.format("85"), BAR)


def test_a_letter_that_is_only_supposed_is_none():
    animals = {"choices": ["cat", "dog", "mouse"]}
    assert not correct("choice", "dog", "If it is B, the answer is B.", "Which animal is it?", **animals)
    assert correct("choice", "dog", "If it barks, the answer is B.", "Which animal is it?", **animals)
    assert supposes("If the animal is a dog, the answer is", "the dog")
    assert not supposes("If it barks,", "dog")


def test_braces_alone_are_a_set():
    assert clean("{4}") == "{4}"
    assert clean("${4}$") == "4"
    for verifier in ("number", "math"):
        for said in ("{4}", answered("{4}"), "The answer is {4}."):
            assert not correct(verifier, "4", said, "?"), said
        for said in ("\\boxed{4}", "\\boxed{{4}}", "\\boxed{{\\dfrac{8}{2}}}", "${4}$"):
            assert correct(verifier, "4", said, "?"), said
    assert not correct("math", "(1,2)", "\\boxed{{1,2}}", "?")
    assert correct("math", "(1,2)", "\\boxed{(1,2)}", "?")
    assert correct("math", "\\{1,2\\}", "\\boxed{{2,1}}", "?")
    assert correct("math", "\\{4\\}", "{4}", "?")


def test_hundreds_above_ten_are_read():
    for words, value in (("twelve hundred", 1200), ("twenty-five hundred", 2500), ("nineteen hundred and five", 1905),
                         ("nine hundred", 900), ("two thousand one hundred", 2100)):  # fmt: skip
        assert correct("number", str(value), words, "?"), words
        assert not correct("number", str(value + 100), words, "?"), words
        said = f"There are {words} apples in the image."
        assert correct("number", str(value), said, "How many apples are in the image?"), words
    assert not correct("number", "1000", "twenty hundred fifty hundred", "?")


@pytest.mark.parametrize(
    "said",
    [
        "Among the options, {} ({}) is correct.", "{} ({}) is the right answer.", "{}, {}, is the best choice.",
        "So ({}) {} must be the correct option.", "{}: {} is correct.", "Therefore, {} - {} is the correct answer.",
        "Of these, {} ({}) is correct.", "Only {} ({}) is correct.", "{}, the {}, is the answer.",
    ],
)  # fmt: skip
def test_an_option_that_is_called_correct_counts(said: str):
    animals = ["cat", "dog", "mouse", "horse"]
    for place, animal in enumerate(animals):
        right = said.format("ABCD"[place], animal)
        assert correct("choice", animal, right, "Which animal is it?", choices=animals), right
        assert not correct("choice", animals[place - 1], right, "Which animal is it?", choices=animals), right
        mixed = said.format("ABCD"[place - 1], animal)
        assert not correct("choice", animal, mixed, "Which animal is it?", choices=animals), mixed
