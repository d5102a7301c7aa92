"""JSON and CSV: what is shown is what was written."""

from __future__ import annotations

import json

import numpy as np
import pytest

from vlrl.errors import DataError
from vlrl.rendered_text.styles.data_style import Csv, Json, indented


def test_json_is_found_between_prose_and_indented():
    prose, data, more = Json().parts('Look at {x}: {"a": [1.50, -2e3, 7], "b": {}, "c": null, "d": []} ok?')
    assert (prose, more) == ("Look at {x}:", "ok?")
    shown = indented(data[0], 2, 0)
    assert shown.split("\n")[1:3] == ['  "a": [1.50, -2e3, 7],', '  "b": {},']
    assert json.loads(shown) == {"a": [1.5, -2000.0, 7], "b": {}, "c": None, "d": []}


def test_a_key_given_twice_stays_twice():
    (data,) = Json().parts('{"a": 1, "a": true}')
    assert indented(data[0], 2, 0) == '{"a": 1, "a": true}'


def test_long_values_are_spread_over_lines():
    data = {"rows": [{"name": f"row number {i}", "é": "ü"} for i in range(3)]}
    (found,) = Json().parts(json.dumps(data))
    shown = indented(found[0], 2, 0)
    assert max(len(line) for line in shown.split("\n")) < 50
    assert json.loads(shown) == data


def test_csv_keeps_quoted_commas_and_prose():
    parts = Csv().parts('Add these:\na,b\n"x, y",2\n\nWhat, then?')
    assert parts == ["Add these:", (("a", "b"), ("x, y", "2")), "What, then?"]


@pytest.mark.parametrize(("style", "message"), [(Json(), "holds no JSON"), (Csv(), "no two lines")])
def test_a_text_without_data_is_refused(style, message):
    with pytest.raises(DataError, match=message):
        style.draw("What is [x, that?", np.random.default_rng(0))
