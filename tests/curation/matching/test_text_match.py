"""Texts of a benchmark: a few other words are the same question, other numbers or another order another one."""

from __future__ import annotations

import random

import pytest

from vlrl.curation.matching.text_match import MatchText, TextIndex, Weights, same_numbers, shared_weight

SUBJECTS = ["farmer", "baker", "sailor", "teacher", "driver", "painter", "gardener", "tailor", "banker", "miner"]
THINGS = ["apples", "ropes", "lanterns", "carpets", "barrels", "kettles", "ladders", "pumpkins", "violins", "umbrellas"]
PLACES = ["harbour", "market", "village", "castle", "library", "station", "orchard", "theatre", "museum", "bakery"]
FILLER = [
    "yesterday",
    "quickly",
    "near",
    "old",
    "and",
    "then",
    "carefully",
    "before",
    "with",
    "other",
    "many",
    "small",
    "wooden",
    "green",
    "heavy",
]


def story(rng: random.Random) -> str:
    """A word problem of some forty words with two to four numbers."""
    a, b, c = (str(rng.randint(2, 400)) for _ in range(3))
    who, what, where = rng.choice(SUBJECTS), rng.choice(THINGS), rng.choice(PLACES)
    extra = " ".join(rng.choices(FILLER, k=8))
    return (
        f"A {who} carries {a} {what} to the {where} {extra}. On the way {b} of them break, and in the evening a "
        f"{rng.choice(SUBJECTS)} brings {c} {rng.choice(THINGS)} from the {rng.choice(PLACES)}. "
        f"How many {what} are left?"
    )


def found(benchmark: list[str], texts: list[str]) -> list[list[int]]:
    rows, asked = [MatchText.of(t) for t in benchmark], [MatchText.of(t) for t in texts]
    index = TextIndex(rows, Weights([*rows, *asked]))
    return [[match.number for match in index.alike(text) if match.same] for text in asked]


@pytest.fixture(scope="module")
def stories() -> list[str]:
    rng = random.Random(3)
    return [story(rng) for _ in range(120)]


def changed(text: str, rng: random.Random) -> str:
    words = text.split()
    places = [n for n, word in enumerate(words) if not word[0].isdigit()]
    for place in rng.sample(places, 5):
        words[place] = rng.choice(["zebra", "Ludwig", "the", "quietly", "seventh", "glass"])
    return " ".join(words)


def reordered(text: str, rng: random.Random) -> str:
    return " ".join(reversed(text.split(". ")))


def shouted(text: str, rng: random.Random) -> str:
    return text.upper().replace(".", " !").replace(",", "")


@pytest.mark.parametrize("edit", [changed, reordered, shouted])
def test_an_edited_copy_is_found(stories, edit):
    rng = random.Random(4)
    hits = found(stories, [edit(text, rng) for text in stories])
    assert sum(number in hit for number, hit in enumerate(hits)) >= 0.97 * len(stories)


def test_texts_of_one_template_with_other_content_are_other_problems(stories):
    rng = random.Random(5)
    hits = found(stories, [story(rng) for _ in range(120)])
    assert sum(bool(hit) for hit in hits) <= 0.03 * len(hits)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("He has 3 apples and 5 pears", "He has 3 apples and 6 pears", False),
        ("He has 3 apples and 5 pears", "He has 5 pears and 3 apples", True),
        ("What is 3 + 4 × 5?", "What is 4 + 3 × 5?", False),
        ("The prize is 1,000 dollars", "The prize is 1000 dollars", True),
        ("largest prime below one hundred", "largest prime below one thousand", False),
        ("values 1 and 2 and 3 and 7", "values 1 and 2 and 3", True),  # one was left out
        ("How many cards?", "How many cards are there?", True),
    ],
)
def test_numbers(one, other, same):
    assert same_numbers(MatchText.of(one), MatchText.of(other)) is same


def test_the_same_words_in_another_order_are_another_problem():
    row = "Ann is taller than Bob. Bob is taller than Cy. Who is the tallest?"
    swapped = "Cy is taller than Ann. Ann is taller than Bob. Who is the tallest?"
    assert found([row], [row, swapped]) == [[0], []]


def test_a_question_inside_a_longer_text_is_found_and_a_fragment_is_not(stories):
    assert found(stories[:1], [f"Tom says he can solve this: {stories[0]} Is it hard? Explain in full."]) == [[0]]
    assert found(stories[:1], [" ".join(stories[0].split()[:9])]) == [[]]


def test_a_template_weighs_little():
    rows = [MatchText.of(f"Please look at the table and tell the price of {thing}") for thing in THINGS]
    weights = Weights(rows)
    assert shared_weight(rows[0], rows[1], weights) < 0.9
    assert shared_weight(rows[0], rows[0], weights) == 1.0


def same(row: str, text: str, answers: tuple[str, str], background: list[str]) -> bool:
    """Whether a text asks the same as a row, by their answers."""
    texts = [MatchText.of(t) for t in (row, text, *background)]
    (match, *_) = TextIndex(texts[:1], Weights(texts), answers=answers[:1]).alike(texts[1], answers[1])
    return match.same


def test_the_answers_are_a_witness(stories):
    rng = random.Random(6)
    near = " ".join(word if rng.random() < 0.5 or word[0].isdigit() else "zebra" for word in stories[0].split())
    texts = [MatchText.of(text) for text in (*stories, near)]
    (match,) = TextIndex(texts[:1], Weights(texts)).alike(texts[-1])
    assert 0.4 < match.share < 0.6
    assert same(stories[0], near, ("12", "12"), stories)
    assert same(stories[0], near, ("", "12"), stories)
    assert not same(stories[0], near, ("12", "13"), stories)
    assert same(stories[0], stories[0], ("12", "13"), stories)  # a copy with a wrong answer


def test_a_spelled_number_may_be_among_the_words_that_changed_where_the_answers_agree(stories):
    row = "Seven sticks lie on top of each other on the wooden table near the window. Which stick lies in the middle?"
    text = row.replace("Seven", "Hundred").replace("wooden", "green")
    assert same(row, text, ("3", "3"), stories)
    texts = [MatchText.of(t) for t in (row, text)]
    assert TextIndex(texts[:1], Weights(texts), answers=["3"]).alike(texts[1], "4") == []


def test_other_words_in_between_do_not_make_another_order_of_the_same_words():
    row = "A company has 50 employees, 20% of the employees are management. How many employees oversee the department?"
    text = "A trout company has 50 employees, 20% of rabbits employees are management. How many employees oversee hair?"
    assert found([row], [text]) == [[0]]
