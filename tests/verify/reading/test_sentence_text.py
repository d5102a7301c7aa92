"""A sentence that states words: every way to state them is read, and one change makes them no answer."""

from __future__ import annotations

import itertools

import pytest
from patience import problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge

ASKED = (  # (question, two answers, ways to state one: V)
    ("Which country has the highest value?", ("Germany", "South Korea"),
     ("V has the highest value.", "The country with the highest value is V.", "It is V.", "This is V.", "**V** has the "
      "highest value, namely 82.", "Country: V")),
    ("What sport is being played?", ("tennis", "volleyball"),
     ("They are playing V.", "The sport being played is V.", "It's V.", "Sport: V")),
    ("On which side is the dog?", ("left", "right"),
     ("The dog is on the V side.", "The dog is on the V.", "It is on the V side.")),
    ("What color is the car?", ("red", "dark blue"),
     ("The car is V.", "The car is painted V.", "The color of the car is V.", "Color: V")),
    ("Which river is shown on the map?", ("Amazon", "Nile"),
     ("This is the V river.", "The river shown on the map is the V.", "The V is shown on the map.")),
    ("In which year was the peak?", ("2019", "1987"), ("The peak was in V.", "It was in V.")),
    ("Who spent the least?", ("Evelyn", "Paul"), ("V spent the least.", "It is V.")),
    ("Welche Farbe hat das Auto?", ("rot", "blau"), ("Das Auto ist V.", "Die Farbe ist V.")),
    ("Quelle est la capitale ?", ("Paris", "Lyon"), ("La capitale est V.", "C'est V.")),
    ("狗在哪一边?", ("左", "右"), ("狗在V边。",)),
    ("图中是什么动物?", ("猫", "狗"), ("图中的动物是V。", "这是V。")),
    ("これは何の動物ですか？", ("猫", "犬"), ("これはVです。", "この動物はVです。")),
)  # fmt: skip
CHANGED = ("Maybe S", "I doubt that S", "It is not true that S", "S Or not.", "Is it so? S?")


def right(question: str, gold: str, response: str, verifier: str = "text") -> bool:
    verdict = judge(problem(verifier, gold, question), response)
    assert verdict.fault is None, verdict.fault
    return verdict.correct


def statements() -> list[tuple[str, str, str, str]]:
    """(question, what is stated, another answer, statement)."""
    return [
        (question, said, other, way.replace("V", said))
        for question, answers, ways in ASKED
        for (said, other), way in itertools.product((answers, answers[::-1]), ways)
    ]


def test_what_a_sentence_states_is_read_and_is_nothing_else():
    lost = [s for question, said, _, s in statements() if not right(question, said, s)]
    taken = [(other, s) for question, _, other, s in statements() if right(question, other, s)]
    assert not lost, (len(lost), lost[:10])
    assert not taken, (len(taken), taken[:10])


@pytest.mark.parametrize("changed", CHANGED)
def test_a_sentence_in_doubt_states_nothing(changed: str):
    taken = [
        response
        for question, said, _, statement in statements()
        if statement.isascii() and right(question, said, response := changed.replace("S", statement, 1))
    ]
    assert not taken, (len(taken), taken[:10])


@pytest.mark.parametrize(
    ("response", "said"),
    [("Yes, it is raining.", "yes"), ("Yes — people carry umbrellas.", "yes"), ("No, it isn't raining.", "no"),
     ("Based on the umbrellas, yes, it is raining.", "yes"), ("Yes.", "yes"),
     ("Yes, but actually no.", ""), ("Yes... no.", ""), ("No, yes", ""), ("Yes or no, who knows.", ""),
     ("Yes, it isn't raining.", ""), ("Yes, if it is cloudy.", ""), ("Maybe yes.", ""), ("Yesterday, it was.", "")],
)  # fmt: skip
def test_yes_and_no(response: str, said: str):
    for gold in ("yes", "no"):
        assert right("Is it raining?", gold, response) == (gold == said), (gold, response)


LISTED = ("The colours are red, green and blue.", "- red\n- green\n- blue", "1. red\n2. green\n3. blue",
          "The colours on the flag are:\n\n* red\n* green\n* blue", "The flag is red, green and blue.")  # fmt: skip


@pytest.mark.parametrize("response", LISTED)
def test_a_list_in_words_or_lines(response: str):
    question = "Which colours are on the flag?"
    assert right(question, "red, green, blue", response, "list")
    assert not right(question, "red, blue, green", response, "list")
    assert not right(question, "red, green", response, "list")
    assert not right(question, "red, green, blue", response.replace("blue", "blue or pink"), "list")
    if "are" in response:
        assert not right(question, "red, green, blue", response.replace("are", "are not"), "list")
