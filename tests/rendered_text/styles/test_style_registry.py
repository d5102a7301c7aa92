"""Styles: all ink inside, letters as high as promised, the same pixels again, and honest refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlrl.errors import ConfigError, DataError
from vlrl.rendered_text.styles.style_registry import styles
from vlrl.rendered_text.styles.table_style import TableColours, lay_table
from vlrl.rendered_text.typesetting.fonts import font_of_height
from vlrl.rendered_text.typesetting.line_breaking import wrap

PROSE = "Quick brown foxes jump over 13 lazy dogs; how many legs is that (in all)? Ägypten gjpqy |_ {x}"
PAGES = {
    "plain": PROSE * 4,
    "dark": PROSE * 4,
    "table": "Who?\n| Day | Visitors to the old museum in town | Price |\n|---|---|---|\n| Monday | 12 | $3 |\nSum?",
    "code": 'def f(x):\n    """Doc."""\n    return x ** 2  # square\n\n\nprint(f(3) + len("'
    + "a long text " * 9
    + '"))',
}


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def ink(image) -> np.ndarray:
    """Where the image differs from its upper left pixel, (H, W)."""
    pixels = np.asarray(image).astype(int)
    return np.abs(pixels - pixels[0, 0]).max(axis=2) > 24


@pytest.mark.parametrize("name", sorted(PAGES))
def test_no_ink_lies_in_the_margin(name):
    style = styles.build(name)
    marked = ink(style.draw(PAGES[name], rng()))
    edge = style.margin - 3  # slanted letters may lean a pixel or two into the margin
    inside = marked[edge:-edge, edge:-edge]
    assert inside.any()
    assert marked.sum() == inside.sum()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_page_grows_with_the_text_until_the_text_is_refused(name):
    style = styles.build(name)
    once, thrice = (style.draw("\n".join([PAGES[name]] * times), rng()) for times in (1, 3))
    assert once.width == thrice.width == style.width
    assert thrice.height > 2 * once.height
    with pytest.raises(DataError, match="at most 1792 high"):
        style.draw("\n".join([PAGES[name]] * 60), rng())


@pytest.mark.parametrize("pixels", [9, 12, 14, 20])
@pytest.mark.parametrize("name", ["plain", "dark", "code"])
def test_capitals_are_as_high_as_promised(name, pixels):
    style = styles.build({"name": name, "capital_pixels": pixels})
    rows = np.flatnonzero(ink(style.draw("H", rng())).any(axis=1))
    assert pixels <= rows[-1] - rows[0] + 1 <= pixels + 2


@pytest.mark.parametrize("name", [*sorted(PAGES), "cells"])
def test_the_same_text_gives_the_same_pixels(name):
    text = PAGES.get(name, "4-3+5=?")
    first, second = (np.asarray(styles.build(name).draw(text, rng())) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("name", [*sorted(PAGES), "cells"])
def test_a_character_without_a_glyph_is_refused(name):
    with pytest.raises(DataError, match="no glyph for '中'"):
        styles.build(name).draw("中", rng())


def test_dark_pages_are_dark():
    assert np.asarray(styles.build("dark").draw("x", rng())).mean() < 60
    assert np.asarray(styles.build("plain").draw("x", rng())).mean() > 240


def test_every_character_has_its_own_cell():
    marked = ~ink(styles.build({"name": "cells", "cell": 16, "size": 48}).draw("0" + " " + "88", rng()))
    filled = [[(~marked[r : r + 16, c : c + 16]).any() for c in (0, 16, 32)] for r in (0, 16, 32)]
    assert filled == [[True, True, True], [False] * 3, [False] * 3]


@pytest.mark.parametrize("cell", [8, 12, 16, 24])
@pytest.mark.parametrize("character", list("gjpqyQ|()[]{}@%WÄ_0123456789+-*=?"))
def test_a_glyph_lies_whole_inside_its_cell(cell, character):
    style = styles.build({"name": "cells", "cell": cell, "size": 3 * cell, "keep_spaces": True})
    pixels = 255 - np.asarray(style.draw("    " + character, rng()).convert("L")).astype(int)
    whole = np.asarray(font_of_height("mono", cell * 5 // 8, bold=True).getmask(character, mode="L"), dtype=int).sum()
    middle = pixels[cell : 2 * cell, cell : 2 * cell].sum()
    assert middle == pixels.sum()
    assert middle == whole


def test_contrast_is_full_in_cells():
    pixels = np.asarray(styles.build({"name": "cells", "cell": 16, "size": 48}).draw("88", rng()))
    assert pixels.min() < 10
    assert pixels.max() == 255


def test_too_many_characters_for_the_cells_are_refused():
    with pytest.raises(DataError, match="10 characters, 3×3 cells hold 9"):
        styles.build({"name": "cells", "cell": 16, "size": 48}).draw("1234567890", rng())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "cells", "cell": 20, "size": 48}, "multiple"),
        ({"name": "cells", "cell": 4, "size": 48}, "too small"),
        ({"name": "cells", "cel": 4}, "did you mean 'cell'"),
        ({"name": "code", "language": "pythn"}, "pythn"),
        ({"name": "code", "theme": "nothing"}, "nothing"),
        ({"name": "plain", "family": "comic"}, "family"),
    ],
)
def test_settings_that_can_not_be_are_refused(spec, message):
    with pytest.raises(ConfigError, match=message):
        styles.build(spec)


def test_a_table_wraps_between_words_where_it_can():
    style = styles.build({"name": "table", "width": 448})
    narrow = "| Day | " + "many words " * 12 + "|\n| Tuesday | 9 |"
    block = lay_table(
        [["Day", "many words " * 12], ["Tuesday", "9"]], 448 - 33, font_of_height("sans", 12), 6, TableColours()
    )
    assert block.rows[1][0] == ["Tuesday"]
    assert sum(block.widths) <= 448 - 32
    assert style.draw(narrow, rng()).width == 448


def test_a_table_with_too_many_columns_is_refused():
    with pytest.raises(DataError, match="40 columns don't fit"):
        styles.build("table").draw(" | ".join(["ab"] * 40), rng())


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.sampled_from("ab W.,\n\tilMg"), max_size=120), width=st.integers(20, 200))
def test_wrapped_lines_fit_and_lose_no_word(text, width):
    font = font_of_height("sans", 10)
    lines = wrap(text, width, font.getlength)
    assert all(font.getlength(line) <= width + 1 for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_wrapping_keeps_line_breaks_and_indentation():
    assert wrap("a\n\n  b c", 100, len) == ["a", "", "  b c"]
    assert wrap("aa bb cc", 5, len) == ["aa bb", "cc"]
    assert wrap("abcdefg h", 3, len) == ["abc", "def", "g h"]
    with pytest.raises(DataError, match="wider than a line"):
        wrap("a", 0, len)
