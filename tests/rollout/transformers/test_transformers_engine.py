"""The transformers engine: seeds, frequencies, placeholders, greedy answers, and how often it encodes an image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from small_models import ask, encode, fresh, pixels

from vlrl.errors import EngineError
from vlrl.model.training.logprobs import sampling_logprobs
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.slot_utilization import SLOT_UTILISATION
from vlrl.rollout.transformers import response_kv_cache
from vlrl.rollout.transformers.transformers_engine import TransformersEngine, TransformersEngineSettings


def tokens(rollouts):
    return [r.token_ids for r in rollouts]


def first_logits(engine, one):
    """(1, V) that the first response token is drawn from."""
    with torch.no_grad():
        return engine._model.lm_head(engine._prefill(True).read([one], [[]]).hidden)


def test_tokens_depend_on_the_request_alone_not_on_its_neighbours(loaded):
    first, second, third = encode(loaded, ask("3+4=?"), ask(pixels(1), "How many?"), ask("red", pixels(2), pixels(3)))
    sampling = Sampling(max_tokens=12, temperature=1.1, top_p=0.9)
    request = Request(second, 4, sampling, 42)
    alone = TransformersEngine(loaded).generate([request])[0]
    greedy = Sampling(max_tokens=30, temperature=0.0)
    batch = [Request(third, 3, sampling, 1), request, Request(first, 7, greedy, 42), request]
    for settings in (TransformersEngineSettings(), TransformersEngineSettings(max_num_seqs=5, drop_share=0.0)):
        found = TransformersEngine(loaded, settings).generate(batch)
        assert tokens(found[1]) == tokens(alone)
        assert tokens(found[3]) == tokens(alone)
    assert len(set(tokens(alone))) > 1


def test_another_seed_gives_other_tokens(qwen3):
    (one,) = encode(qwen3, ask("3+4=?"))
    found = TransformersEngine(qwen3).generate([Request(one, 4, Sampling(max_tokens=12), s) for s in (1, 2)])
    assert not set(tokens(found[0])) & set(tokens(found[1]))


def test_greedy_answers_are_the_most_likely_tokens_whatever_the_seed(loaded):
    (one,) = encode(loaded, ask(pixels(1), "How many?"))
    greedy = Sampling(max_tokens=8, temperature=0.0)
    first, second = TransformersEngine(loaded).generate([Request(one, 2, greedy, s) for s in (1, 2)])
    assert len({*tokens(first), *tokens(second)}) == 1
    engine = TransformersEngine(loaded)
    logits = first_logits(engine, one)
    logp = sampling_logprobs(logits, torch.tensor(loaded.placeholder_ids), 1.0)
    assert tokens(first)[0][0] == int(logp.argmax())


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.6, 1.0), (1.0, 0.7), (1.5, 0.5)])
def test_sampled_frequencies_follow_the_exact_probabilities(qwen3, temperature, top_p):
    (one,) = encode(qwen3, ask(pixels(1), "How many?"))
    engine = TransformersEngine(qwen3, TransformersEngineSettings(max_num_seqs=8192))
    logits = first_logits(engine, one)
    exact = (logits[0].double() / temperature).index_fill(0, torch.tensor(qwen3.placeholder_ids), float("-inf"))
    exact = exact.softmax(-1)
    ordered, order = exact.sort(descending=True)
    kept = order[(ordered.cumsum(0) - ordered) < top_p]
    nucleus = torch.zeros_like(exact).index_copy(0, kept, exact[kept])
    nucleus /= nucleus.sum()
    count = 8000
    sampling = Sampling(temperature=temperature, top_p=top_p, max_tokens=1)
    (found,) = engine.generate([Request(one, count, sampling, 3)])
    drawn = torch.bincount(torch.tensor([r.token_ids[0] for r in found]), minlength=len(exact))
    assert int(drawn[nucleus == 0].sum()) == 0
    common = nucleus * count >= 8
    observed = [*drawn[common].tolist(), int(drawn[~common].sum())]
    expected = [*(nucleus[common] * count).tolist(), float(nucleus[~common].sum()) * count]
    if expected[-1] < 5:
        observed, expected = observed[:-1], [e * sum(observed[:-1]) / sum(expected[:-1]) for e in expected[:-1]]
    assert len(expected) > 3
    assert stats.chisquare(observed, expected).pvalue > 1e-3
    # log-probabilities are those before top-p cuts
    rollout = found[0]
    assert rollout.sampler_logprobs[0] == pytest.approx(float(exact[rollout.token_ids[0]].log()), abs=1e-5)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_placeholders_are_never_sampled_even_where_they_are_most_likely(model_folders, architecture, temperature):
    loaded = fresh(model_folders[architecture])
    head = loaded.model.lm_head
    with torch.no_grad():
        ids = list(loaded.placeholder_ids)
        mean = head.weight.mean(0)
        head.weight[ids] = 100.0 * torch.sign(mean)
    forced = torch.nn.Linear(head.in_features, head.out_features)
    with torch.no_grad():
        forced.weight.copy_(head.weight)
        forced.bias.zero_()
        forced.bias[ids] = 1000.0
    loaded.model.lm_head = forced
    (one,) = encode(loaded, ask("red"))
    engine = TransformersEngine(loaded)
    logits = first_logits(engine, one)
    assert int(logits[0].argmax()) in ids
    (found,) = engine.generate([Request(one, 50, Sampling(max_tokens=10, temperature=temperature), 0)])
    assert not {t for r in tokens(found) for t in r} & set(ids)


def test_each_image_is_looked_at_once_a_call_even_across_waves(loaded):
    encoded = encode(loaded, ask(pixels(1), "red"), ask("blue", pixels(1), pixels(2)), ask("left"), ask(pixels(2)))
    requests = [Request(e, 4, Sampling(max_tokens=3), 0) for e in encoded]
    for settings in (TransformersEngineSettings(), TransformersEngineSettings(max_num_seqs=4)):
        engine = TransformersEngine(replace(loaded, store=None), settings)
        engine.generate(requests)
        assert engine.tower.images_seen == 2
        engine.generate(requests)
        assert engine.tower.images_seen == 4


def told(engine, tell):
    """Let every pass of the engine over prompts be told before it is made."""
    make = engine._prefill

    def telling(known):
        prefill = make(known)
        read = prefill.read

        def listening(prompts, written):
            tell(prompts, written)
            return read(prompts, written)

        prefill.read = listening
        return prefill

    engine._prefill = telling


def counted(engine):
    """The prompts that each of the engine's prefills reads."""
    reads = []
    told(engine, lambda prompts, written: reads.append([p.problem_id for p in prompts]))
    return reads


