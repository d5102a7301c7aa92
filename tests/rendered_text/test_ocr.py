"""What a reader that isn't ours makes of the pages: tesseract on clean and mildly distorted pages."""

from __future__ import annotations

import numpy as np
import pytest

from vlrl.rendered_text.distortion import Distortion
from vlrl.rendered_text.ocr import character_accuracy, edits, read_page
from vlrl.rendered_text.styles.style_registry import styles

PROSE = (
    "In April the museum sold 48 tickets to its friends, and in May it sold half as many. Anna counted every visitor "
    "who came before noon: there were 136 of them. How many tickets did the museum sell in both months?"
)
CODE = '''def visitors(days):
    """Count the visitors of all days."""
    total = 17
    for index in range(len(days)):
        if days[index] % 4 == 0:
            total += index * 3  # every fourth
    return total'''
TABLE = "Name | Boxes | Price\nAnna | 147 | 23.50\nBruno | 86 | 41.75\nCarla | 529 | 18.25\nDavid | 63 | 97.40"
PAGES = {
    "plain": ({"name": "plain"}, PROSE),
    "serif": ({"name": "plain", "family": "serif"}, PROSE),
    "dark": ({"name": "dark"}, PROSE),
    "code": ({"name": "code"}, CODE),
    "table": ({"name": "table"}, TABLE),
}


def page_of(name: str):
    spec, text = PAGES[name]
    return styles.build({**spec, "capital_pixels": 14}).draw(text, np.random.default_rng(0)), text.replace(" |", "")


@pytest.fixture(scope="module")
def tesseract(program) -> str:
    """Skips, or fails where suites are required, without tesseract."""
    return program("tesseract")


@pytest.mark.parametrize("name", sorted(PAGES))
def test_clean_pages_are_read(tesseract, name):
    page, text = page_of(name)
    assert character_accuracy(text, read_page(page)) >= 0.97


@pytest.mark.parametrize("name", ["plain", "code", "table"])
def test_mildly_distorted_pages_are_read(tesseract, name):
    page, text = page_of(name)
    photo = Distortion.model_validate("mild").apply(page, np.random.default_rng(5))
    assert character_accuracy(text, read_page(photo)) >= 0.90


def test_a_page_without_its_last_line_is_noticed(tesseract):
    page, text = page_of("plain")
    assert character_accuracy(text, read_page(page.crop((0, 0, page.width, page.height - 40)))) < 0.97


@pytest.mark.parametrize(
    ("first", "second", "number"),
    [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), ("abc", "xabc", 1), ("flaw", "lawn", 2)],
)
def test_edits_are_those_of_levenshtein(first, second, number):
    assert edits(first, second) == number


def test_accuracy_forgives_white_space_and_signs_that_look_alike():
    assert character_accuracy("it's  a\nb-c", "it’s a b—c\n") == 1.0
    assert character_accuracy("abcd", "abxd") == 0.75
    assert character_accuracy("a", "something else") == 0.0
