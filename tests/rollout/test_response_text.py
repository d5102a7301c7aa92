"""The text of a response."""

from __future__ import annotations

import pytest

from vlrl.rollout.response_text import response_text


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
