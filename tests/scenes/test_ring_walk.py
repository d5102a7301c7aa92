"""Walks on a ring: moves by hand, chains that hold every step, lengths by style, no answer likelier than another."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from vlrl.errors import ConfigError
from vlrl.scenes.domain import draw_problem
from vlrl.scenes.ring_walk import MOVES, STYLES, RingWalk
from vlrl.seeding import stream


def draw(count=100, difficulty=1.0, **settings):
    made = RingWalk(**settings)
    return [made.draw(stream(0, i), difficulty) for i in range(count)]


def test_every_move_is_the_one_worked_out_by_hand():
    assert {move: [step(x) for x in (0, 3, 9)] for move, step in MOVES.items()} == {
        "+": [1, 4, 0],
        "-": [9, 2, 8],
        "^": [5, 8, 4],
        "~": [9, 6, 0],
        "*": [0, 9, 7],
    }


def test_every_move_reaches_every_number_once():
    for step in MOVES.values():
        assert sorted(map(step, range(10))) == list(range(10))


def test_styles_show_the_same_steps_in_more_or_fewer_tokens():
    steps = [(4, "+", 5), (5, "-", 4), (4, "~", 5)]
    assert {name: style(steps) for name, style in STYLES.items()} == {
        "none": "",
        "values": "545",
        "moves": "+5-4~5",
        "words": "+to5,-to4,~to5",
        "loose": "+ to 5, - to 4, ~ to 5",
        "checked": "+5-4~5;+5-4~5",
    }


def test_a_chain_of_moves_goes_over_the_question_and_ends_at_the_answer():
    for draft in draw(kinds="+-^~*"):
        assert draft.question == draft.question[0] + "".join(re.findall(r"[^\d]", draft.thought)) + "?"
        value = int(draft.question[0])
        for move, after in re.findall(r"([^\d])(\d)", draft.thought):
            value = MOVES[move](value)
            assert value == int(after)
        assert draft.answer == str(value)


def test_the_style_of_its_worked_response_does_not_change_the_problem():
    short, long = RingWalk(styles=("values",)), RingWalk(styles=("checked",))
    for i in range(20):
        a, b = (draw_problem(made, stream(1, i), 0.5) for made in (short, long))
        assert a[0].id == b[0].id
        assert len(a[1].response) < len(b[1].response)


def test_difficulty_is_the_number_of_moves_and_all_answers_are_alike_likely():
    assert {len(d.question) - 2 for d in draw(moves=(2, 7), difficulty=0.0)} == {2}
    assert {len(d.question) - 2 for d in draw(moves=(2, 7), difficulty=1.0)} == {7}
    counts = Counter(d.answer for d in draw(2000))
    assert len(counts) == 10
    assert max(counts.values()) < 260  # 200 expected, 4.5 standard deviations


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"kinds": "+%"}, "use some of"),
        ({"styles": ("move",)}, "did you mean 'moves'"),
        ({"styles": ()}, "is empty"),
        ({"moves": (3, 2)}, "the smaller first"),
    ],
)
def test_settings_that_make_no_walk_are_refused(more, said):
    with pytest.raises(ConfigError, match=said):
        RingWalk(**more)