def test_waiting_responses_take_free_slots_and_write_the_same_tokens(loaded):
    """Rows that join later stand behind others in the buffers; no number changes, and every prompt is read once."""
    encoded = encode(loaded, ask("3+4=?"), ask(pixels(1), "How many?"), ask("left", pixels(2), pixels(1)), ask("red"))
    lengths = ((3, 40, 7, 1), (33, 2, 2, 5), (1, 1, 9, 20), (6, 4, 2, 38))
    requests = [Request(e, 4, Sampling(), seed, n) for seed, (e, n) in enumerate(zip(encoded, lengths, strict=True))]
    together = TransformersEngine(loaded).generate(requests)
    for rows, prefill, share in ((3, 16_384, 0.0), (5, 16_384, 0.3), (2, 1, 0.0), (7, 60, 1.0)):
        settings = TransformersEngineSettings(max_num_seqs=rows, max_num_batched_tokens=prefill, drop_share=share)
        engine = TransformersEngine(replace(loaded, store=None), settings)
        reads = counted(engine)
        found = engine.generate(requests)
        assert [tokens(g) for g in found] == [tokens(g) for g in together]
        for one, other in zip(found, together, strict=True):
            for mine, theirs in zip(one, other, strict=True):
                assert mine.sampler_logprobs == pytest.approx(theirs.sampler_logprobs, abs=2e-5)
        assert sorted(p for read in reads for p in read) == sorted(e.problem_id for e in encoded)
        assert engine.tower.images_seen == 2
        assert engine.tokens_written == sum(r.num_tokens for g in found for r in g)


