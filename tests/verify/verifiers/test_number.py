"""The verifier `number` and the grammar of numerals under it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patience import answered, problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge
from vlrl.verify.values.quantity import read_quantity
from vlrl.verify.values.units import read_unit


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-12", -12),
        ("−12", -12),
        ("+12", 12),
        ("12.50", "12.5"),
        (".5", "0.5"),
        ("12.", 12),
        ("007", 7),
        ("1,234,567.8", "1234567.8"),
        ("1{,}000", 1000),
        ("1\\,000", 1000),
        ("1\u202f000", 1000),
        ("1e3", 1000),
        ("1.5E-3", "0.0015"),
        ("1.5 × 10^3", 1500),
        ("1.5\\times10^{3}", 1500),
        ("2 \\cdot 10^{-2}", "0.02"),
        ("10^3", 1000),
        ("3/4", "3/4"),
        ("-3/4", "-3/4"),
        ("\\frac{3}{4}", "3/4"),
        ("\\dfrac34", "3/4"),
        ("-\\frac{3}{4}", "-3/4"),
        ("1 1/2", "3/2"),
        ("1\\frac{1}{2}", "3/2"),
        ("½", "1/2"),
        ("2½", "5/2"),
        ("six", 6),
        ("twenty-one", 21),
        ("minus three", -3),
        ("one hundred and five", 105),
        ("zero", 0),
        ("two million three hundred thousand", 2300000),
        ("nineteen hundred", 1900),
        ("twenty hundred", None),
        ("$6$", 6),
        ("\\(6\\)", 6),
        ("**6**", 6),
        ("`6`", 6),
        ("x = 6", 6),
        ("$5", 5),
        ("-$5", -5),
        ("\\$5.50", "5.5"),
        ("€5", 5),
        ("6 cm", 6),
        ("6 \\text{ cm}", 6),
        ("6cm²", 6),
        ("60 km/h", 60),
        ("6%", 6),
        ("6 percent", 6),
        ("6\\%", 6),
        ("45°", 45),
        ("45^\\circ", 45),
        ("6 square centimetres", 6),
    ],
)
def test_every_claimed_form_is_read_exactly(text: str, value: object):
    found = read_quantity(text)
    if value is None:
        assert found is None
    else:
        assert found is not None
        assert found.value == Fraction(str(value))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "6 or 7",
        "6-7",
        "6±1",
        "~6",
        "6!",
        "6+",
        "2+3",
        "2^5",
        "(6)",
        "6 7",
        "1/0",
        "NaN",
        "inf",
        "6²",
        "1e401",
        "9" * 401,
        "0x6",
        "1_000",
        "6x",
        "five hundred six seven",
        "one two",
        "hundred",
        "6..",
        "--6",
        "-$-6",
        "6 or",
        "not 6",
        "1 3/2",
        "6 cm 7",
        "twenty eleven",
        "5 = 6",
        "six hundred seven eight",
    ],
)
def test_what_is_no_single_numeral_is_refused(text: str):
    assert read_quantity(text) is None


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("cm", "centimetres"),
        ("cm²", "square centimeters"),
        ("cm^2", "cm2"),
        ("feet", "ft"),
        ("km/h", "kilometres per hour"),
        ("hours", "hr"),
    ],
)
def test_units_have_one_name(a: str, b: str):
    assert read_unit(a) == read_unit(b)


def score(gold: str, answer: str, question: str = "How many apples?", **metadata: object) -> float:
    return judge(problem("number", gold, question, **metadata), answered(answer)).score


def test_values_are_compared_exactly_unless_the_problem_says_otherwise():
    assert score("0.5", "1/2") == 1
    assert score("1/3", "0.33") == 0
    assert score("0.1", "0.1000000000000000000000001") == 0
    assert score("1e-7", "0") == 0


def test_the_tolerance_includes_its_boundary_and_nothing_beyond():
    assert score("0.3", "0.4", tolerance=0.1) == 1  # 0.4 − 0.3 > 0.1 in floating point, not in fractions
    assert score("0.3", "0.4000000000001", tolerance=0.1) == 0
    assert score("200", "202", relative_tolerance=0.01) == 1
    assert score("200", "202.001", relative_tolerance=0.01) == 0
    assert score("-200", "-198", relative_tolerance=0.01) == 1


def test_precision_rounds_both():
    assert score("1.23", "1.2345", precision=2) == 1
    assert score("1.23", "1.2", precision=2) == 0
    assert score("1.2", "1.249", precision=1) == 1
    assert score("1.2", "1.26", precision=1) == 0
    assert score("1.2", "1.249", precision=1.0) == 1  # some data sets hold it as a float


def test_a_unit_may_be_left_away_but_not_exchanged():
    assert score("6", "6 cm", unit="cm") == score("6", "6", unit="cm") == score("6 cm", "6 centimeters") == 1
    assert score("6", "6 m", unit="cm") == score("6 cm", "6 mm") == score("6", "$6", unit="cm") == 0


def test_percent_is_free_where_percent_is_asked():
    assert score("50", "50%", "What percent is red?") == 1
    assert score("50", "50%", "How many are red?") == 0
    assert score("50", "50%", percent_sign="optional") == 1
    assert score("50%", "50") == 1
    assert score("0.5", "50%") == 1
    assert score("50%", "0.5%") == 0


def test_other_golds_may_be_accepted():
    assert score("6", "7", accepted=["7"]) == 1
    assert score("6", "8", accepted=["7"]) == 0


def test_a_gold_that_is_no_number_is_a_fault_not_a_zero():
    verdict = judge(problem("number", "many"), answered("6"))
    assert verdict.fault is not None
    assert "not a number" in verdict.fault


@pytest.mark.parametrize(
    ("sentence", "right"),
    [
        ("There are 6 cards in the image.", True),
        ("So 2 + 4 = 6.", True),
        ("The total of 2 and 4 is 6.", True),
        ("Sure, I can help. The sum is **6**.\n\nDo you have other questions?", True),
        ("There are 6 or 7 cards.", False),
        ("There are about 6 cards.", False),
        ("There are not 6 cards.", False),
        ("There are 16 cards.", False),
        ("There are 6 million cards.", False),
        ("I see 2 dogs and 6 cats", False),
        ("Are there 6 cards?", False),
    ],
)
def test_a_sentence_counts_only_where_it_commits_to_one_number(sentence: str, right: bool):
    assert judge(problem("number", "6"), sentence).correct is right


def spellings(value: int) -> list[str]:
    return [
        str(value),
        f"{value}.0",
        f"+{value}" if value >= 0 else str(value),
        f"{value:,}",
        f"${value}$",
        f"\\({value}\\)",
        f"**{value}**",
        f"{value}.",
        f"x = {value}",
        f"{value}e0",
        f"\\text{{{value}}}",
        f"{value} apples",
        f"{value} \\text{{ apples}}",
        f" {value} ",
        str(value).replace("-", "−"),
        f"{value * 2}/2",
        f"\\frac{{{value * 3}}}{{3}}",
        f"\\boxed{{{value}}}",
    ]


@given(st.integers(-(10**12), 10**12))
def test_the_gold_is_right_in_every_claimed_spelling(value: int):
    for text in spellings(value):
        assert score(str(value), text) == 1, text


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_equality_is_symmetric_and_another_value_is_wrong(a: int, b: int):
    for x, y in zip(spellings(a), spellings(b), strict=True):
        if "apples" in x or "boxed" in x:
            continue
        assert score(x.strip(), y) == score(y.strip(), x) == float(a == b)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**6), max_value=10**6, places=4))
def test_decimals_are_read_without_rounding(value: object):
    found = read_quantity(f"{value:f}")
    assert found is not None
    assert found.value == Fraction(f"{value:f}")


@given(st.text(max_size=60))
def test_no_text_breaks_the_grammar(text: str):
    read_quantity(text)


@pytest.mark.parametrize(
    ("response", "right"),
    [("The thermometer reads 23 °C.", True), ("The temperature is 23°C.", True), ("It shows 23 degrees Celsius.", True),
     ("It reads 23 °F.", False), ("The scale ends at 23 °C.", False), ("The temperature fell by 23 °C.", False),
     ("It would read 23 °C in summer.", False), ("The thermometer is 23 cm long.", False)],
)  # fmt: skip
def test_a_temperature_in_prose_has_its_unit(response: str, right: bool):
    question = "What is the temperature shown on the thermometer, in °C?"
    assert judge(problem("number", "23", question), response).correct == right
