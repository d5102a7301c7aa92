"""Formulas: what mathtext sets, and errors that name the place of what it doesn't."""

from __future__ import annotations

import numpy as np
import pytest

from vlrl.errors import DataError
from vlrl.rendered_text.formula import set_formula
from vlrl.rendered_text.markup import MarkupBlock, read_blocks, read_inline, read_lines
from vlrl.rendered_text.styles import styles


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_formula_stands_on_the_line_of_the_words():
    style = styles.build({"name": "math", "capital_pixels": 24})
    pixels = np.asarray(style.draw("E\\(\\mathrm{E}\\)", rng()).convert("L")) < 128
    columns = np.flatnonzero(pixels.any(axis=0))
    word, formula = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
    rows = [np.flatnonzero(pixels[:, part].any(axis=1)) for part in (word, formula)]
    assert abs(int(rows[0][-1]) - int(rows[1][-1])) <= 1
    assert abs(len(rows[0]) - len(rows[1])) <= 3


@pytest.mark.parametrize(
    "tex",
    ["x \\le 5", "\\tfrac12", "\\dfrac{1}{2}", "a \\ge b \\implies c", "\\lim\\limits_{x \\to 0} x", "\\text{so } x"],
)
def test_other_names_of_what_mathtext_sets_are_set(tex):
    assert set_formula(tex, 14, "stix", 5, 1).mask.max() > 200


def test_other_names_mean_the_same_pixels():
    for one, other in [
        ("x\\le y", "x\\leq y"),
        ("\\tfrac12", "\\frac{1}{2}"),
        ("\\left\\{x\\right\\}", "\\left\\{x\\right\\}"),
    ]:
        assert np.array_equal(set_formula(one, 14, "stix", 5, 1).mask, set_formula(other, 14, "stix", 5, 1).mask)


def test_what_mathtext_can_not_set_is_an_error_with_its_place():
    text = "Let $x^2$ be and $a + \\begin{matrix}1\\end{matrix}$."
    with pytest.raises(DataError, match=r"formula 2, at '\\\\begin\{matrix\}") as caught:
        styles.build("math").draw(text, rng())
    assert "Unknown symbol" in str(caught.value)
    assert caught.value.remedy


def test_a_missing_glyph_in_a_formula_is_an_error_every_time():
    for _ in range(2):
        with pytest.raises(DataError, match=r"formula 1.*does not have a glyph"):
            styles.build("math").draw("$a 中$", rng())


def test_scripts_below_the_floor_are_refused():
    assert set_formula("x_{1_2}", 14, "stix", 6, 1).smallest_capital == pytest.approx(14 * 0.49)
    with pytest.raises(DataError, match=r"scripts of 6.9 pixels, the least is 7"):
        set_formula("x_{1_2}", 14, "stix", 7, 1)


def test_a_formula_wider_than_the_line_is_refused():
    with pytest.raises(DataError, match=r"a formula is .* wide"):
        styles.build({"name": "math", "width": 120}).draw("$a+b+c+d+e+f+g+h+i+j$", rng())


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("costs $5 and $7 more", [("plain", "costs $5 and $7 more")]),
        ("from $5-$7 or $ 3 $", [("plain", "from $5-$7 or $ 3 $")]),
        ("so $x$ pays \\$3", [("plain", "so "), ("formula", "x"), ("plain", " pays $3")]),
        ("and \\(y\\)", [("plain", "and "), ("formula", "y")]),
        ("**b** `c*d`", [("bold", "b"), ("plain", " "), ("code", "c*d")]),
        ("2**3 and 3**2", [("plain", "2**3 and 3**2")]),
    ],
)
def test_parts_of_a_line(text, parts):
    assert read_inline(text) == parts


def test_blocks_of_a_text():
    text = (
        "# T\nline\n\n1. a\n  - b\n| x | y |\n|--|--|\n| 1 | 2 | 3 |\n```c\nint x;\n\n$$\n```\nSo $$a$$ ends\n```\nopen"
    )
    assert read_blocks(text) == [
        MarkupBlock("heading", "T", "#"),
        MarkupBlock("text", "line"),
        MarkupBlock("gap"),
        MarkupBlock("item", "a", "1."),
        MarkupBlock("item", "b", "•", level=1),
        MarkupBlock("table", rows=(("x", "y", ""), ("1", "2", "3"))),
        MarkupBlock("code", "int x;\n\n$$", "c"),
        MarkupBlock("text", "So"),
        MarkupBlock("formula", "a"),
        MarkupBlock("text", "ends"),
        MarkupBlock("text", "```"),
        MarkupBlock("text", "open"),
    ]


def test_without_markup_only_formulas_are_read():
    assert read_lines("# T\n$$x$$\n- a") == [
        MarkupBlock("text", "# T"),
        MarkupBlock("formula", "x"),
        MarkupBlock("text", "- a"),
    ]
