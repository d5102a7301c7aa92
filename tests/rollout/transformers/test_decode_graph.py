"""What a CUDA graph would repeat, repeated on the CPU: the tokens and numbers of steps of their own."""

from __future__ import annotations

import weakref
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from small_models import ask, encode, fresh, pixels, prompts

from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers import transformers_engine
from vlrl.rollout.transformers.decode_graph import DecodeGraphs, StandingStep
from vlrl.rollout.transformers.response_kv_cache import OwnTokensCache
from vlrl.rollout.transformers.transformers_engine import TransformersEngine, TransformersEngineSettings


class Repeated(DecodeGraphs):
    """A graph without CUDA: the standing step is run again where the graph would be replayed."""

    captured = replayed = 0

    def _capture(self, live):
        self._standing, self._live = StandingStep(self._step, live), live
        self._graph = self
        self._out = live.hidden.new_empty(len(live.position), live.hidden.shape[1])
        Repeated.captured += 1

    def replay(self):
        self._out.copy_(self._standing.run(self._live))
        Repeated.replayed += 1


@pytest.fixture
def repeated(monkeypatch):
    monkeypatch.setattr(Repeated, "captured", 0)
    monkeypatch.setattr(Repeated, "replayed", 0)

    def by_graph(step, live, tokens, held={}):  # noqa: B006
        if step not in held:
            held.clear()
            held[step] = Repeated(step)
        return held[step](live, tokens)

    return lambda: monkeypatch.setattr(transformers_engine, "by_step", by_graph)


def tokens_and_logprobs(engine, requests):
    return [(r.token_ids, r.finish_reason, r.sampler_logprobs) for g in engine.generate(requests) for r in g]


@pytest.mark.parametrize("max_num_seqs", [1024, 5])
def test_rows_that_leave_join_and_outgrow_their_buffers_write_the_same(
    model_folders, architecture, repeated, max_num_seqs
):
    loaded = fresh(model_folders[architecture], context=512)
    encoded = encode(loaded, *[ask(*pieces) for pieces in prompts()])
    lengths = ((90, 12, 40), (7, 33, 70), (20, 21, 64), (5, 90, 31), (44, 9, 13))
    asked = [Request(e, 3, Sampling(max_tokens=90), 7 + n, lengths[n]) for n, e in enumerate(encoded)]
    engine = TransformersEngine(loaded, TransformersEngineSettings(max_num_seqs=max_num_seqs))
    expected = tokens_and_logprobs(engine, asked)
    repeated()
    found = tokens_and_logprobs(engine, asked)
    assert [one[:2] for one in found] == [one[:2] for one in expected]
    for (_, _, mine), (_, _, theirs) in zip(found, expected, strict=True):
        assert mine == pytest.approx(theirs, abs=1e-5)
    assert Repeated.replayed > Repeated.captured > 5


def test_begun_responses_beside_fresh_ones(qwen3, repeated):
    encoded = encode(qwen3, ask("3+4=?"), ask(pixels(1), "How many?"))
    fresh_ones = [Request(e, 4, Sampling(max_tokens=40), 5) for e in encoded]
    engine = TransformersEngine(qwen3)
    resume_from = engine.generate([Request(encoded[0], 4, Sampling(max_tokens=40), 5, new_tokens=9)])[0]
    asked = [Request(encoded[0], 4, Sampling(max_tokens=40), 5, resume_from=resume_from), fresh_ones[1]]
    expected = tokens_and_logprobs(engine, asked)
    repeated()
    found = tokens_and_logprobs(engine, asked)
    assert [one[0] for one in found] == [one[0] for one in expected]
    for (_, _, mine), (_, _, theirs) in zip(found, expected, strict=True):
        assert mine == pytest.approx(theirs, abs=1e-5)
    assert Repeated.replayed > 0


@pytest.mark.parametrize("change", ["grow", "keep", "join"])
def test_buffers_that_were_given_up_are_free_before_the_next_capture(qwen3, repeated, monkeypatch, change):
    encoded = encode(qwen3, ask("3+4=?"), ask(pixels(1), "How many?"))
    asked = [Request(e, 4, Sampling(max_tokens=70), 7, (70, 3, 9, 50)) for e in encoded]
    plain, left = getattr(OwnTokensCache, change), []

    def watched(self, *args):
        before = [weakref.ref(one) for one in self.buffers if one.numel()] if self.length else []
        plain(self, *args)
        left.extend(one() for one in before)

    monkeypatch.setattr(OwnTokensCache, change, watched)
    repeated()
    TransformersEngine(qwen3, TransformersEngineSettings(max_num_seqs=5)).generate(asked)
    assert len(left) > 0
    assert all(one is None for one in left)


def test_a_capture_waits_for_the_models_device_whichever_is_the_current_one(qwen3, monkeypatch):
    asked_for = []

    def stream(device=None):
        asked_for.append(device)
        return SimpleNamespace(wait_stream=lambda other: None)

    captured = SimpleNamespace(capture_begin=lambda *args: None, capture_end=lambda: None, replay=lambda: None)
    for name, stand_in in {
        "Stream": stream,
        "current_stream": stream,
        "stream": lambda one: nullcontext(),
        "CUDAGraph": lambda: captured,
        "graph_pool_handle": object,
    }.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    monkeypatch.setattr(transformers_engine, "by_step", lambda step, live, tokens: DecodeGraphs(step)(live, tokens))
    (one,) = encode(qwen3, ask("3+4=?"))
    TransformersEngine(qwen3).generate([Request(one, 2, Sampling(max_tokens=2), 1)])
    assert set(asked_for) == {qwen3.device}


@pytest.mark.parametrize(("tokens", "captured"), [(25, 1), (60, 2)])  # buffers of 32 tokens grow once
def test_a_graph_serves_as_long_as_rows_and_buffers_stay(qwen3, repeated, tokens, captured):
    (one,) = encode(qwen3, ask("3+4=?"))
    never_ends = replace(qwen3, placeholder_ids=(*qwen3.placeholder_ids, *qwen3.stop_ids), stop_ids=())
    asked = [Request(one, 2, Sampling(max_tokens=tokens), 1)]
    expected = tokens_and_logprobs(TransformersEngine(never_ends), asked)
    repeated()
    assert [r[0] for r in tokens_and_logprobs(TransformersEngine(never_ends), asked)] == [r[0] for r in expected]
    assert (Repeated.captured, Repeated.replayed) == (captured, tokens - 1)  # the last token is not read
