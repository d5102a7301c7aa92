"""A number in prose is an answer where it counts what the question counts, as things are; one change makes it none.

Each case is a statement that is right, and the same statement after one change: another noun, a supposition, another
time, a share of each. The changed one must be wrong and the unchanged one right.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
from patience import problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge

NUMBERS = ("3", "14", "120")


@dataclass(frozen=True)
class Language:
    """How one language asks and tells a count; # is the number, X the noun and @ a statement.

    states   statements that are right
    changed  what makes a statement wrong, put around it
    """

    question: str
    nouns: tuple[str, ...]
    states: tuple[str, ...]
    changed: tuple[str, ...]


LANGUAGES = {
    "en": Language(
        "How many X are in the yard?",
        ("cars", "red bicycles", "dogs", "ladders", "children", "boxes", "cherries"),
        ("There are # X in the yard.", "I count # X.", "The yard has # X.", "In total, there are # X.",
         "We can see # X in the yard.", "The number of X in the yard is #.", "There are # X, not counting the street.",
         "Counting them one by one gives # X."),
        ("Usually @", "Yesterday @", "Suppose @", "Let's say @", "If it were so, @", "Imagine @"),
    ),
    "de": Language(
        "Wie viele X sind im Hof?",
        ("Autos", "Hunde", "Leitern", "Fahrräder", "Kisten"),
        ("Im Hof sind # X.", "Es sind insgesamt # X.", "Ich zähle # X.", "Im Hof stehen # X."),
        ("Gestern galt: @", "Angenommen, @", "Normalerweise gilt: @"),
    ),
    "fr": Language(
        "Combien de X y a-t-il dans la cour ?",
        ("voitures", "chiens", "échelles", "vélos", "caisses"),
        ("Il y a # X dans la cour.", "On compte # X.", "Dans la cour, il y a # X."),
        ("Hier, @", "Supposons : @", "Normalement, @"),
    ),
    "es": Language(
        "¿Cuántos X hay en el patio?",
        ("coches", "perros", "escalones", "libros", "gatos"),
        ("Hay # X en el patio.", "En el patio hay # X.", "Hay un total de # X en el patio."),
        ("Ayer hay que decir: @", "Supongamos: @", "Normalmente @"),
    ),
    "pt": Language(
        "Quantos X há no pátio?",
        ("carros", "cachorros", "livros", "gatos", "bancos"),
        ("Há # X no pátio.", "No pátio há # X.", "O pátio tem # X."),
        ("Ontem: @", "Suponhamos: @", "Geralmente @"),
    ),
    "ru": Language(
        "Сколько X во дворе?",
        ("машин", "собак", "лестниц", "ящиков", "велосипедов"),
        ("Во дворе # X.", "Всего во дворе # X.", "Во дворе находится # X."),
        ("Вчера: @", "Если предположим: @", "Обычно @"),
    ),
    "zh": Language(
        "院子里有几个X?",
        ("苹果", "足球", "杯子", "箱子", "椅子"),
        ("院子里有#个X。", "一共有#个X。", "所以院子里共有#个X。"),
        ("昨天@", "假设@", "通常@"),
    ),
    "ko": Language(
        "마당에 X 몇 개 있습니까?",
        ("사과가", "의자가", "상자가", "자동차가"),
        ("마당에 X #개 있습니다.", "X 모두 #개 있습니다."),
        ("어제는 @", "만약 @", "보통 @"),
    ),
}  # fmt: skip


def right(question: str, number: str, response: str) -> bool:
    verdict = judge(problem("number", number, question), response)
    assert verdict.fault is None, verdict.fault
    return verdict.correct


def statements(language: Language, noun: str) -> list[tuple[str, str]]:
    """(number, statement) of every statement of a language about a noun."""
    return [(n, s.replace("#", n, 1).replace("X", noun)) for s, n in itertools.product(language.states, NUMBERS)]


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_noun_of_the_question_counts_and_no_other(name: str):
    language = LANGUAGES[name]
    lost, taken = [], []
    for asked, said in itertools.product(language.nouns, repeat=2):
        question = language.question.replace("X", asked)
        for number, statement in statements(language, said):
            if asked == said and not right(question, number, statement):
                lost.append(statement)
            if asked != said and right(question, number, statement):
                taken.append((question, statement))
    assert not lost, (len(lost), lost[:10])
    assert not taken, (len(taken), taken[:10])


@pytest.mark.parametrize("name", LANGUAGES)
def test_what_is_supposed_usual_or_past_is_no_answer(name: str):
    language = LANGUAGES[name]
    taken = [
        response
        for noun in language.nouns
        for number, statement in statements(language, noun)
        for changed in language.changed
        if right(language.question.replace("X", noun), number, response := changed.replace("@", statement))
    ]
    assert not taken, (len(taken), taken[:10])


ASKED = "How many passengers are on the bus?"


@pytest.mark.parametrize(
    "response",
    ["Each row holds 14 passengers.", "There are 14 passengers in each row.", "Every bench seats 14 passengers.",
     "There are 14 passengers per row.", "The bus number is 14.", "The line number reads 14.", "The bus leaves at 14.",
     "14 passengers got off.", "14 passengers left the bus.", "14 passengers walked away.",
     "We need to find how many of the 14 are adults.", "Let me count up to 14.", "The thermometer would read 14.",
     "The number of seats is 14.", "The count of windows on the bus is 14."],
)  # fmt: skip
def test_a_share_a_label_and_what_is_gone_are_no_count(response: str):
    assert right(ASKED, "14", "There are 14 passengers on the bus.")
    assert not right(ASKED, "14", response)


@pytest.mark.parametrize(
    ("question", "response"),
    [("How many passengers are in each row?", "Each row holds 14 passengers."),
     ("How many passengers usually ride?", "Usually there are 14 passengers."),
     ("How many?", "There are 14 pears, as far as I can see."),
     ("How many objects are on the table?", "There are 14 spoons."),
     ("How many people are on the bus?", "There are 14 passengers."),
     ("How many passengers are on the bus?", "There are 14 people on the bus."),
     ("How many apples are left?", "Por lo tanto, hay 14 manzanas."),
     ("How many apples are left?", "所以还剩14个苹果。"),
     ("How many women are there?", "There is a group of 14 women."),
     ("How many ladies stand in line?", "There are 14 standing in line."),
     ("How many cars are there if each row has 7?", "Each of the two rows has 7, so there are 14 cars.")],
)  # fmt: skip
def test_what_the_question_itself_asks_or_leaves_open_counts(question: str, response: str):
    assert right(question, "14", response)


PART = "There are 12 balls, some of them red. How many of the 12 balls are red?"


def test_a_number_of_the_question_is_not_said_again():
    assert not right(PART, "12", "There are 12 balls in the box.")
    assert not right(PART, "12", "It is one of the 12 balls.")
    assert right(PART, "5", "5 of the 12 balls are red.") == right(PART, "5", "There are 5 red balls.") is True
