"""What every rollout engine promises: asked of all registered engines alike.

An engine of a plugin file is asked the same: `pytest tests/rollout/test_engine_protocol.py --plugin my_engine.py`.
"""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from small_models import VLLM_SHAPE, ask, build_spread, encode, fresh, pixels

from vlrl.errors import EngineError
from vlrl.rollout.collector import check_content
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.engine_registry import EngineCapabilities, opened
from vlrl.rollout.engine_registry import engines as registry
from vlrl.rollout.scripted_engine import ScriptedEngine
from vlrl.rollout.transformers.transformers_engine import TransformersEngine

SCRIPT = ("<think>3 and 4</think><answer>7</answer>", "red green", "blue")


SMALL = {"ray": {"actors": 1}, "vllm": {"max_num_seqs": 32, "max_num_batched_tokens": 512, "cache_gib": 0.03}}
MARKS = {"ray": [pytest.mark.ray, pytest.mark.slow], "vllm": [pytest.mark.vllm, pytest.mark.slow]}
REGISTERED = [pytest.param(name, marks=MARKS.get(name, [])) for name in registry]


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    loaded = fresh(build_spread("tiny-qwen3-vl", tmp_path_factory.mktemp("protocol"), shape=VLLM_SHAPE))
    found = {"scripted": ScriptedEngine(lambda problem_id: SCRIPT, loaded.tokenizer)}
    yield loaded, found
    for engine in found.values():
        engine.close()


@pytest.fixture(params=[*REGISTERED, "scripted"])
def name(request):
    return request.param


@pytest.fixture
def can(name):
    """What the engine declares; the scripted one, which no config names, can do everything."""
    if name not in registry:
        return EngineCapabilities()
    return registry.build({"name": name, **SMALL.get(name, {})}).capabilities


@pytest.fixture
def engine(request, name, can, engines, library):
    loaded, found = engines
    if name not in found:
        if name == "ray":
            request.getfixturevalue("ray_cluster")
        elif can.library is not None:
            library(can.library)
        found[name] = opened(registry.build({"name": name, **SMALL.get(name, {})}), loaded)
    return found[name]


@pytest.fixture
def resumes(can):
    """Only for engines that go on with what an earlier call began."""
    if not can.partial_rollouts:
        pytest.skip("declares no partial rollouts")


@pytest.fixture(scope="module")
def encoded(engines):
    return encode(engines[0], ask("3+4=?"), ask(pixels(1), "How many?"), ask("a longer prompt: red and green and blue"))


def ask_for(encoded, k=3, seed=0, max_tokens=None, **sampling):
    return [
        Request(e, k, Sampling(**{"max_tokens": 10, **sampling}), seed + i, max_tokens) for i, e in enumerate(encoded)
    ]


def test_each_request_in_order_gets_its_k_rollouts_with_the_hash_of_what_was_read(engine, encoded):
    requests = [Request(e, k, Sampling(max_tokens=4), 0) for e, k in zip(encoded, (2, 1, 5), strict=True)]
    found = engine.generate(requests)
    assert [len(g) for g in found] == [2, 1, 5]
    assert [{r.content_hash for r in rollouts} for rollouts in found] == [{e.content_hash} for e in encoded]
    assert len({e.content_hash for e in encoded}) == 3
    assert engine.generate([]) == []


@pytest.mark.parametrize("name", REGISTERED, indirect=True)
def test_what_changed_after_encoding_shows_in_the_content_hash(engine, encoded):
    """The hash is of what the engine reads, not the one that the request carries: patches, and tokens, in turn."""
    image = encoded[1].images[0]
    repainted = replace(image.pixels, values=image.pixels.values + 0.01)
    tampered = [
        replace(encoded[1], images=(replace(image, digest="other", pixels=repainted),)),
        replace(encoded[0], token_ids=(*encoded[0].token_ids[:-1], encoded[0].token_ids[0])),
    ]
    for one, (found,) in zip(tampered, engine.generate(ask_for(tampered, k=1, max_tokens=(1,))), strict=True):
        assert found.content_hash != one.content_hash
        with pytest.raises(EngineError, match="the engine read content"):
            check_content(ask("x"), one, found)


def test_every_rollout_keeps_its_budget_and_says_how_it_ended(engine, engines, encoded):
    end = engines[0].tokenizer.eos_token_id
    for rollouts in engine.generate(ask_for(encoded, k=6, max_tokens=(1, 2, 3, 5, 8, 40))):
        for rollout, budget in zip(rollouts, (1, 2, 3, 5, 8, 40), strict=True):
            assert 1 <= rollout.num_tokens <= budget
            assert len(rollout.sampler_logprobs) == rollout.num_tokens
            assert all(p <= 0 for p in rollout.sampler_logprobs)
            if rollout.finish_reason == "length":
                assert rollout.num_tokens == budget
                assert rollout.token_ids[-1] != end
            else:
                assert rollout.finish_reason == "stop"
                assert rollout.token_ids[-1] == end
            assert end not in rollout.token_ids[:-1]


