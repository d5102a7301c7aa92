"""How outputs compare, as judges of contests do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlrl.verify.code.plain_values import PlainError, decode, encode, same_value
from vlrl.verify.code.stdout_comparison import compare_output


@pytest.mark.parametrize(
    ("printed", "expected", "lines", "tokens", "exact"),
    [
        ("1 2\n", "1 2\n", "equal", "equal", "equal"),
        ("1 2", "1 2\n", "equal", "equal", "presentation"),
        ("1 2  \n\n", "1 2\n", "equal", "equal", "presentation"),
        ("1  2\n", "1 2\n", "presentation", "equal", "presentation"),
        ("1\n2\n", "1 2\n", "presentation", "equal", "presentation"),
        (" 1 2\n", "1 2\n", "presentation", "equal", "presentation"),
        ("1 3\n", "1 2\n", "different", "different", "different"),
        ("", "1\n", "different", "different", "different"),
        ("", "", "equal", "equal", "equal"),
        ("1 2 3\n", "1 2\n", "different", "different", "different"),
        ("Yes\n", "YES\n", "different", "different", "different"),
        ("1\r\n2\r\n", "1\n2\n", "equal", "equal", "presentation"),
    ],
)
def test_whitespace_counts_as_the_setting_says(printed, expected, lines, tokens, exact):
    found = [compare_output(printed.encode(), expected, whitespace) for whitespace in ("lines", "tokens", "exact")]
    assert found == [lines, tokens, exact]


@pytest.mark.parametrize(
    ("printed", "tolerance", "match"),
    [
        ("0.3333333", 1e-6, "equal"),
        ("0.3334", 1e-6, "different"),
        ("0.3334", None, "different"),
        ("0.3334", 1e-3, "equal"),
        ("nan", 1e-3, "different"),
        ("x", 1e-3, "different"),
        ("0.33333 0", 1e-3, "different"),
    ],
)
def test_numbers_with_a_point_may_be_near(printed, tolerance, match):
    assert compare_output(printed.encode(), "0.333333333", "lines", tolerance) == match


def test_whole_numbers_are_never_near():
    assert compare_output(b"1000001\n", "1000000\n", "lines", 1e-3) == "different"


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@given(PLAIN)
def test_plain_data_survives_the_way_out(value):
    back = decode(encode(value))
    assert back == value
    assert type(back) is type(value)
    assert same_value(back, value)


@pytest.mark.parametrize(
    ("got", "expected", "same"),
    [
        (3, 3, True),
        (3, 3.0, True),
        (True, 1, False),
        (1, True, False),
        (0.1 + 0.2, 0.3, True),
        (0.31, 0.3, False),
        ((1, 2), [1, 2], True),
        ([1, [2.0]], [1, (2,)], True),
        ("1", 1, False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"b": 1}, False),
        (float("nan"), 3, False),
        (10**20, 10**20 + 1, False),
        (None, 0, False),
        ({1, 2}, {2, 1}, True),
    ],
)
def test_values_compare_as_plain_data(got, expected, same):
    assert same_value(got, expected) is same


@pytest.mark.parametrize(
    "said",
    [[1], {"unknown": 1}, {"int": "x"}, {"int": 3}, {"list": 3}, {"a": 1, "b": 2}, 5, {"dict": [[{"list": []}, 1]]}],
)
def test_what_is_no_tagged_value_is_refused(said):
    with pytest.raises(PlainError):
        decode(said)
