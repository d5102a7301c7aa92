"""Names beside points don't overlap, and lines are told apart."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlrl.report.figures.standalone_figure import (
    LABEL_HEIGHT,
    LETTER_WIDTH,
    Mark,
    curves_figure,
    label_rises,
    marks_figure,
)

PLACES = st.dictionaries(
    st.text("abc_", min_size=1, max_size=9), st.tuples(st.floats(0, 80), st.floats(0, 60)), max_size=8
)


@given(PLACES)
def test_no_two_names_share_a_place_and_lone_ones_stay(places):
    rises = label_rises(places)
    assert min(rises.values(), default=0) == 0
    for one, other in combinations(places, 2):
        (x, y), (u, v) = places[one], places[other]
        beside = x + LETTER_WIDTH * len(one) <= u or u + LETTER_WIDTH * len(other) <= x
        assert beside or abs(y + rises[one] - v - rises[other]) >= LABEL_HEIGHT - 1e-6


def test_a_figure_has_every_name(tmp_path):
    same = Mark(15.0, 0.98, (14.9, 15.2), (0.97, 0.99))
    text = marks_figure({"merge": same, "short": same}, "tokens", "accuracy", tmp_path / "marks.svg").read_text()
    assert "merge" in text
    assert "short" in text


@pytest.mark.parametrize("count", [3, 10, 20])
def test_every_arm_of_a_figure_has_a_line_of_its_own_look(tmp_path, count):
    arms = {f"arm_{i}": [np.array([[0.0, i], [1.0, i + 1.0]])] for i in range(count)}
    drawn = curves_figure(arms, "x", "y", tmp_path / "curves.svg").read_text()
    assert all(f"arm_{i} (n = 1)" in drawn for i in range(count))
    looks = re.findall(r"style=\"fill: none; (stroke[^\"]*?); stroke-width: 1.8", drawn)
    assert len(set(looks)) == count