def test_the_text_is_the_tokens_without_the_end_token(engine, engines, encoded):
    tokenizer = engines[0].tokenizer
    for rollouts in engine.generate(ask_for(encoded)):
        for rollout in rollouts:
            shown = [t for t in rollout.token_ids if t != tokenizer.eos_token_id]
            assert rollout.text == tokenizer.decode(shown)


def test_the_same_request_gives_the_same_tokens(engine, encoded):
    assert engine.generate(ask_for(encoded)) == engine.generate(ask_for(encoded))


def test_segments_carry_the_version_of_the_weights(engine, engines, encoded):
    weights = [(name, p.detach().clone()) for name, p in engines[0].model.named_parameters()]
    for version in (4, 7):
        engine.load_weights(weights, version)
        found = engine.generate(ask_for(encoded, k=1))
        assert {s.policy_version for g in found for r in g for s in r.segments} == {version}
        assert {s.author for g in found for r in g for s in r.segments} == {"policy"}


def test_an_engine_that_slept_writes_again(engine, encoded):
    before = engine.generate(ask_for(encoded))
    engine.sleep()
    engine.wake()
    assert engine.generate(ask_for(encoded)) == before


def test_closing_twice_is_closing_once(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    for engine in (TransformersEngine(loaded), ScriptedEngine({}, loaded.tokenizer)):
        engine.close()
        engine.close()


@pytest.mark.parametrize(("k", "budgets"), [(0, None), (2, (4,)), (2, (4, 4, 4)), (2, (4, 0))])
def test_a_request_without_rollouts_or_with_wrong_budgets_is_refused(engine, encoded, k, budgets):
    with pytest.raises(EngineError, match="request 0"):
        engine.generate(ask_for(encoded[:1], k=k, max_tokens=budgets))


def in_parts(engine, requests, *parts):
    """The requests written in calls of so many new tokens, the last as long as it takes."""
    resume_from = [None] * len(requests)
    for new in (*parts, None):
        asked = [replace(r, resume_from=b, new_tokens=new) for r, b in zip(requests, resume_from, strict=True)]
        resume_from = engine.generate(asked)
    return resume_from


@pytest.mark.parametrize("sampling", [{}, {"temperature": 0.0}, {"temperature": 1.3, "top_p": 0.8}])
def test_any_cut_into_calls_writes_what_one_long_call_writes(engine, can, resumes, encoded, sampling):
    if not can.exact_resume:
        sampling = {**sampling, "temperature": 0.0}
    requests = ask_for(encoded, k=4, seed=5, max_tokens=(2, 9, 24, 40), **sampling)
    whole = engine.generate(requests)
    for parts in ((1,), (3, 5), (4, 4, 4, 4)):
        for rollouts, expected in zip(in_parts(engine, requests, *parts), whole, strict=True):
            assert [r.token_ids for r in rollouts] == [r.token_ids for r in expected]
            assert [(r.text, r.finish_reason) for r in rollouts] == [(r.text, r.finish_reason) for r in expected]
            for rollout, one in zip(rollouts, expected, strict=True):
                assert rollout.sampler_logprobs == pytest.approx(one.sampler_logprobs, abs=2e-5)
                lengths = [len(s.token_ids) for s in rollout.segments]
                assert all(written == part for written, part in zip(lengths[:-1], parts, strict=False))


def test_a_response_that_has_its_new_tokens_is_unfinished_and_earlier_segments_stay(engine, engines, resumes, encoded):
    requests = [replace(r, new_tokens=3) for r in ask_for(encoded, k=3, max_tokens=(3, 5, 30))]
    first = engine.generate(requests)
    engine.load_weights(engines[0].model.named_parameters(), 11)
    again = engine.generate([replace(r, resume_from=b) for r, b in zip(requests, first, strict=True)])
    for before, after in zip(first, again, strict=True):
        assert before[0].finish_reason != "unfinished"
        for old, new in zip(before, after, strict=True):
            assert new.segments[: len(old.segments)] == old.segments
            if old.finish_reason == "unfinished":
                assert old.num_tokens == 3
                assert new.segments[-1].policy_version == 11
            else:
                assert new == old
            assert new.finish_reason != "unfinished" or new.num_tokens == 6


def test_a_stop_string_across_two_calls_ends_the_response(engine, can, resumes, encoded):
    requests = ask_for(encoded[:1], k=3, max_tokens=(30,) * 3, **({} if can.exact_resume else {"temperature": 0.0}))
    text = engine.generate(requests)[0][0].text
    window = re.search(r"[ -~]{4}", text[1:])
    assert window is not None
    requests = [replace(r, sampling=r.sampling.model_copy(update={"stop": (window[0],)})) for r in requests]
    whole = engine.generate(requests)[0]
    (parts,) = in_parts(engine, requests, *(1,) * 29)
    assert [(r.text, r.finish_reason, r.token_ids) for r in parts] == [
        (r.text, r.finish_reason, r.token_ids) for r in whole
    ]
    assert parts[0].text.endswith(window[0])


def test_what_can_not_be_continued_is_refused(engine, resumes, encoded):
    (request,) = ask_for(encoded[:1], k=2, max_tokens=(8, 8))
    resume_from = engine.generate([replace(request, new_tokens=1)])[0]
    assert {r.finish_reason for r in resume_from} == {"unfinished"}
    for wrong, message in (
        ({"resume_from": resume_from[:1]}, "1 of 2 rollouts"),
        ({"resume_from": resume_from, "max_tokens": (1, 8)}, "rollout 0: has 1 tokens"),
        ({"new_tokens": 0}, "at least one token"),
    ):
        with pytest.raises(EngineError, match=message):
            engine.generate([replace(request, **wrong)])


def test_a_response_that_loops_ends_with_repeat_also_over_several_calls(engine, can, resumes, encoded):
    rule = {"tokens": 6, "repeats": 2, "max_period": 8}
    for sampling in ({"temperature": 0.0}, {})[: 2 if can.exact_resume else 1]:
        free = engine.generate(ask_for(encoded, k=4, max_tokens=(40,) * 4, **sampling))
        requests = ask_for(encoded, k=4, max_tokens=(40,) * 4, repetition=rule, **sampling)
        found = engine.generate(requests)
        parts = in_parts(engine, requests, 3, 4)
        for rollouts, again, whole in zip(found, parts, free, strict=True):
            for rollout, part, one in zip(rollouts, again, whole, strict=True):
                loop = requests[0].sampling.repetition.first_loop(one.token_ids)
                if loop is None or (loop == one.num_tokens and one.finish_reason == "stop"):
                    assert rollout == one
                else:
                    assert rollout.finish_reason == "repeat"
                    assert rollout.token_ids == one.token_ids[:loop]
                assert (part.token_ids, part.finish_reason) == (rollout.token_ids, rollout.finish_reason)


def test_a_stop_string_ends_the_response_and_what_follows_it_is_not_in_the_text(engine, engines, encoded):
    free = engine.generate(ask_for(encoded, k=4, max_tokens=(30,) * 4))
    tried = 0
    for place, rollouts in enumerate(free):
        for j, rollout in enumerate(rollouts):
            window = re.search(r"[ -~]{3}", rollout.text[1:])  # wherever the tokens end
            if window is None or tried == 3:
                continue
            stop = window[0]
            end = rollout.text.find(stop) + len(stop)
            again = engine.generate(ask_for(encoded, k=4, max_tokens=(30,) * 4, stop=(stop, "never said")))
            stopped = again[place][j]
            assert stopped.finish_reason == "stop"
            assert stopped.text == rollout.text[:end]
            assert rollout.token_ids[: stopped.num_tokens] == stopped.token_ids
            shorter = engines[0].tokenizer.decode(stopped.token_ids[:-1])
            assert stop not in shorter
            tried += 1
    assert tried >= 1, "no response has three characters to stop at"


def test_a_script_that_lacks_a_problem_is_an_engine_error(engines, encoded):
    engine = ScriptedEngine({encoded[0].problem_id: ("7",)}, engines[0].tokenizer)
    assert engine.generate(ask_for(encoded[:1]))[0][2].text == "7"
    with pytest.raises(EngineError, match="the script has 0"):
        engine.generate(ask_for(encoded))


def test_loading_copies_the_weights_and_refuses_what_does_not_fit(model_folders, encoded):
    first, second = (fresh(model_folders["tiny-qwen3-vl"]) for _ in range(2))
    with torch.no_grad():
        for parameter in second.model.parameters():
            parameter.mul_(0.5)
    engine, other = TransformersEngine(first), TransformersEngine(second)
    assert engine.generate(ask_for(encoded)) != other.generate(ask_for(encoded))
    engine.load_weights(second.model.named_parameters(), 0)
    assert engine.generate(ask_for(encoded)) == other.generate(ask_for(encoded))
    with torch.no_grad():
        next(iter(second.model.parameters())).zero_()  # a copy: later changes are not seen
    assert float(next(iter(first.model.parameters())).abs().sum()) > 0
    with pytest.raises(EngineError, match="no parameter 'model"):
        engine.load_weights([("model.nothing", torch.zeros(1))], 1)
    name, parameter = next(iter(first.model.named_parameters()))
    with pytest.raises(EngineError, match="shape"):
        engine.load_weights([(name, torch.zeros(*parameter.shape, 1))], 1)
