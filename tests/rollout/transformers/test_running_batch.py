"""Prompts of unlike length are read in runs, and no number changes by it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_models import ask, encode, pixels

from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers import running_batch
from vlrl.rollout.transformers.running_batch import RUN_PADDING, runs_of
from vlrl.rollout.transformers.transformers_engine import TransformersEngine


def test_runs_by_hand():
    assert runs_of([600, 600, 30, 30]) == [(0, 2, 600), (2, 4, 30)]
    assert runs_of([30, 600]) == [(0, 1, 30), (1, 2, 600)]
    assert runs_of([100, 90, 120]) == [(0, 3, 120)]
    assert runs_of([]) == []


@given(st.lists(st.integers(1, 2000), max_size=40))
def test_runs_hold_every_prompt_once_in_order_with_bounded_padding(lengths):
    runs = runs_of(lengths)
    assert [p for first, stop, _ in runs for p in range(first, stop)] == list(range(len(lengths)))
    for first, stop, width in runs:
        assert width == max(lengths[first:stop])
        assert width * (stop - first) - sum(lengths[first:stop]) <= RUN_PADDING


def test_runs_of_one_prompt_each_give_the_numbers_of_one_run(loaded, monkeypatch):
    problems = [ask("3+4=?"), ask(pixels(1), pixels(2, 48, 32), "How many?"), ask("red " * 9), ask("left", pixels(3))]
    lengths = ((3, 20, 7), (15, 2, 2), (1, 1, 18), (12, 4, 2))
    requests = [
        Request(e, 3, Sampling(), seed, n)
        for seed, (e, n) in enumerate(zip(encode(loaded, *problems), lengths, strict=True))
    ]
    engine = TransformersEngine(loaded)
    found = []
    for padding in (10**9, -1):
        monkeypatch.setattr(running_batch, "RUN_PADDING", padding)
        found.append(engine.generate(requests))
    for one, other in zip(*found, strict=True):
        for mine, theirs in zip(one, other, strict=True):
            assert mine.token_ids == theirs.token_ids
            assert mine.sampler_logprobs == pytest.approx(theirs.sampler_logprobs, abs=1e-5)
