"""The pool with real engines: the protocol's promises that need a model, and a run that is the run without Ray."""

from __future__ import annotations

import os
import signal

import pytest
import torch
from safetensors.torch import load_file
from small_models import ask, encode, fresh, pixels

from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.ray.ray_pool import RayPoolSettings
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.runlog.run_folder import read_jsonl
from vlrl.training.run import start_run

pytestmark = [pytest.mark.ray, pytest.mark.slow]

SMALL = (
    "stages=[rl] rl.steps=3 rl.problems_per_step=4 rl.rollouts_per_problem=4 rl.validate_every=2 "
    "rl.checkpoint_every=9 rl.skip_uninformative=false rl.over_sampling=null rl.log_every=1 eval.curve_problems=4"
)
SHAPE = "{text_width: 32, text_layers: 2, vision_width: 32, head_size: 16, key_value_heads: 1, mlp_width: 48}"


def texts(generations):
    return [[r.token_ids for r in g] for g in generations]


def test_new_weights_reach_every_actor_and_one_that_replaces_a_killed_one(ray_cluster, model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    encoded = encode(loaded, ask("3+4=?"), ask(pixels(1), "How many?"), ask("red and green and blue"), ask("left"))
    requests = [Request(one, 3, Sampling(max_tokens=8), i) for i, one in enumerate(encoded)]
    pool = RayPoolSettings(actors=1, pieces_per_actor=2).open(loaded)
    try:
        alone = TransformersEngine(loaded)
        assert texts(pool.generate(requests)) == texts(alone.generate(requests))
        before = texts(pool.generate(requests))
        with torch.no_grad():
            for parameter in loaded.model.parameters():
                parameter.mul_(0.7)
        assert texts(pool.generate(requests)) == before, "the pool shares the trainer's weights"
        pool.load_weights(loaded.model.named_parameters(), 5)
        assert texts(pool.generate(requests)) == texts(alone.generate(requests)) != before
        os.kill(pool.process_ids()[0], signal.SIGKILL)
        found = pool.generate(requests)
        assert texts(found) == texts(alone.generate(requests))
        assert {s.policy_version for g in found for r in g for s in r.segments} == {5}
        assert pool.counts["lost"] == 1
    finally:
        pool.close()


def test_a_run_with_the_pool_is_the_run_without_it(ray_cluster, tmp_path):
    for name, engine in (("plain", "transformers"), ("pool", "{name: ray, actors: 2}")):
        start_run(
            "configs/quickstart.yaml",
            [*SMALL.split(), f"model.shape={SHAPE}", f"engine={engine}", f"run_folder={tmp_path / name}"],
        )
    plain, pool = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("plain", "pool"))
    assert plain.keys() == pool.keys()
    for name, tensor in plain.items():
        assert torch.allclose(tensor, pool[name], rtol=1e-5, atol=1e-7), name
    plain, pool = (
        [
            (line["step"], [r["text"] for r in line["rollouts"]])
            for line in read_jsonl(tmp_path / name / "rollouts.jsonl")
        ]
        for name in ("plain", "pool")
    )
    assert len(plain) >= 3 * 4
    assert plain == pool
