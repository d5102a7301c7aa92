"""Pulleys, billiard, carts, small sudoku, trends and summaries: the answer follows from what is drawn or by hand."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from vlrl.scenes.billiard import ACROSS, DOWN, _contacts
from vlrl.scenes.carts import _meeting
from vlrl.scenes.domain import domains
from vlrl.scenes.line_trend import longest_run
from vlrl.scenes.small_sudoku import _solve, _solved, _units
from vlrl.seeding import stream

ROPE = (120, 84, 48)


def drawn(name: str, count: int, difficulty: float, size: int = 288):
    made = domains.build({"name": name, "size": size})
    return [made.draw(stream(9, "scenes", name, i), difficulty) for i in range(count)]


@pytest.mark.parametrize("difficulty", [0.0, 0.5, 1.0])
def test_the_strands_that_carry_the_load_are_those_in_the_image(difficulty):
    for draft in drawn("pulleys", 12, difficulty, 400):
        row = np.asarray(draft.images[0])[round(400 * 0.405)].astype(int)  # between the upper and the lower wheels
        rope = np.abs(row - ROPE).max(axis=1) < 40
        seen = int((np.diff(np.concatenate([[0], rope.astype(int)])) == 1).sum())
        strands = int(re.match(r"(\d) strand", draft.thought)[1])
        assert seen in (strands, strands + 1)  # a rope that is pulled down has one strand more, which carries nothing
        low = np.asarray(draft.images[0])[round(400 * 0.8)].astype(int)
        red = (np.abs(low - (214, 48, 49)).max(axis=1) < 30).any()
        assert seen == strands + bool(red)


def test_a_ball_follows_the_mirrors_of_the_edges_by_hand():
    found = _contacts((Fraction(2), Fraction(2)), (1, 1), 3)
    assert found == [(9, 9), (12, 6), (6, 0)]  # down right to the lower edge, up to the right edge, up left to the top
    assert (ACROSS, DOWN) == (12, 9)
    assert _contacts((Fraction(3), Fraction(3)), (-1, -1), 1) is None  # into the corner


def test_a_ball_ends_where_small_steps_end():
    rng = np.random.default_rng(0)
    for _ in range(20):
        way = (int(rng.choice([-2, -1, 1, 2])), int(rng.choice([-3, -1, 1, 3])))
        start = (int(rng.integers(2, 10)), int(rng.integers(2, 7)))
        exact = _contacts((Fraction(start[0]), Fraction(start[1])), way, 4)
        if exact is None:
            continue
        for spot in exact:  # unfolded: a straight line whose coordinates are folded back into the table
            folded = [
                any(
                    abs(abs((start[i] + way[i] * t + span) % (2 * span) - span) - float(spot[i])) < 1e-9
                    for t in _times(start, way, spot)
                )
                for i, span in enumerate((ACROSS, DOWN))
            ]
            assert all(folded)


def _times(start, way, spot):
    """Times at which the unfolded straight line is over one of the spot's images across, and so may be at the spot."""
    images = [sign * float(spot[0]) + 2 * ACROSS * k for k in range(-8, 9) for sign in (1, -1)]
    return [t for t in ((image - start[0]) / way[0] for image in images) if t > 0]


@pytest.mark.parametrize("chase", [False, True])
def test_carts_meet_where_both_are_at_the_same_time(chase):
    rng = np.random.default_rng(1)
    for _ in range(60):
        (at, speed), (other, against), meeting, seconds = _meeting(rng, 30, chase)
        assert at + speed * seconds == other + against * seconds == meeting
        assert 0 < at < other < 30
        assert 0 <= meeting <= 30
        assert (speed * against > 0) == chase


def _completions(grid, high, wide):
    side = high * wide
    free = [(r, c) for r in range(side) for c in range(side) if (r, c) not in grid]
    if not free:
        yield grid
        return
    options = {
        cell: set(range(1, side + 1)) - {grid[c] for unit in _units(cell, high, wide) for c in unit if c in grid}
        for cell in free
    }
    cell = min(free, key=lambda c: len(options[c]))
    for number in options[cell]:
        yield from _completions({**grid, cell: number}, high, wide)


@pytest.mark.parametrize(("high", "wide"), [(2, 2), (2, 3)])
def test_a_small_sudoku_has_one_number_for_its_question_mark(high, wide):
    rng, side, asked = np.random.default_rng(2), high * wide, 0
    while asked < 10:
        full = _solved(rng, high, wide)
        for unit in (u for cell in full for u in _units(cell, high, wide)):
            assert {full[c] for c in unit} == set(range(1, side + 1))
        cells = [(int(n) // side, int(n) % side) for n in rng.permutation(side * side)]
        given = {cell: full[cell] for cell in cells[1 : 1 + side * side * 3 // 5]}
        if _solve(given, cells[0], high, wide) is None:
            continue
        asked += 1
        found = {grid[cells[0]] for grid, _ in zip(_completions(given, high, wide), range(200), strict=False)}
        assert found == {full[cells[0]]}


def test_the_longest_run_by_hand():
    assert longest_run(["up", "up", "down", "up"], "up") == 2
    assert longest_run(["up", "up"], "down") == 0


@pytest.mark.parametrize("difficulty", [0.0, 0.5, 1.0])
def test_the_steps_that_a_trend_names_give_its_answer(difficulty):
    for draft in drawn("line_trend", 40, difficulty, 160):
        words, answer = draft.thought.removesuffix(f": {draft.answer}").split(), int(draft.answer)
        if "cross" in draft.question or "lead" in draft.question:
            expected = sum(a != b for a, b in pairwise(words))
        elif "above" in draft.question or "higher" in draft.question:
            expected = words.count("above")
        else:
            wanted = "up" if re.search(r"\bris|\brise", draft.question) else "down"
            runs = "in a row" in draft.question or "longest run" in draft.question
            expected = longest_run(words, wanted) if runs else words.count(wanted)
        assert answer == expected, draft


def test_the_bars_of_a_summary_end_where_its_thought_says():
    made = domains.build({"name": "bar_summary", "size": 400})
    for i in range(20):
        draft = made.draw(stream(9, "scenes", "bar_summary", i), 1.0)
        if not draft.thought.startswith("in order"):
            continue
        values = [int(v) for v in draft.thought.removeprefix("in order ").split(":")[0].split()]
        pixels = np.asarray(draft.images[0]).astype(int)
        wide = (88.0 - 6.0) / len(values)
        ends = []
        for bar in range(len(values)):
            row = pixels[round((6 + (bar + 0.5) * wide) * 4)]
            coloured = np.flatnonzero(row.max(axis=1) - row.min(axis=1) > 25)
            ends.append((coloured.max() / 4 - 21) / 7.5)
        step = max(values) / max(round(e) for e in ends)
        assert sorted(round(round(e) * step) for e in ends) == values
