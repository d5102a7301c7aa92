"""A problem without its images: what is left of it to ask."""

from __future__ import annotations

import pytest
from curation_cases import ask_image, ask_text, drawn_image, encoded

from vlrl.curation.asked_prompts import without_images
from vlrl.types import Image, Problem, Text


@pytest.fixture(scope="module")
def image() -> Image:
    return encoded(drawn_image(0))


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        ("How many?", "How many?"),
        ("<image 1> and <image_2>: which is larger?", "and : which is larger?"),
        ("  <image>\nHow many?", "How many?"),
        ("An <imagemap> is no image.", "An <imagemap> is no image."),
    ],
)
def test_images_go_also_where_the_text_names_them(image, typed, left):
    assert without_images(ask_image(image, typed)).prompt == (Text(left),)


def test_pieces_of_text_are_joined_in_order(image):
    problem = Problem((Text("Is "), image, Text(" larger than "), image, Text("?")), "7", "number", "real", "tests")
    assert without_images(problem).question == "Is  larger than ?"


def test_where_nothing_is_typed_there_is_nothing_to_ask(image):
    assert without_images(ask_image(image, " <image> ")) is None


def test_a_text_problem_stays_as_it_is():
    assert without_images(ask_text("3+4=?")).id == ask_text("3+4=?").id
