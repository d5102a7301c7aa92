"""Where a run goes: engines over several ranks, a pool's devices, and what is proposed for a node."""

from __future__ import annotations

import io

import pytest
import torch
from rich.console import Console

import vlrl.plan.plan as planning
from vlrl.errors import ConfigError
from vlrl.model.sizes import published_models
from vlrl.plan.plan import make_plan
from vlrl.rollout.vllm.vllm_settings import VllmEngineSettings


def shown(plan):
    said = io.StringIO()
    planning.show_plan(plan, Console(file=said, width=200, highlight=False))
    return said.getvalue()


def test_several_ranks_that_are_one_engine_share_weights_and_heads(images_config):
    def plan(n):
        engine = f"engine={{name: vllm, tensor_parallel_size: {n}, cache_gib: 1}}"
        return make_plan(images_config, [engine, "model.shape={text_width: 128, key_value_heads: 2}"], ranks=4)

    alone, pair = plan(1), plan(2)
    assert pair.memory["rl rollout"]["engine's weights"] * 2 == alone.memory["rl rollout"]["engine's weights"]
    config = alone.architecture.config
    needed = [VllmEngineSettings(tensor_parallel_size=n)._needed(config, 10_000, torch.float32) for n in (1, 2, 4)]
    assert needed == [needed[0], needed[0] / 2, needed[0] / 2], "two heads of keys; four ranks hold each twice"
    hand_over = pair.memory["rl hand-over"]
    assert hand_over["a weight gathered"] == 4 * pair.counts.largest_weight
    assert hand_over["engine's weights"] == pair.memory["rl rollout"]["engine's weights"]
    assert "rl hand-over" not in make_plan(images_config, ["engine={name: vllm, cache_gib: 1}"]).memory


@pytest.mark.parametrize(
    ("name", "ranks", "said"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", 8, "num_attention_heads 28"),
        ("Qwen/Qwen2.5-VL-3B-Instruct", 8, r"vision_config.intermediate_size 3420 .*tensor_parallel_size: 4"),
        ("Qwen/Qwen3-VL-8B-Instruct", 3, "num_key_value_heads 8"),
    ],
)
def test_heads_and_columns_that_an_engine_of_several_ranks_cannot_share_are_refused(name, ranks, said):
    config = published_models()[name].config()
    one = VllmEngineSettings(tensor_parallel_size=ranks)
    with pytest.raises(ConfigError, match=f"(?s){said}"):
        one.check(config, torch.device("cuda"), 4096, torch.bfloat16)
    VllmEngineSettings(tensor_parallel_size=4).check(config, torch.device("cuda"), 4096, torch.bfloat16)


def test_a_run_that_fits_no_device_is_told_how_it_fits_a_node(images_config):
    large = "model={path: Qwen/Qwen2.5-VL-7B-Instruct, dtype: bfloat16, context: 8192}"
    engine = "engine={name: vllm, memory_share: 0.15}"  # 12 GiB, and the weights have 15.4
    plan = make_plan(images_config, [large, engine], gpu_gib=80)
    found = plan.deployment
    assert found is not None
    assert found.ranks == 8
    assert "engine.tensor_parallel_size=2" in found.overrides
    again = make_plan(images_config, [large, engine, *found.overrides], False, 8, 80)
    assert again.fits
    assert again.peak_bytes == found.peak_bytes
    said = shown(plan)
    assert "does not fit" in said
    assert f"torchrun --nproc-per-node 8 -m vlrl run CONFIG … {' '.join(found.overrides)}" in said
    assert "backend torch" in said
    assert "backend fsdp" in shown(again)
    assert "leaves a tenth free; the least takes torchrun" in shown(make_plan(images_config, [large], gpu_gib=4))


def test_an_actor_on_a_device_of_its_own_holds_its_model_and_the_copy_of_its_engine(images_config):
    pool = "engine={name: ray, address: auto, gpus_per_actor: 1, engine: {name: vllm, cache_gib: 1, sleep: release}}"
    plan = make_plan(images_config, [pool], gpu_gib=8)
    weights = 4 * plan.counts.total
    actor = plan.memory["an actor"]
    assert (actor["actor's model"], actor["engine's weights"], actor["keys and values"]) == (weights, weights, 2**30)
    assert "engine's weights" not in plan.memory["rl rollout"]


def test_a_run_beyond_its_context_is_not_said_to_fit(images_config):
    plan = make_plan(images_config, ["model.context=80", "rl.sampling.max_tokens=64"], gpu_gib=80)
    assert not plan.fits
    assert ": fits" not in shown(plan)