def test_continued_and_fresh_responses_share_slots_and_no_token_is_written_twice(loaded):
    encoded = encode(loaded, ask("3+4=?"), ask(pixels(1), "How many?"), ask("left", pixels(2), pixels(1)), ask("red"))
    requests = [Request(e, 4, Sampling(max_tokens=30), seed) for seed, e in enumerate(encoded)]
    whole = TransformersEngine(loaded).generate(requests)
    engine = TransformersEngine(loaded, TransformersEngineSettings(max_num_seqs=6, drop_share=0.0))
    resume_from = engine.generate([replace(r, new_tokens=4) for r in requests[:2]])
    resume_from = engine.generate(
        [replace(r, new_tokens=7, resume_from=b) for r, b in zip(requests[:2], resume_from, strict=True)]
    )
    reads = counted(engine)
    continued = [replace(r, resume_from=b) for r, b in zip(requests[:2], resume_from, strict=True)]
    found = engine.generate([*requests[2:], *continued])
    assert [tokens(g) for g in found] == [tokens(whole[i]) for i in (2, 3, 0, 1)]
    assert sorted(p for read in reads for p in read) == sorted(e.problem_id for e in encoded)
    assert engine.tokens_written == sum(r.num_tokens for g in found for r in g)


def test_begun_responses_are_read_in_passes_of_at_most_so_many_tokens(loaded):
    """One that is longer than the limit is read alone; the prompt is held once, and no token changes."""
    encoded = encode(loaded, ask(pixels(1), "How many?"), ask("3+4=?"))
    lengths = ((30, 6, 40, 2, 35), (9, 3, 12, 5, 8))
    requests = [Request(e, 5, Sampling(), seed, n) for seed, (e, n) in enumerate(zip(encoded, lengths, strict=True))]
    never_ends = replace(loaded, placeholder_ids=(*loaded.placeholder_ids, *loaded.stop_ids), stop_ids=())
    whole = TransformersEngine(never_ends).generate(requests)
    resume_from = TransformersEngine(never_ends).generate([replace(r, new_tokens=20) for r in requests])
    continued = [replace(r, resume_from=g) for r, g in zip(requests, resume_from, strict=True)]
    for limit in (encoded[0].num_tokens + 10, encoded[0].num_tokens + 45, 10_000):
        engine = TransformersEngine(never_ends, TransformersEngineSettings(max_num_batched_tokens=limit))
        passes = []

        def tell(prompts, written, passes=passes):
            rows = [p.num_tokens + sum(r.num_tokens for r in some) for p, some in zip(prompts, written, strict=True)]
            passes.append((len(rows) * max(rows), sum(map(len, written)), [p.problem_id for p in prompts]))

        told(engine, tell)
        found = engine.generate(continued)
        assert [tokens(g) for g in found] == [tokens(g) for g in whole]
        for one, other in zip(found, whole, strict=True):
            for mine, theirs in zip(one, other, strict=True):
                assert mine.sampler_logprobs == pytest.approx(theirs.sampler_logprobs, abs=2e-5)
        assert sum(responses for _, responses, _ in passes) == 3  # 3 are unfinished, all of the image's
        assert all(size <= limit or responses == 1 for size, responses, _ in passes)
        assert len(passes) == {10_000: 1, encoded[0].num_tokens + 45: 2}.get(limit, 3)


