"""The published scorers' rules one by one, on answers made up by hand."""

from __future__ import annotations

import random

import pytest

from vlrl.verify.official import gsm8k, mathvision, mathvista, mmmu, tabmwp

# --- MathVista -------------------------------------------------------------------------------------------------------

CHOICES = ["triangle", "square", "circle", "pentagon"]


def choose(extraction, choices=CHOICES, **options):
    return mathvista.prediction(extraction, choices, "multi_choice", "text", None, **options)


@pytest.mark.parametrize(
    ("extraction", "expected"),
    [
        ("B", "square"),
        (" B ", "square"),
        ("(b) square", "square"),
        ("(a)", "triangle"),  # a small letter in brackets is a letter; by distance it would be "square"
        ("not (C) but (A)", "circle"),  # the first letter in brackets
        ("squares", "square"),
        ("b", "square"),  # a small letter goes by distance: all texts are far, the shortest of them is nearest
        ("E", "square"),  # a letter beyond the range goes by distance too
        ("", "square"),  # … and so does silence: luck
        (None, "square"),  # "None", as text
        ("(E)", "square"),
    ],
)
def test_mathvista_takes_a_letter_or_else_the_nearest_choice(extraction, expected):
    assert choose(extraction) == expected


def test_mathvista_a_letter_maps_to_the_choice_even_where_choices_are_letters():
    assert choose("A", ["B", "C", "A"]) == "B"


def test_mathvista_ties_of_the_nearest_choice_go_to_the_first():
    assert choose("xx", ["ab", "cd"]) == "ab"


def test_mathvista_may_ignore_empty_answers():
    assert choose("", ignore_empty=True) is None
    assert choose("B", ignore_empty=True) == "square"


@pytest.mark.parametrize(
    ("extraction", "with_int", "with_int_float"),
    [
        ("5", "5", "5"),
        ("3.9", None, "3"),
        ("-3.9", None, "-3"),
        ("5.0", None, "5"),
        ("1,000", None, None),
        ("", None, None),
        ("inf", None, None),
        ("nan", None, None),
        ("9" * 5000, None, None),
        (7, "7", "7"),
    ],
)
def test_mathvista_has_two_integer_rules(extraction, with_int, with_int_float):
    for rule, expected in (("int", with_int), ("int-float", with_int_float)):
        assert mathvista.prediction(extraction, None, "free_form", "integer", None, rule) == expected


@pytest.mark.parametrize(
    ("extraction", "precision", "expected"),
    [
        ("1.20", 1, "1.2"),
        ("1.25", 1, "1.2"),
        ("1.5", 2, "1.5"),
        ("3/4", 2, None),
        ("$5", 1, None),
        ("5%", 1, None),
        ("1,000.5", 1, None),
        ("2", 2, "2.0"),
    ],
)
def test_mathvista_floats_are_rounded_and_compared_as_text(extraction, precision, expected):
    assert mathvista.prediction(extraction, None, "free_form", "float", precision) == expected


def test_mathvista_lists_keep_their_spelling():
    assert mathvista.prediction("[2014,2016]", None, "free_form", "list", None) == "[2014,2016]"
    assert mathvista.prediction([2014, 2016], None, "free_form", "list", None) == "[2014, 2016]"


def test_mathvista_extraction_by_rule_ends_where_a_language_model_begins():
    rule = mathvista.quick_extraction
    assert rule("", CHOICES, "multi_choice", "text") == ""
    assert rule("square", CHOICES, "multi_choice", "text") == "square"
    assert rule(" 7 ", None, "free_form", "integer") == "7"
    assert rule("7", None, "free_form", "float") == "7.0"
    assert rule("It is a square.", CHOICES, "multi_choice", "text") is None
    said = 'The answer is "14". So "yes".'
    assert rule(said, None, "free_form", "integer") is None
    assert rule(said, None, "free_form", "integer", quick=True) == '14". So "yes'  # greedy, as published


# --- MMMU ------------------------------------------------------------------------------------------------------------

