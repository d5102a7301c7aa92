"""Collecting: a seed for every problem and place, and a refusal of what was not read as it was encoded."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from small_models import BUDGET, ask

from vlrl.errors import EngineError
from vlrl.model.prompts.encode import Encoder
from vlrl.rollout.collector import collect
from vlrl.rollout.engine import Sampling
from vlrl.rollout.scripted_engine import ScriptedEngine
from vlrl.rollout.transformers.transformers_engine import TransformersEngine


def test_groups_come_back_in_order_with_the_prompt_they_were_written_for(qwen3):
    problems = [ask("3+4=?"), ask("red"), ask("3+4=?")]
    engine = ScriptedEngine({p.id: (p.question, "x") for p in problems}, qwen3.tokenizer)
    found = collect(Encoder(qwen3, BUDGET).encode, engine, problems, Sampling(), 3, seed=0)
    assert [one.problem for one in found] == problems
    assert [[r.text for r in one.rollouts] for one in found] == [[p.question, "x", p.question] for p in problems]
    assert [one.encoded.problem_id for one in found] == [p.id for p in problems]


def test_seeds_differ_between_places_even_of_one_problem(qwen3):
    asked = []

    class Listening(ScriptedEngine):
        def generate(self, requests):
            asked.extend(request.seed for request in requests)
            return super().generate(requests)

    engine = Listening(lambda name: ("7",), qwen3.tokenizer)
    for seed in (0, 1):
        collect(Encoder(qwen3, BUDGET).encode, engine, [ask("3+4=?")] * 3, Sampling(), 1, seed)
    assert len(set(asked)) == 6


@pytest.mark.parametrize(("said", "named"), [("other", "other"), ("", "(it names none)")])
def test_other_content_than_was_encoded_is_refused_and_so_is_none(qwen3, said, named):
    class Careless(ScriptedEngine):
        def generate(self, requests):
            return [tuple(replace(r, content_hash=said) for r in one) for one in super().generate(requests)]

    engine = Careless(lambda name: ("7",), qwen3.tokenizer)
    with pytest.raises(EngineError, match=re.escape(f"the engine read content {named}")):
        collect(Encoder(qwen3, BUDGET).encode, engine, [ask("3+4=?")], Sampling(), 1, seed=0)


def test_responses_begin_with_given_tokens_and_go_on_as_behind_their_own(qwen3):
    """Greedily: the first tokens of a response given as its beginning lead to the rest of it, and count for nothing."""
    encode, greedy = Encoder(qwen3, BUDGET).encode, Sampling(temperature=0.0, max_tokens=8)
    problems, engine = [ask("3+4=?"), ask("red")], TransformersEngine(qwen3)
    whole = [one.rollouts[0] for one in collect(encode, engine, problems, greedy, 1, seed=0)]
    begins = [whole[0].token_ids[:3], ()]
    rest = Sampling(temperature=0.0, max_tokens=5)
    first, second = (one.rollouts for one in collect(encode, engine, problems, rest, 2, 0, begins))
    for one in first:
        assert [segment.author for segment in one.segments] == ["forced", "policy"]
        assert one.token_ids == whole[0].token_ids
        assert (one.num_policy_tokens, one.text) == (5, whole[0].text)
    assert [segment.author for segment in second[0].segments] == ["policy"]
    assert second[0].token_ids == whole[1].token_ids[:5]
