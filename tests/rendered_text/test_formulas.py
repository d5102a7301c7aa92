"""Formulas: what mathtext sets, and errors that name the place of what it doesn't."""

from __future__ import annotations

import numpy as np
import pytest

from vlrl.errors import DataError
from vlrl.rendered_text.styles.style_registry import styles
from vlrl.rendered_text.typesetting.formula_drawing import set_formula
from vlrl.rendered_text.typesetting.markup import MarkupBlock, read_blocks, read_inline, read_lines
from vlrl.rendered_text.typesetting.tex import Frame, Table, TexError, read
from vlrl.rendered_text.undrawable import UndrawableError


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
    text = "Let $x^2$ be and $a + \\xrightarrow{b}$."
    with pytest.raises(UndrawableError, match=r"formula 2, at '\\\\xrightarrow") as caught:
        styles.build("math").draw(text, rng())
    assert "Unknown symbol" in str(caught.value)
    assert caught.value.remedy


def test_a_missing_glyph_in_a_formula_is_an_error_every_time():
    for _ in range(2):
        with pytest.raises(DataError, match=r"formula 1.*does not have a glyph"):
            styles.build("math").draw("$a 中$", rng())


def test_a_formula_is_set_larger_for_the_sake_of_its_smallest_script():
    assert set_formula("x_{1_2}", 14, "stix", 6, 1).smallest_capital == pytest.approx(14 * 0.49)
    assert set_formula("x_{1_2}", 14, "stix", 7, 1).smallest_capital == pytest.approx(15 * 0.49)
    nested = set_formula(r"\frac{x^2-1}{\sqrt{x+1}}", 12, "stix", 6, 1)
    assert nested.smallest_capital == pytest.approx(13 * 0.49)


def test_scripts_below_the_floor_at_the_largest_size_are_refused():
    with pytest.raises(UndrawableError, match=r"scripts of 10.8 pixels at 1.6 times its size, the least is 11"):
        set_formula("x_{1_2}", 14, "stix", 11, 1)


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
        ("$5 now and 6$ later", [("plain", "$5 now and 6$ later")]),
        ("It's $5. Or 3$, with $x$", [("plain", "It's $5. Or 3$, with "), ("formula", "x")]),
        ("if $5 x = 3$", [("plain", "if "), ("formula", "5 x = 3")]),
        ("of $2 \\text{ and } 3$", [("plain", "of "), ("formula", "2 \\text{ and } 3")]),
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


@pytest.mark.parametrize(
    ("tex", "pieces"),
    [
        (r"\frac1x", (r"\frac{1}{x}",)),
        (r"\sqrt2+\sqrt[3]{x}", (r"\sqrt{2}+\sqrt[3]{x}",)),
        (r"x^10", ("x^{1}0",)),
        (r"x^\frac12", (r"x^{\frac{1}{2}}",)),
        (r"\bigl(x\bigr)", (" (x )",)),
        (r"50%", (r"50\%",)),
        (r"\text{if $x>0$ then}", (r"\text{if }{x>0}\text{ then}",)),
        (r"\boxed{3}", (Frame(("3",)),)),
        (
            r"a\begin{pmatrix}1&2\\3\end{pmatrix}",
            ("a", Table(((("1",), ("2",)), (("3",), ())), "(", ")", "cc")),
        ),
        (r"\left\{\begin{array}{lr}1&2\end{array}\right.", (Table(((("1",), ("2",)),), r"\{", "", "lr"),)),
        (r"\begin{cases}1&a\\2&b\\\end{cases}", (Table(((("1",), ("a",)), (("2",), ("b",))), r"\{", "", "ll"),)),
    ],
)
def test_formulas_are_read_as_tex_reads_them(tex, pieces):
    assert read(tex) == pieces


@pytest.mark.parametrize(
    ("tex", "problem"),
    [
        ("{a", "{ is never closed"),
        ("a}", "} has no beginning"),
        (r"\frac{1}{2", "{ is never closed"),
        (r"\frac{1}", "the end stands where an argument is missing"),
        (r"\sqrt", "the end stands where an argument is missing"),
        (r"\left( x", r"\left has no \right"),
        (r"x \right)", r"\right has no \left"),
        ("a & b", "& stands outside of a table"),
        (r"a \\ b", r"\\ stands outside of a table"),
        (r"\begin{cases}1", r"'cases' has no \end"),
        (r"\begin{cases}1\end{matrix}", "'cases' ends as another environment"),
        (r"\begin{tikzimage}1\end{tikzimage}", "'tikzimage' is no environment that can be set"),
        (r"\begin{array}{c|c}1&2\end{array}", "only l, c and r"),
        (r"\frac{\begin{matrix}1\end{matrix}}{2}", "can't be set inside"),
        (r"\begin{matrix}1\end{matrix}^T", "can't be set after a table"),
        (r"\end{matrix}", r"\end has no \begin"),
        (r"\text{costs $5}", "dollar sign that is never closed"),
    ],
)
def test_a_mistake_in_a_formula_is_named(tex, problem):
    with pytest.raises(TexError) as caught:
        read(tex)
    assert problem in caught.value.problem
    with pytest.raises(UndrawableError, match="formula 1"):
        set_formula(tex, 14, "stix", 6, 1)


def test_a_table_is_as_high_as_its_rows_and_its_delimiters_enclose_it():
    one = set_formula(r"\begin{bmatrix}1\end{bmatrix}", 14, "stix", 6, 1)
    three = set_formula(r"\begin{bmatrix}1\\2\\3\end{bmatrix}", 14, "stix", 6, 1)
    bare = set_formula(r"\begin{matrix}1\\2\\3\end{matrix}", 14, "stix", 6, 1)
    assert len(three.mask) > 2.5 * len(one.mask)
    assert three.mask[:, : three.width // 4].any(axis=1).mean() > 0.9, "the left bracket is as high as the table"
    assert len(three.mask) >= len(bare.mask)
    assert abs((three.ascent - three.descent) / 2 - 14 / 0.66 * 0.25) < 3, "its middle lies on the axis of fractions"


def test_cells_keep_their_columns():
    formula = set_formula(r"\begin{matrix}111&1\\1&111\end{matrix}", 14, "stix", 6, 1)
    columns = np.flatnonzero(~(formula.mask > 60).any(axis=0))
    gaps = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
    assert max(len(gap) for gap in gaps) >= 10


def test_random_formulas_are_drawn_or_refused_by_name_and_never_end_otherwise():
    draw = np.random.default_rng(2)
    tokens = [
        *"abx12+=()[]{}{}^_&%~$'|", r"\\", r"\frac", r"\sqrt", r"\left", r"\right", r"\begin{cases}", r"\end{cases}",
        r"\text{if }", r"\alpha", r"\unknown", r"\boxed", r"\pmod", " ", r"\begin{pmatrix}", r"\end{pmatrix}", r"\\",
    ]  # fmt: skip
    drawn = 0
    for _ in range(400):
        tex = "".join(tokens[int(i)] for i in draw.integers(len(tokens), size=int(draw.integers(1, 7))))
        try:
            drawn += set_formula(tex, 14, "stix", 4, 1).width > 0
        except UndrawableError:
            continue
    assert drawn > 20
