"""The text of a response."""

from __future__ import annotations

import pytest

from vlrl.rollout.response_text import ends_in_stop_string, response_text


class Letters:
    """Token i is the i-th piece."""

    PIECES = ("ab", "c. d", "e", "<end>")

    def decode(self, ids, **_):
        return "".join(self.PIECES[i] for i in ids)


@pytest.mark.parametrize(
    ("tokens", "stop", "said"),
    [
        ((0, 1, 2), (), "abc. de"),
        ((0, 2, 3), (), "abe"),  # the end token is not shown
        ((3,), (), ""),
        ((), (), ""),
        ((0, 1), (". ",), "abc. "),  # what follows within the token is cut
        ((0, 1), (".", "b"), "ab"),  # the first of several
        ((0, 1), ("z",), "abc. d"),
    ],
)
def test_the_end_token_is_not_shown_and_a_stop_string_ends_the_text(tokens, stop, said):
    assert response_text(Letters(), tokens, {3}, stop) == said


@pytest.mark.parametrize(
    ("tokens", "stop", "ends"),
    [
        ((0, 1), (". ",), True),  # within the last token
        ((0, 1), ("z", "bc"), True),  # begun in the token before it
        ((0, 1, 2, 2), ("z", "c"), False),  # further back than its length: it was found when it came
        ((0, 1), (), False),
        ((0, 3), ("<end>",), False),  # the end token is not text
    ],
)
def test_a_stop_string_is_found_when_its_last_token_comes(tokens, stop, ends):
    assert ends_in_stop_string(Letters(), tokens, {3}, stop) == ends
