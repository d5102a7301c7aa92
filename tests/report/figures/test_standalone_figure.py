"""Names beside points don't overlap."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from vlrl.report.figures.standalone_figure import LABEL_HEIGHT, LETTER_WIDTH, Mark, label_rises, marks_figure

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
