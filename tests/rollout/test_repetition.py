"""Repeat detection: loops of every period are caught at the same token by both readings, planted negatives never."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from vlrl.rollout.repetition import LoopWatch, Repetition

USUAL = Repetition()


def watched(tokens, rule):
    """`first_loop`, token by token."""
    watch = LoopWatch()
    watch.join([[]], [rule])
    for place, token in enumerate(tokens, 1):
        if watch.push([token])[0]:
            return place
    return None


@pytest.mark.parametrize("rule", [USUAL, Repetition(tokens=2, repeats=3), Repetition(tokens=40, repeats=2)])
@pytest.mark.parametrize("period", range(1, 65))
def test_loops_of_period_1_to_64_are_caught_where_the_run_is_long_enough(period, rule):
    rng = np.random.default_rng(period)
    start = rng.integers(1000, 2000, 37).tolist()
    loop = rng.permutation(500)[:period].tolist()
    response = start + loop * 300
    expected = len(start) + max(rule.tokens, rule.repeats * period)
    assert rule.first_loop(response) == expected
    assert watched(response[: expected + 5], rule) == expected
    assert rule.first_loop(response[: expected - 1]) is None


def test_a_hand_counted_loop():
    rule = Repetition(tokens=6, repeats=3, max_period=2)
    assert rule.first_loop([9, 1, 2, 1, 2, 1, 2, 1, 2]) == 7  # (1, 2) three times ends at the seventh token
    assert rule.first_loop([5, 5, 5, 5, 5]) is None
    assert rule.first_loop([5, 5, 5, 5, 5, 5]) == 6
    assert rule.first_loop([1, 2, 3] * 10) is None  # period 3 isn't looked for


@hypothesis_settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 2), max_size=60),
    st.integers(2, 12),
    st.integers(2, 4),
    st.integers(1, 6),
    st.integers(0, 60),
)
def test_reading_whole_and_token_by_token_agree_also_when_joined_midway(tokens, least, repeats, period, cut):
    rule = Repetition(tokens=least, repeats=repeats, max_period=period)
    whole = rule.first_loop(tokens)
    assert watched(tokens, rule) == whole
    if whole is not None and cut >= whole:
        return
    watch = LoopWatch()
    watch.join([[7, 8], tokens[:cut]], [None, rule])
    watch.keep([1])
    found = next((cut + i for i, t in enumerate(tokens[cut:], 1) if watch.push([t])[0]), None)
    assert found == whole


@pytest.mark.parametrize("rule", [USUAL, Repetition(repeats=8), Repetition(tokens=40, repeats=2)])
@pytest.mark.parametrize("period", [*range(1, 9), 13, 16, 31, 32, 33, 47, 63, 64])
def test_a_response_written_in_several_calls_loops_at_the_token_of_one_long_call(period, rule):
    rng = np.random.default_rng(period)
    response = rng.integers(1000, 2000, 37).tolist() + rng.permutation(500)[:period].tolist() * 600
    response = response[: 37 + max(rule.tokens, rule.repeats * period) + 5]
    whole = rule.first_loop(response)
    assert whole is not None
    for budget in (7, 64, 100, 128, 255):
        watch, found = LoopWatch(), None
        for place, token in enumerate(response):
            if place % budget == 0:
                watch = LoopWatch()
                watch.join([response[:place], []], [rule, Repetition(max_period=64)])
            if watch.push([token, place])[0]:
                found = place + 1
                break
        assert found == whole, budget


def division(numerator, denominator, steps):
    lines, rest = [], numerator
    for _ in range(steps):
        rest *= 10
        lines.append(f"Bring down 0: {rest} / {denominator} = {rest // denominator}, remainder {rest % denominator}.")
        rest %= denominator
    return "\n".join(lines)


NEGATIVES = {
    "long division of 1/7": division(1, 7, 24),
    "long division of 22/97": division(22, 97, 40),
    "long division where every line is the same": division(1, 3, 4),
    "digits of 1/7": "0." + "142857" * 20,
    "digits of 1/3": "0." + "3" * 120,
    "a googol": "1" + "0" * 100,
    "markdown rule": "Result\n" + "-" * 120 + "\ntext\n" + "=" * 120,
    "table": "| a | b | c | d |\n| --- | --- | --- | --- |\n" + "".join(f"| {i} | 0 | 0 | 0 |\n" for i in range(30)),
    "wide table rule": "|" + " --- |" * 24 + "\n" + "|" + " 0 |" * 24,
    "identity matrix": "\n".join(" ".join("1" if i == j else "0" for j in range(12)) for i in range(12)),
    "code": "".join(f"    if x == {i}:\n        return {i * i}\n    else:\n        pass\n" for i in range(30)),
    "closing brackets": "x = " + "[" * 60 + "]" * 60,
    "counting": ", ".join(map(str, range(200))),
    "step by step": "".join(f"Step {i}: add {i} to get {i * (i + 1) // 2}.\n" for i in range(60)),
    "chess board": ("#." * 8 + "\n" + ".#" * 8 + "\n") * 4,
}


@pytest.mark.parametrize("name", NEGATIVES)
def test_what_repeats_for_a_reason_is_no_loop(name, qwen3):
    text = NEGATIVES[name]
    for ids in (qwen3.tokenizer(text, add_special_tokens=False)["input_ids"], [ord(c) for c in text]):
        assert USUAL.first_loop(ids) is None
        assert watched(ids, USUAL) is None


def test_a_text_that_loops_is_caught_in_the_tokens_of_the_small_tokenizer(qwen3):
    for sentence in ("Wait, let me check.\n", "a", "the answer is 7. ", "| 0 | 0 |\n"):
        ids = qwen3.tokenizer("So " + sentence * 400, add_special_tokens=False)["input_ids"]
        assert watched(ids, USUAL) == USUAL.first_loop(ids) is not None


def test_every_response_is_watched_under_its_own_rule():
    watch = LoopWatch()
    watch.join([[], [], []], [Repetition(tokens=4), None, Repetition(tokens=8, max_period=3)])
    seen = [watch.push([3, 3, 3]).tolist() for _ in range(8)]
    assert [row[0] for row in seen] == [False] * 3 + [True] * 5
    assert not any(row[1] for row in seen)
    assert [row[2] for row in seen] == [False] * 7 + [True]
