"""Breaking lines of mixed pieces."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlrl.rendered_text.page import OverfullError
from vlrl.rendered_text.typesetting.fonts import font_of_height
from vlrl.rendered_text.typesetting.inline import Word, break_pieces

FONTS = [font_of_height("sans", 10), font_of_height("mono", 14)]


@settings(max_examples=150, deadline=None)
@given(text=st.text(st.sampled_from("abWi. "), max_size=80), width=st.integers(25, 160))
def test_lines_fit_and_lose_no_character(text, width):
    words = re.findall(r"\s+|\S+", text)
    lines = break_pieces([Word(word, FONTS[i % 2], (0, 0, 0)) for i, word in enumerate(words)], width)
    for line in lines:
        inked = [i for i, piece in enumerate(line) if not piece.text.isspace()]
        assert sum(piece.width for piece in line[: inked[-1] + 1] if inked) <= width + 1 if inked else True
    assert "".join("".join(p.text for p in line) for line in lines).replace(" ", "") == text.replace(" ", "")


def test_pieces_without_space_between_them_stay_together():
    pieces = [Word("see", FONTS[0], (0, 0, 0)), Word(" ", FONTS[0], (0, 0, 0)), Word("bold", FONTS[1], (0, 0, 0))]
    comma = Word(",", FONTS[0], (0, 0, 0))
    width = sum(piece.width for piece in pieces) + comma.width / 2
    assert [[p.text for p in line] for line in break_pieces([*pieces, comma], width)] == [["see", " "], ["bold", ","]]
    with pytest.raises(OverfullError, match=r"'W' is .* wide"):
        break_pieces([Word("W", FONTS[0], (0, 0, 0))], 3)
