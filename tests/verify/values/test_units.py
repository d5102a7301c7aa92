"""Units by prefix and base, derived units in base units, money by sign and word, LaTeX's Ω and μ; bases and ratios."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from patience import problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge
from vlrl.verify.values.units import read_unit

PREFIXES = {"n": -9, "μ": -6, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9}
SYMBOLS = ["N", "J", "W", "Pa", "V", "A", "Ω", "F", "C", "T", "Hz", "eV"]
ALIKE = [
    ("J", "N·m"), ("W", "J/s"), ("V", "W/A"), ("Ω", "V/A"), ("Hz", "s^{-1}"), ("Pa", "N/m^2"), ("C", "A·s"),
    ("W", "V·A"),
    ("N", "kg·m/s^2"), ("F", "C/V"), ("mol/L", "mol/l"), ("eV", "electron volts"), ("Ω", "ohms"), ("kΩ", "kiloohm"),
    ("\\Omega", "Ω"), ("\\mu\\text{m}", "micrometers"), ("\\mu C", "microcoulombs"), ("\\mu F", "μF"),
]  # fmt: skip


def is_right(gold: str, answer: str, question: str = "What is it?") -> bool:
    return judge(problem("math", gold, question=question), rf"\boxed{{{answer}}}").correct


@given(st.integers(1, 999), st.sampled_from(sorted(PREFIXES)), st.sampled_from(SYMBOLS))
@example(2, "m", "N")  # no million
@settings(max_examples=40)
def test_a_prefix_is_a_power_of_ten(value: int, prefix: str, symbol: str):
    one, other = read_unit(prefix + symbol), read_unit(symbol)
    assert one is not None
    assert other is not None
    assert one.dimension == other.dimension
    power = PREFIXES[prefix]
    assert is_right(f"{value} {prefix}{symbol}", rf"{value}\times 10^{{{power}}}\text{{ {symbol}}}")
    assert not is_right(f"{value} {prefix}{symbol}", rf"{value}\times 10^{{{power + 1}}}\text{{ {symbol}}}")


@given(st.integers(1, 999))
@settings(max_examples=10)
def test_units_of_one_kind_are_one(value: int):
    for one, other in ALIKE:
        for gold, answer in ((one, other), (other, one)):
            assert is_right(rf"{value}\ {gold}", rf"{value}\ {answer}"), (gold, answer)
            assert not is_right(rf"{value}\ {gold}", rf"{value + 1}\ {answer}"), (gold, answer)


@given(st.integers(1, 999))
@settings(max_examples=10)
def test_money_by_sign_and_word(value: int):
    for gold, answer in (("¥{}", "{}元"), ("{}元", "¥{}"), ("¥{}", "{} yen"), ("£{}", r"{}\text{{ pounds}}"),
                         ("{} yuan", "{}元")):  # fmt: skip
        assert is_right(gold.format(value), answer.format(value)), (gold, answer)
        assert not is_right(gold.format(value), answer.format(value + 1)), (gold, answer)
    assert not is_right(f"{value} kg", f"£{value}")
    assert not is_right(f"{value}元", f"{value} yen")


@given(st.integers(8, 500), st.sampled_from([2, 3, 5, 8]))  # of two digits at least: one with an index may be a name
@settings(max_examples=30)
def test_a_number_in_another_base_is_its_value_and_not_its_digits(value: int, base: int):
    digits, rest = "", value
    while rest:
        digits, rest = str(rest % base) + digits, rest // base
    for form in (f"{digits}_{base}", rf"{digits}_{{{base}}}"):
        assert is_right(form, f"{digits}_{base}")
        assert is_right(str(value), form)
        assert not is_right(form, digits)
        assert not is_right(str(value + 1), form)
        assert not is_right(form, f"{digits}0_{base}")


@given(st.integers(1, 99), st.integers(2, 99))
@settings(max_examples=20)
def test_ratios_and_chinese_fractions(a: int, b: int):
    for gold, answer in (("{}:{}", "{}∶{}"), ("{} to {}", "{}:{}"), ("{}/{}", "{}:{}"), ("{}:{}", "{}/{}")):
        assert is_right(gold.format(a, b), answer.format(a, b), "What is the ratio?"), (gold, answer)
        assert not is_right(gold.format(a, b), answer.format(a, b + 1), "What is the ratio?"), (gold, answer)


@pytest.mark.parametrize(
    ("gold", "answer", "question", "right"),
    [
        ("40", "百分之四十", "男生占全班的百分之几?", True),
        ("3/4", "四分之三", "阴影部分占几分之几?", True),
        ("3/4", "三分之四", "阴影部分占几分之几?", False),
        ("0.5", "二分之一", "", True),
        ("3", r"3\,\Omega", "What is the resistance, in ohms?", True),
        ("3", r"3\,\Omega", "How many apples are in the basket?", False),
        ("0.21", "0.21 N/C", "What is the magnitude of the electric field at $r=2.00 R_2$?", True),
        ("0.21", "0.21 N/C", "How heavy is the box that the man carries?", False),
        ("3", r"3\,\Omega", "What is the resistance of the lamp?", True),
        ("5", r"5\ \mu\text{C}", "What is the charge in microcoulombs?", True),
        ("5", r"5\ \text{C}", "What is the charge in microcoulombs?", False),
        ("y=2x+3", r"y\approx 2x+3", "", False),
        ("x=5", r"x\approx5", "", False),
        ("$x = 1/3$", r"x = 5+5+1 = 1/3 \approx 11", "", True),
        ("$1/3$", r"\frac{1}{3}\text{ meters}", "", True),
    ],
)
def test_what_the_gold_and_the_question_decide(gold: str, answer: str, question: str, right: bool):
    assert is_right(gold, answer, question) is right
