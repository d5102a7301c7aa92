"""Slots: every response gets one once, within the limits, prompts of like length together, continued ones first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from vlrl.model.cost import CALL_TOKENS, CostModel
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.scheduler import Queue, passes
from vlrl.types import Rollout, Segment

TEXT = SimpleNamespace(num_attention_heads=0, num_hidden_layers=0, head_dim=1)
COST = CostModel(SimpleNamespace(get_text_config=lambda: TEXT), {"language": 100})  # no attention: tokens alone count


@dataclass(frozen=True)
class Prompt:
    num_tokens: int


def requests(sizes):
    return [Request(Prompt(length), k, Sampling(), 0) for length, k in sizes]


def with_begun(request, *tokens):
    rollouts = tuple(Rollout((Segment((5,) * n, (-1.0,) * n, 0),), "", "unfinished") for n in tokens)
    return replace(request, resume_from=rollouts, num_rollouts=len(rollouts))


def served(queue, sizes):
    """All entries in the order in which they get slots; each row is busy for a while."""
    busy, held, order = [], {}, []
    while queue or busy:
        for entry in queue.take(len(busy), held):
            busy += [(entry.request, i) for i in entry.indices]
            held[entry.request] = sizes[entry.request][0]
            order.append(entry)
        yield busy, held
        busy = busy[2:]
        held = {r: n for r, n in held.items() if r in queue.waiting or any(r == other for other, _ in busy)}
    return order


def test_who_is_expected_to_be_longest_begins_first_after_those_that_were_begun():
    """Prompts of 9, 5 and 7 tokens; without an expectation the longest prompt is first."""
    asked = requests([(9, 1), (5, 1), (7, 1)])
    assert [one.request for one in Queue(asked, 3, 100).take(0, {})] == [0, 2, 1]
    told = [replace(one, expected_tokens=tokens) for one, tokens in zip(asked, (10.0, 80.0, 80.0), strict=True)]
    assert [one.request for one in Queue(told, 3, 100).take(0, {})] == [2, 1, 0]
    begun = [with_begun(told[0], 2), *told[1:]]
    assert [one.request for one in Queue(begun, 3, 100).take(0, {})] == [0, 2, 1]


SIZES = st.lists(st.tuples(st.integers(1, 300), st.integers(1, 20), st.booleans()), max_size=20)


@settings(deadline=None)
@given(SIZES, st.integers(1, 50), st.integers(1, 900))
def test_every_response_gets_a_slot_once_continued_ones_first_and_the_limits_hold(sizes, max_num_seqs, prefill):
    asked = [
        with_begun(one, *([2] * one.num_rollouts)) if resume_from else one
        for one, (_, _, resume_from) in zip(requests([(n, k) for n, k, _ in sizes]), sizes, strict=True)
    ]
    queue = Queue(asked, max_num_seqs, prefill)
    found = set()
    for busy, held in served(queue, sizes):
        assert len(busy) <= queue.slots <= max_num_seqs
        if any(r not in {q for q, _ in found} and not sizes[r][2] for r, _ in busy):
            assert not any(sizes[r][2] for r in queue.waiting)
        found |= set(busy)
        if len(held) > 1:
            assert len(held) * max(held.values()) <= prefill
    assert found == {(r, i) for r, (_, k, _) in enumerate(sizes) for i in range(k)}


def test_long_prompts_do_not_pad_short_ones():
    queue = Queue(requests([(10, 8), (300, 8), (12, 8), (310, 8)]), 16, 10_000)
    assert [entry.request for entry in queue.take(0, {})] == [3, 1]
    assert [entry.request for entry in queue.take(0, {})] == [2, 0]


def test_a_free_slot_is_taken_by_one_response_of_a_prompt():
    queue = Queue(requests([(10, 4), (9, 4)]), 3, 10_000)
    assert [(e.request, e.indices) for e in queue.take(0, {})] == [(0, (0, 1, 2))]
    assert queue.take(3, {0: 10}) == []
    assert [(e.request, e.indices) for e in queue.take(1, {0: 10})] == [(0, (3,)), (1, (0,))]
    assert queue.waiting == {1}
    assert len(queue) == 3


def taken(queue, busy, held):
    return [(entry.request, entry.indices) for entry in queue.take(busy, held)]


def test_continued_responses_come_first_longest_prompts_first_and_take_slots_one_by_one():
    fresh, first, second = requests([(50, 4), (30, 1), (10, 1)])
    queue = Queue([fresh, with_begun(first, 3, 4, 5), with_begun(second, 1, 2)], 4, 10_000)
    assert taken(queue, 0, {}) == [(1, (0, 1, 2)), (2, (0,))]
    assert taken(queue, 3, {1: 30, 2: 10}) == [(2, (1,))]
    assert taken(queue, 2, {2: 10}) == [(0, (0, 1))]


def test_no_fresh_response_gets_a_slot_while_a_continued_one_waits():
    fresh, long, short = requests([(5, 4), (60, 1), (10, 1)])
    queue = Queue([fresh, with_begun(long, 3), with_begun(short, 3)], 4, 100)
    assert taken(queue, 1, {7: 50}) == [(2, (0,))]  # two prompts of 60 are too many tokens; the shorter one fits
    assert taken(queue, 2, {7: 50, 2: 10}) == []
    assert taken(queue, 0, {}) == [(1, (0,))]
    assert taken(queue, 0, {}) == [(0, (0, 1, 2, 3))]


def test_what_has_ended_or_has_no_room_gets_no_slot():
    (one,) = requests([(10, 1)])
    resume_from = with_begun(one, 3, 4)
    ended = replace(
        resume_from, resume_from=(replace(resume_from.resume_from[0], finish_reason="stop"), resume_from.resume_from[1])
    )
    assert [e.indices for e in Queue([ended], 9, 100).take(0, {})] == [(1,)]
    assert len(Queue([ended], 9, 100)) == 1


@given(st.lists(st.integers(1, 900), max_size=30), st.integers(1, 2000))
def test_passes_hold_everything_longest_first_within_the_limit(lengths, limit):
    found = passes(lengths, limit, COST)
    assert sorted(i for some in found for i in some) == list(range(len(lengths)))
    assert [lengths[i] for some in found for i in some] == sorted(lengths, reverse=True)
    assert all(len(p) == 1 or len(p) * max(lengths[i] for i in p) <= limit for p in found)


def test_a_pass_pays_for_at_most_as_much_padding_as_another_pass_costs():
    assert COST.call_flops() == COST.language_flops(CALL_TOKENS)
    assert CALL_TOKENS == 128
    # work in proportion to tokens: 40 + 80 tokens of padding are less than 128, 20 + 40 + 80 are more
    assert passes([200, 120, 160], 10_000, COST) == [[0, 2, 1]]
    assert passes([200, 120, 160, 180], 10_000, COST) == [[0, 3, 2], [1]]
    assert passes([600, 30, 600, 30], 10_000, COST) == [[0, 2], [1, 3]]
