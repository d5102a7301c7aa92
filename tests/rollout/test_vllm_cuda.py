"""vLLM in the trainer's process on a CUDA device: the transformers engine's tokens, and memory given back meanwhile."""

from __future__ import annotations

import pytest
import torch
from small_models import VLLM_SHAPE, ask, build_spread, encode, fresh, prompts

from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.rollout.vllm.vllm_engine import VllmEngine
from vlrl.rollout.vllm.vllm_settings import VllmEngineSettings
from vlrl.runlog.run_folder import read_jsonl
from vlrl.training.run import start_run

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.vllm,
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device"),
]
ARCHITECTURES = ("tiny-qwen3-vl", "tiny-qwen2.5-vl")
GIB = 2**30


def greedy(engine, encoded):
    found = engine.generate([Request(e, 1, Sampling(max_tokens=10, temperature=0.0), n) for n, e in enumerate(encoded)])
    return [g[0].token_ids for g in found], [p for g in found for p in g[0].sampler_logprobs]


def free() -> int:
    return torch.cuda.mem_get_info()[0]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_asleep_it_gives_its_memory_back_and_awake_it_writes_what_the_transformers_engine_writes(
    tmp_path, library, architecture
):
    library("vllm")
    folder = build_spread(architecture, tmp_path, shape=VLLM_SHAPE)
    loaded, other = (fresh(folder, device="cuda") for _ in range(2))
    with torch.no_grad():
        for parameter in other.model.parameters():
            parameter.mul_(1 + 0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)).cuda())
    encoded = encode(loaded, *[ask(*pieces) for pieces in prompts()])
    settings = VllmEngineSettings(
        max_num_seqs=32, max_num_batched_tokens=512, cache_gib=2.0, eager=True, sleep="release"
    )
    engine = VllmEngine(loaded, settings)
    try:
        for model in (loaded, other, loaded):
            engine.wake()
            engine.load_weights(model.model.named_parameters(), 1)
            tokens, logprobs = greedy(engine, encoded)
            expected, theirs = greedy(TransformersEngine(model), encoded)
            assert tokens == expected
            assert logprobs == pytest.approx(theirs, abs=1e-2)  # vLLM's attention multiplies in TF32; 3.6e-3 were seen
            awake = free()
            engine.sleep()
            assert free() - awake > 1.9 * GIB
    finally:
        engine.close()


def test_a_whole_run_in_16_bits_whose_engine_sleeps_while_the_policy_learns(tmp_path, library):
    library("vllm")
    folder = tmp_path / "run"
    start_run(
        "configs/quickstart.yaml",
        [
            f"run_folder={folder}",
            "stages=[rl]",
            "model={build: tiny-qwen3-vl, device: cuda, dtype: bfloat16, context: 512}",
            "engine={name: vllm, max_num_seqs: 64, max_num_batched_tokens: 1024, "
            "cache_gib: 1.0, eager: true, sleep: release}",
            "rl={steps: 3, problems_per_step: 8, rollouts_per_problem: 4, skip_uninformative: false, "
            "sampling: {max_tokens: 16}, validate_every: 3, agreement: {max_gap: 0.2}}",
            "eval={problems: 8, curve_problems: 8, sampling: {max_tokens: 16}}",
        ],
    )
    steps = [line for line in read_jsonl(folder / "metrics.jsonl") if line["phase"] == "rl"]
    assert len(steps) == 3
    for line in steps[1:]:
        assert line["colocated/memory_rollout_gib"] - line["colocated/memory_after_gib"] > 0.9
