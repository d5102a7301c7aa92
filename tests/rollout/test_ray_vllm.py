"""vLLM in an actor of the pool: the tokens of the transformers engine in the trainer's process, after a refresh too."""

from __future__ import annotations

import pytest
import torch
from small_models import VLLM_SHAPE, ask, build_spread, encode, fresh, pixels

from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.ray.ray_pool import RayPoolSettings
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.rollout.vllm.vllm_settings import VllmEngineSettings

pytestmark = [pytest.mark.ray, pytest.mark.vllm, pytest.mark.slow]


def tokens(generations):
    return [[r.token_ids for r in g] for g in generations]


def test_greedy_tokens_of_vllm_in_an_actor_are_those_of_the_transformers_engine(tmp_path, library, ray_cluster):
    library("vllm")
    loaded = fresh(build_spread("tiny-qwen3-vl", tmp_path, shape=VLLM_SHAPE))
    encoded = encode(loaded, ask("3+4=?"), ask(pixels(1), "How many?"))
    asked = [Request(one, 1, Sampling(max_tokens=8, temperature=0.0), i) for i, one in enumerate(encoded)]
    engine = VllmEngineSettings(max_num_seqs=8, max_num_batched_tokens=512, cache_gib=0.03)
    pool, alone = RayPoolSettings(actors=1, engine=engine).open(loaded), TransformersEngine(loaded)
    try:
        before = pool.generate(asked)
        assert tokens(before) == tokens(alone.generate(asked))
        assert [one[0].content_hash for one in before] == [one.content_hash for one in encoded]
        with torch.no_grad():
            for parameter in loaded.model.parameters():
                parameter.mul_(1 + 0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
        pool.load_weights(loaded.model.named_parameters(), 5)
        after = pool.generate(asked)
        assert tokens(after) == tokens(alone.generate(asked)) != tokens(before)
        assert {s.policy_version for g in after for r in g for s in r.segments} == {5}
        figures = pool.pop_metrics()
        assert 0 < figures["rollout/slot_utilisation"] <= 1
        assert figures["pool/actors_lost"] == 0
    finally:
        pool.close()