OPTIONS = mmmu.letters(["red", "green", "blue", "grey"])


@pytest.mark.parametrize(
    ("response", "letter"),
    [
        ("B", "B"),
        ("B.", "B"),
        ("(B) green, not (C)", "C"),  # the latest bracketed letter
        ("(A) or (B)? No, (A)", "A"),  # by its last occurrence
        ("A or B , no A I say", "A"),
        ("I think it is A or D", "D"),  # and of the bare ones
        ("A dog is seen", "A"),  # the article counts
        ("(A) because C is", "A"),  # brackets first
        ("the colour of the sky is blue today", "C"),  # content, more than five words
        ("green then blue, so finally the Green one", "B"),  # the latest content
        ("it is blue", None),  # five words or fewer: drawn at random
        ("b", None),
        ("", None),
        ("'B'", "B"),
        ("B;,", "B"),  # each mark is stripped once, in the order , . ! ? ; : '
        ("B,;", None),
    ],
)
def test_mmmu_letter_of_a_response(response, letter):
    assert mmmu.parse_choice(response, OPTIONS) == letter


def test_mmmu_fallback_is_drawn_in_row_order_from_seed_42():
    rng, again = random.Random(mmmu.SEED), random.Random(42)
    assert [mmmu.draw_choice(OPTIONS, rng) for _ in range(20)] == [again.choice("ABCD") for _ in range(20)]


@pytest.mark.parametrize(
    ("response", "letter"),
    [
        ("Answer: B", "B"),
        ("Answer: B or C. Answer: C", "C"),  # after the last cue
        ("Answer: DNA", "A"),  # letters are looked for as substrings; D, A … not unique: then the rest decides
        ("VITAMIN B is", "B"),  # "X " needs no blank before it
        ("OPTION C.", "C"),
        ("(A) not (B)", "B"),
        ("It must be the colour of grass: green", "B"),
    ],
)
def test_mmmu_pro_letter_of_a_response(response, letter):
    assert mmmu.parse_pro_choice(response, OPTIONS) == letter


def test_mmmu_open_candidates_are_the_shortest_tails_and_their_numbers():
    assert mmmu.parse_open("x = 5") == [5.0]
    assert mmmu.parse_open("Yes") == ["yes"]
    # the text is lowered before it is split at capitals: one piece, the shortest tail of "is ", "so " and "thus "
    assert mmmu.parse_open("It is X. Thus Y") == [" y", "y "]
    # one piece a line; "=" is a cue in the last one only
    assert mmmu.parse_open("the area = 3\nthe answer is 4 m") == ["4 m", 4.0]
    # the plain pattern finds numbers inside a grouped one too
    assert mmmu.parse_open("x is 1,234") == [1234.0, 234.0]
    assert mmmu.parse_open("x is 1,234.5") == [1234.5, 1234.0, 234.5]


@pytest.mark.parametrize(
    ("response", "answers", "right"),
    [
        ("the value is 3.14159", ["3.14"], True),  # two decimals
        ("the value is 3.15", ["3.14"], False),
        ("it is a large ocean basin", ["ocean"], True),  # the gold as a part of the text
        ("it is x", ["x"], True),
        ("it is exact", ["x"], False),  # one letter must stand alone
        ("$1,000", ["1000"], True),
        ("1e3", ["1000"], True),
        ("none", ["red", "none"], True),
        ("", ["7"], False),
    ],
)
def test_mmmu_open_answers(response, answers, right):
    assert mmmu.open_is_right(mmmu.parse_open(response), answers) is right