def test_the_caches_of_responses_have_room_for_what_may_be_written_and_little_more(loaded, monkeypatch):
    """Also where rows come and go: columns that nobody can reach would be half of a long run's memory."""
    monkeypatch.setattr(response_kv_cache, "FIRST_COLUMNS", 4)
    encoded = encode(loaded, ask("3+4=?"), ask("red"), ask("left"))
    requests = [Request(e, 2, Sampling(), 3, n) for e, n in zip(encoded, ((90, 100), (60, 9), (33, 100)), strict=True)]
    never_ends = replace(loaded, placeholder_ids=(*loaded.placeholder_ids, *loaded.stop_ids), stop_ids=())
    widths, append = [], response_kv_cache.OwnTokensLayer.append

    def listening(self, *given, **more):
        found = append(self, *given, **more)
        widths.append(self.states.shape[3])
        return found

    monkeypatch.setattr(response_kv_cache.OwnTokensLayer, "append", listening)
    TransformersEngine(never_ends).generate(requests)
    assert max(widths) == 100
    widths.clear()
    resume_from = TransformersEngine(never_ends).generate([replace(r, new_tokens=70) for r in requests])
    widths.clear()
    engine = TransformersEngine(never_ends)
    engine.generate([replace(r, resume_from=g) for r, g in zip(requests, resume_from, strict=True)])
    assert max(widths) == 100


def test_a_begun_group_larger_than_the_slots_goes_on_by_and_by_before_anything_fresh(loaded):
    encoded = encode(loaded, ask("3+4=?"), ask(pixels(1), "How many?"), ask("left", pixels(2), pixels(1)))
    lengths = ((9, 30, 12, 6, 25), (8, 7, 20, 6, 33), (4, 9, 2, 3, 1))
    requests = [Request(e, 5, Sampling(), i, n) for i, (e, n) in enumerate(zip(encoded, lengths, strict=True))]
    whole = TransformersEngine(loaded).generate(requests)
    resume_from = TransformersEngine(loaded).generate([replace(r, new_tokens=5) for r in requests[:2]])
    asked = [replace(r, resume_from=g) for r, g in zip(requests[:2], resume_from, strict=True)]
    for rows, prefill in ((3, 16_384), (1, 16_384), (4, 1)):
        engine = TransformersEngine(
            loaded, TransformersEngineSettings(max_num_seqs=rows, max_num_batched_tokens=prefill)
        )
        reads = counted(engine)
        found = engine.generate([requests[2], *asked])
        assert [tokens(g) for g in found] == [tokens(whole[i]) for i in (2, 0, 1)]
        for one, other in zip(found, (whole[2], whole[0], whole[1]), strict=True):
            for mine, theirs in zip(one, other, strict=True):
                assert mine.sampler_logprobs == pytest.approx(theirs.sampler_logprobs, abs=2e-5)
        order = [p for read in reads for p in read]
        assert list(dict.fromkeys(order)) == [encoded[i].problem_id for i in (1, 0, 2)]  # the longer one first
        assert len(order) == 3 or prefill == 1  # then each response is read by itself
        used = engine.pop_metrics()[SLOT_UTILISATION]
        assert used == 1 if rows == 1 else used <= 1


def test_slots_stay_busy_over_partial_rollouts_of_groups_larger_than_the_slots_and_none_is_counted_twice(qwen3):
    (one,) = encode(qwen3, ask("red"))
    never_ends = replace(qwen3, placeholder_ids=(*qwen3.placeholder_ids, *qwen3.stop_ids), stop_ids=())
    engine = TransformersEngine(never_ends, TransformersEngineSettings(max_num_seqs=10, drop_share=0.0))
    rng, left = np.random.default_rng(0), []
    for step in range(4):
        lengths = rng.lognormal(2.5, 1.0, (4, 16)).astype(int).clip(1, 90)
        fresh = [Request(one, 16, Sampling(), 10 * step + i, tuple(map(int, n))) for i, n in enumerate(lengths)]
        asked = [replace(request, new_tokens=24, early_exit_below=0.8) for request in (*left, *fresh)]
        found = engine.generate(asked)
        assert 0.95 <= engine.pop_metrics()[SLOT_UTILISATION] <= 1.0
        left = [
            replace(request, resume_from=g)
            for request, g in zip(asked, found, strict=True)
            if any(r.finish_reason == "unfinished" for r in g)
        ]
        assert left


