r"""Kinds of forms and attacks: units in fractions and of the question, bounds and clocks abroad, a box in a box."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patience import answered, problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge

numbers = st.integers(2, 999)
SPEEDS = ("m/s", r"\text{ m/s}", r"\,\frac{\text{m}}{\text{s}}", r"\ \mathrm{m\,s^{-1}}", " m s^{-1}", " м/с", " m·s⁻¹")


def boxed(text: str) -> str:
    return rf"\boxed{{{text}}}"


def correct(verifier: str, gold: str, response: str, question: str = "", **metadata: object) -> bool:
    verdict = judge(problem(verifier, gold, question=question, **metadata), response)
    assert verdict.fault is None, verdict.fault
    return verdict.correct


@given(numbers, st.sampled_from(SPEEDS))
def test_a_unit_may_be_a_fraction_or_a_power_in_any_wrapper(value: int, unit: str) -> None:
    assert correct("number", f"{value}", boxed(f"{value}{unit}"), "What is the speed in m/s?")


@given(numbers, st.sampled_from(["km/h", "mph", "m", "s", "m/s^2", "kg", "m/min"]))
def test_a_question_may_ask_for_a_compound_unit_and_no_other_counts(value: int, unit: str) -> None:
    assert not correct("number", f"{value}", boxed(f"{value} {unit}"), "What is the speed in m/s?")


@given(st.integers(1, 50))
def test_a_compound_unit_of_the_question_is_converted(value: int) -> None:
    assert correct("number", f"{5 * value}", boxed(f"{18 * value} km/h"), "Find its speed in m/s.")
    assert correct("number", f"{18 * value}", boxed(f"{5 * value} m/s"), "How fast is it in kilometers per hour?")


@pytest.mark.parametrize(
    "form",
    [
        "5 センチメートル",
        "5 сантиметров",
        "5 сантиметра",
        "5 см",
        "5 سم",
        "50 миллиметров",
        "50 ミリメートル",
        "0.05 м",
    ],
)
def test_units_are_known_in_more_languages_and_cases(form: str) -> None:
    assert correct("number", "5", boxed(form), "What is the length in cm?", unit="cm")
    assert not correct("number", "6", boxed(form), "What is the length in cm?", unit="cm")


BOUNDS = [
    "答案至少是{}",
    "答案最多是{}",
    "答案大约是{}到{}",
    "答案小于{}",
    "答えは少なくとも{}",
    "정답은 적어도 {}",
    "La réponse est au moins {}.",
    "Die Antwort ist mindestens {}.",
    "La respuesta es al menos {}.",
    "A resposta é pelo menos {}.",
    "Ответ: не менее {}",
    "الإجابة أقل من {}",
    "Die Antwort ist kleiner als {}.",
    "Es sind mehr als {}.",
    "Hay más de {}.",
    "Il y en a moins de {}.",
]


@given(numbers, st.sampled_from(BOUNDS))
def test_a_bound_or_a_range_in_any_language_is_no_answer(value: int, bound: str) -> None:
    said = bound.format(value, value + 2)
    for verifier in ("number", "math", "mathvista"):
        assert not correct(verifier, f"{value}", said, question_type="free_form", answer_type="integer")


@given(numbers, numbers)
def test_a_box_in_a_box_is_read_with_what_stands_around_it(value: int, other: int) -> None:
    inner = boxed(str(value))
    for verifier in ("number", "math"):
        assert correct(verifier, f"{value}", boxed(inner))
        assert correct(verifier, f"{value}", boxed(f"x = {inner}"))
        assert not correct(verifier, f"{value}", boxed(f"{other} {inner}"))
        assert not correct(verifier, f"{value}", boxed(f"{inner} {other}"))


@given(numbers)
def test_several_values_are_not_one_also_where_they_are_equal(value: int) -> None:
    for several in (rf"\{{{value},{value}\}}", rf"\phantom{{{value}}}"):
        assert not correct("math", f"{value}", boxed(several)), several


@given(st.integers(1, 30), st.integers(31, 60))
def test_named_values_may_be_a_tuple_in_their_order_alone(a: int, b: int) -> None:
    assert correct("math", f"x={a}, y={b}", boxed(f"({a},{b})"))
    assert not correct("math", f"x={a}, y={b}", boxed(f"({b},{a})"))
    assert not correct("math", f"{a}:{b}", boxed(f"{a}:{b}:1"), "What is the ratio?")
    assert correct("math", f"{a}:{b}", boxed(rf"{a}\colon {b}"), "What is the ratio?")


@given(numbers)
def test_a_gold_may_end_with_its_mark_on_the_same_line(value: int) -> None:
    for gold in (f"We add and get {value}. #### {value}", f"#### {value}", f"Two lines:\n#### {value}"):
        assert correct("number", gold, answered(str(value)))
        assert correct("math", gold, answered(str(value)))
        assert not correct("number", gold, answered(str(value + 1)))
    assert correct("math", rf"#### {value}\sqrt{{2}}", boxed(rf"{value}\sqrt2"))


CLOCKS = (
    "{}:{:02}|{}点{:02}分|{}時{:02}分です。|{}시 {:02}분입니다.|Il est {}h{:02}.|"
    "Son las {}:{:02}.|Сейчас {}:{:02}.|الساعة {}:{:02}|Es ist {}:{:02} Uhr.|{}{{:}}{:02}"
)


@given(st.integers(1, 12), st.integers(1, 59), st.sampled_from(CLOCKS.split("|")))
def test_a_time_of_day_may_be_written_as_abroad(hour: int, minute: int, clock: str) -> None:
    assert correct("time", f"{hour}:{minute:02}", clock.format(hour, minute))
    assert not correct("time", f"{hour}:{minute:02}", clock.format(hour, minute % 59 + 1))


def test_a_clock_that_asks_for_the_half_of_the_day_abroad() -> None:
    assert correct("time", "3:45 PM", "下午3点45分")
    assert correct("time", "3:30", "3点半")
    assert not correct("time", "3:45 PM", "上午3点45分")


OPTIONS = ["robin", "blue jay", "crow", "eagle"]


@pytest.mark.parametrize("letter", "ABCD")
@pytest.mark.parametrize(
    "said",
    [
        "La opción correcta es {}.",
        "A alternativa correta é {}.",
        "{}が正解です",
        "{}가 정답입니다",
        "Opción {}",
        "Вариант {}",
        "{} ist die richtige Antwort.",
        "{} est la bonne réponse.",
        "Правильный вариант: {}",
    ],
)
def test_an_option_is_declared_abroad(said: str, letter: str) -> None:
    for gold in "ABCD":
        assert correct("choice", gold, said.format(letter), "Which bird?", choices=OPTIONS) == (gold == letter)


@pytest.mark.parametrize(
    "said", ["None of them is a blue jay.", "a blue jay's nest", "B: a crow", "B-", "B+", "C: blue jay"]
)
def test_an_option_that_is_denied_or_goes_with_something_else_is_none(said: str) -> None:
    assert not correct("choice", "B", said, "Which bird?", choices=OPTIONS)
    assert not correct("mmmu", "B", said, "Which bird?", choices=OPTIONS)


def test_an_options_number_with_another_measure_is_not_its_text() -> None:
    angles = ["135°", "145°", "155°"]
    assert correct("choice", "B", "145 degrees", choices=angles)
    assert not correct("choice", "B", "145%", choices=angles)