# --- MATH-Vision -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "extraction"),
    [
        ("so it must be B.", "b"),
        ("hence (D).", "d"),
        ("C\nbecause", "c"),
        ("(E)\nbecause", "e"),
        ("(A) A\nbecause", "a"),
        ("The area is 12.5.", "12.5"),
        ("Therefore the answer is 7 cm. It follows", "7cm"),
        ("\\boxed{3} and then \\boxed{(B)}", "b"),
        ("\\boxed{\\text{B}}", "b"),
        ("\\boxed{x = 4}", "4"),
        ("\\boxed{\\dfrac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{.5}", "\\frac{1}{2}"),
        ("\\boxed{3/4}", "\\frac{3}{4}"),
        ("\\boxed{\\frac1\\sqrt3}", "\\frac{1}{\\}sqrt{3}"),
        ("\\boxed{60^\\circ}", "60"),
        ("\\boxed{5\\text{ km}}", "5"),
        ("\\boxed{\\$12}", "12"),
        ("\\boxed{2 \\approx 2.01}", "2.01"),
        ("The correct answer is: 9", "9"),
    ],
)
def test_mathvision_extraction(response, extraction):
    assert mathvision.extract(response) == extraction


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        ("B", "b", True),
        ("", "", False),
        (" ", "3", False),
        ("1/3", "0.333", True),
        ("0.33", "0.34", False),
        ("\\sqrt{2}", "1.41", True),
        ("2\\pi", "6.28", True),
        ("(1, 2)", "(1,2)", True),
        ("(1/3,2)", "(0.33,2)", True),
        ("(1,2)", "(2,1)", False),
        ("(3,-4)", "[3,-4]", False),
        ("7", "__import__('os')", False),
        ("12cm", "12", False),
    ],
)
def test_mathvision_equality_is_text_or_value_to_two_decimals(a, b, equal):
    assert mathvision.equal(a, b) is equal
    assert mathvision.equal(b, a) is equal


def test_mathvision_takes_the_letter_or_the_text_behind_it():
    options = ["$\\frac{1}{2}$", "3"]
    assert mathvision.is_right("A", options, "a")
    assert mathvision.is_right("A", options, "0.5")
    assert not mathvision.is_right("A", options, "3")
    assert not mathvision.is_right("7", [], "")


# --- TabMWP and GSM8K ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "options", "prediction"),
    [
        ("B", ["yes", "no"], "no"),
        ("(a)", ["yes", "no"], "yes"),
        ("The answer is (B) no.", ["yes", "no"], "no"),
        ("The answer is D", ["yes", "no"], None),  # drawn at random there: no prediction here
        ("certainly the big red car", ["a small car", "a big red bus"], "a big red bus"),
        ("", ["yes", "no"], "yes"),  # luck
        ("The answer is 1,200.", [], "1,200"),
        ("Add: 3 + 4 = $7", [], "$7"),
        ("3+4=7", [], "7"),
        ("It costs $5 and the rest is 8", [], "8"),
        ("It opens at 7:25 P.M.", [], "7:25 P.M."),
        ("$\\frac{3}{4}$", [], "3/4"),
        ("−5", [], "-5"),
        ("none", [], "none"),
    ],
)
def test_tabmwp_extraction(response, options, prediction):
    assert tabmwp.extract(response, options) == prediction


@pytest.mark.parametrize(
    ("text", "unit", "normal"),
    [
        ("$1,000", None, "1000"),
        ("3/4", None, "0.75"),
        ("2.0000", None, "2"),
        ("1.2345", None, "1.234"),
        ("007", None, "7"),
        ("12 apples", "apples", "12"),
        ("5/0", None, "5/0"),
        ("1.2.3", None, "1.2.3"),
        ("-3", None, "-3"),
    ],
)
def test_tabmwp_normal_form(text, unit, normal):
    assert tabmwp.normalise(text, unit) == normal


@pytest.mark.parametrize(
    ("response", "right"),
    [
        ("so 6*3=18\n#### 18", True),
        ("so 18\nA: $18.00.", True),
        ("#### 17\n#### 18", True),
        ("#### 18\n#### 17", False),
        ("the answer is 18", False),
        ("#### 18 apples", False),
        ("####", False),
        ("#### 1e1", False),
    ],
)
def test_gsm8k_takes_the_number_after_the_last_mark(response, right):
    assert gsm8k.is_right("18", gsm8k.extract(response)) is right


def test_gsm8k_numbers_drop_thousands_commas():
    assert gsm8k.is_right("1200", gsm8k.extract("#### 1,200"))