def test_slots_stay_busy_where_lengths_are_log_normal_and_the_tail_may_be_left(qwen3):
    lengths = np.random.default_rng(0).lognormal(2.0, 1.0, (24, 4)).astype(int).clip(1, 90)
    (one,) = encode(qwen3, ask("red"))
    never_ends = replace(qwen3, placeholder_ids=(*qwen3.placeholder_ids, *qwen3.stop_ids), stop_ids=())
    requests = [Request(one, 4, Sampling(), i, tuple(map(int, n))) for i, n in enumerate(lengths)]
    engine = TransformersEngine(never_ends, TransformersEngineSettings(max_num_seqs=16, drop_share=0.0))
    engine.generate(requests)
    waiting = engine.pop_metrics()[SLOT_UTILISATION]
    left = engine.generate([replace(r, early_exit_below=0.9) for r in requests])
    busy = engine.pop_metrics()[SLOT_UTILISATION]
    assert busy >= 0.95
    assert busy > waiting
    assert engine.pop_metrics() == {}
    rest = [r for g in left for r in g if r.finish_reason == "unfinished"]
    assert 0 < len(rest) < 16
    everything = TransformersEngine(never_ends, TransformersEngineSettings(max_num_seqs=96))
    everything.generate(requests)
    waited_for = everything.pop_metrics()[SLOT_UTILISATION]
    assert waited_for == pytest.approx(lengths.sum() / (96 * lengths.max()))
    assert waited_for < 0.4


def test_a_slot_is_refilled_at_once_while_responses_wait_whatever_share_may_lie_idle(qwen3):
    """40 responses of 1 to 20 tokens in 20 slots: with a share of idle slots allowed they wait no step longer."""
    (one,) = encode(qwen3, ask("red"))
    never_ends = replace(qwen3, placeholder_ids=(*qwen3.placeholder_ids, *qwen3.stop_ids), stop_ids=())
    requests = [Request(one, 4, Sampling(), i, (2 * i + 1, 2 * i + 2, 20 - i, 11 + i)) for i in range(10)]
    used = []
    for share in (0.0, 0.3):
        engine = TransformersEngine(never_ends, TransformersEngineSettings(max_num_seqs=20, drop_share=share))
        engine.generate(requests)
        used.append(engine.pop_metrics()[SLOT_UTILISATION])
    assert used[0] == used[1]


def test_a_prompt_and_budget_beyond_the_context_are_refused(qwen3):
    (one,) = encode(qwen3, ask("red"))
    room = qwen3.context - one.num_tokens
    engine = TransformersEngine(qwen3)
    named = (
        rf"request 0, problem {one.problem_id}: [\s\S]*exceed the context[\s\S]*image.max_pixels or sampling.max_tokens"
    )
    with pytest.raises(EngineError, match=named):
        engine.generate([Request(one, 1, Sampling(max_tokens=room + 1), 0)])


def test_rows_longer_than_the_first_buffer_keep_their_numbers(qwen3):
    """Own keys and values grow past their first block; the log-probabilities stay those of a fresh forward pass."""
    from vlrl.model.batch.example import Example
    from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy

    (one,) = encode(qwen3, ask("red"))
    (found,) = TransformersEngine(qwen3).generate([Request(one, 6, Sampling(max_tokens=100), 1)])
    assert max(r.num_tokens for r in found) > 64
    (scored,) = TorchPolicy(qwen3, PolicySettings()).logprobs([Example(one, tuple(tokens(found)))], 1.0)
    for rollout, mine in zip(found, scored, strict=True):
        assert rollout.sampler_logprobs == pytest.approx(mine, abs=2e-5)
