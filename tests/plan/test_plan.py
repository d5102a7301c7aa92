"""What `vlrl plan` says is right: parameters, image tokens, prompts, work and memory, without weights or network."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from rich.console import Console

import vlrl.plan.plan as planning
from vlrl.config import load_settings
from vlrl.errors import ConfigError
from vlrl.model.cost import CostModel
from vlrl.model.families.tiny_parts import TinyShape
from vlrl.model.load import ModelSettings, load_folder
from vlrl.model.memory import RolloutLoad, cache_bytes, state_bytes
from vlrl.model.optimization.lora import LoraSettings
from vlrl.model.optimization.parameter_groups import part_of
from vlrl.model.sizes import count_parameters, find_architecture, published_models
from vlrl.model.tiny import build_tiny
from vlrl.model.training.backends import DeepSpeedBackend
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.plan.plan import make_plan
from vlrl.plan.plan_work import rl_work
from vlrl.rollout.vllm.vllm_settings import VllmEngineSettings
from vlrl.training.run_settings import RunSettings

TEXTS = ["What is 3+4? <think>3+4=7</think><answer>7</answer>"] * 50


@pytest.fixture(scope="module", params=["tiny-qwen3-vl", "tiny-qwen2.5-vl", "tiny-idefics3"])
def folder(request, tmp_path_factory) -> Path:
    return build_tiny(request.param, TEXTS, tmp_path_factory.mktemp("tiny"), 0, TinyShape())


def test_parameters_are_counted_as_the_loaded_model_has_them(folder):
    arch = find_architecture(ModelSettings(path=str(folder)), list)
    loaded = load_folder(str(folder), ModelSettings(path=str(folder), device="cpu"))
    real = {"vision": 0, "projector": 0, "language": 0}
    for name, parameter in loaded.model.named_parameters():
        real[part_of(name)] += parameter.numel()
    counts = count_parameters(arch.config)
    assert counts.by_part == real
    assert all(0 < counts.matrices_by_part[part] <= counts.by_part[part] for part in real)  # a projector may be one
    assert all(counts.matrices_by_part[part] < counts.by_part[part] for part in ("vision", "language"))


def test_a_built_model_is_counted_without_being_built(folder):
    names = {"qwen3_vl": "tiny-qwen3-vl", "qwen2_5_vl": "tiny-qwen2.5-vl", "idefics3": "tiny-idefics3"}
    name = names[json.loads((folder / "config.json").read_text())["model_type"]]
    built = find_architecture(ModelSettings(build=name), lambda: TEXTS)
    saved = find_architecture(ModelSettings(path=str(folder)), list)
    assert count_parameters(built.config) == count_parameters(saved.config)


@pytest.mark.parametrize(
    ("name", "total"),  # the published checkpoints' own numbers of weights: bytes of their bfloat16 files over two
    [
        ("Qwen/Qwen2.5-VL-3B-Instruct", 3_754_622_976),
        ("Qwen/Qwen2.5-VL-7B-Instruct", 8_292_166_656),
        ("Qwen/Qwen2.5-VL-32B-Instruct", 33_452_718_336),
        ("Qwen/Qwen2.5-VL-72B-Instruct", 73_410_777_344),
        ("Qwen/Qwen3-VL-4B-Instruct", 4_437_815_808),
        ("Qwen/Qwen3-VL-8B-Instruct", 8_767_123_696),
        ("Qwen/Qwen3-VL-30B-A3B-Instruct", 31_070_754_032),
    ],
)
def test_published_configurations_give_the_published_sizes(name, total):
    assert count_parameters(published_models()[name].config()).total == total


def test_tokens_of_a_image_are_those_that_the_processor_makes(folder):
    arch = find_architecture(ModelSettings(path=str(folder)), list)
    for width, height in [(48, 48), (640, 480), (97, 211), (16, 300)]:
        made = arch.processor(images=[Image.new("RGB", (width, height))], text=arch.processor.image_token)
        ids = made["input_ids"][0]
        assert arch.image_tokens(width, height) == ids.count(arch.config.image_token_id)


def test_of_experts_the_chosen_ones_are_worked_with():
    counts = count_parameters(published_models()["Qwen/Qwen3-VL-30B-A3B-Instruct"].config())
    experts = 48 * 8 * 3 * 2048 * 768  # layers · chosen experts · gate, up and down
    assert counts.active_by_part["language"] == counts.matrices_by_part["language"] + experts


def test_a_configuration_alone_is_enough_where_its_family_knows_how_images_are_cut(folder, tmp_path, images_config):
    (tmp_path / "bare").mkdir()
    file = tmp_path / "bare" / "config.json"
    file.write_bytes((folder / "config.json").read_bytes())
    if "idefics3" in file.read_text():
        with pytest.raises(ConfigError, match=r"model\.path: .*cuts its images"):
            find_architecture(ModelSettings(path=str(file)), list)
        return
    whole = find_architecture(ModelSettings(path=str(folder)), list)
    for path in (file, file.parent):
        arch = find_architecture(ModelSettings(path=str(path)), list)
        assert count_parameters(arch.config) == count_parameters(whole.config)
        assert arch.image_tokens(640, 480) == whole.image_tokens(640, 480)
        assert "config.json alone" in arch.origin
    plan = make_plan(images_config, [f"model={{path: {file}, device: cpu}}"])
    assert plan.counts.total == count_parameters(whole.config).total


def test_a_published_model_counts_28_or_32_pixels_a_token_side():
    for name, side in [("Qwen/Qwen2.5-VL-3B-Instruct", 28), ("Qwen/Qwen3-VL-4B-Instruct", 32)]:
        assert find_architecture(ModelSettings(path=name), list).image_tokens(side * 20, side * 15) == 300


def test_the_plan_counts_images_and_prompts_and_touches_no_folder(images_config):
    plan = make_plan(images_config)
    (source,) = plan.sources
    assert {n for p in source.prompts for n in p.images} == {12, 4}  # 64×48 and 32×32 in tokens of 16×16
    assert all(p.tokens > sum(p.images) + 5 for p in source.prompts)
    assert plan.image_bounds[0] == 4
    assert not (images_config.parent / "run").exists()


def test_work_of_a_step_by_hand(images_config):
    settings = load_settings(
        RunSettings,
        images_config,
        ["rl.problems_per_step=10", "rl.rollouts_per_problem=4", "rl.sampling.max_tokens=50", "rl.updates_per_step=3"],
    )
    said = " ".join(rl_work(settings, 100))
    assert "10 problems × 4 rollouts = 40" in said
    assert "2,000 response tokens" in said
    assert "3,000 tokens a pass packed, 6,000 as separate rows (2.0×)" in said  # 10·(100 + 4·50); 10·4·(100 + 50)
    assert "3 a step" in said


def test_state_in_bytes_by_hand():
    arch = find_architecture(ModelSettings(build="tiny-qwen3-vl"), lambda: TEXTS)
    counts = count_parameters(arch.config)
    whole = state_bytes(counts, ModelSettings(build="tiny-qwen3-vl"), PolicySettings())
    assert whole["weights"] == whole["gradients"] == 4 * counts.total
    assert whole["optimizer state"] == 8 * counts.total
    muon = state_bytes(counts, ModelSettings(build="tiny-qwen3-vl"), PolicySettings(optimizer={"name": "muon"}))
    assert muon["optimizer state"] == 8 * counts.total - 4 * sum(counts.matrices_by_part.values())
    frozen = state_bytes(counts, ModelSettings(build="tiny-qwen3-vl"), PolicySettings(freeze=("vision", "projector")))
    assert frozen["gradients"] == 4 * counts.by_part["language"]
    rounded = state_bytes(counts, ModelSettings(build="tiny-qwen3-vl", dtype="bfloat16"), PolicySettings())
    assert rounded["float32 copies"] == 4 * counts.total
    assert rounded["gradients"] == 4 * counts.total
    assert rounded["optimizer state"] == whole["optimizer state"]


@pytest.mark.parametrize(
    ("stage", "weights", "gradients"),
    [(1, 2, 2 + 4 / 8), (2, 2, 2 / 8 + 4 / 8), (3, 2 + 2 / 8, 2 / 8 + 4 / 8)],
)
def test_what_one_of_eight_ranks_holds_by_hand(stage, weights, gradients):
    model = ModelSettings(build="tiny-qwen3-vl", dtype="bfloat16")
    counts = count_parameters(find_architecture(model, lambda: TEXTS).config)
    held = DeepSpeedBackend(stage=stage).state_bytes(counts, model, PolicySettings(), 8)
    found = {part: size / counts.total for part, size in held.items()}
    expected = {"weights": weights, "float32 copies": 0.5, "gradients": gradients, "optimizer state": 1.0}
    assert found == pytest.approx(expected, abs=1e-3)
    in_ram = DeepSpeedBackend(stage=stage, offload_optimizer=True)
    offloaded = in_ram.state_bytes(counts, model, PolicySettings(), 8)
    assert offloaded["float32 copies"] == offloaded["optimizer state"] == 0


def test_adapters_are_all_that_trains_in_their_parts(folder):
    counts = count_parameters(find_architecture(ModelSettings(path=str(folder)), list).config)
    policy = PolicySettings(freeze=("vision", "projector"), lora=LoraSettings(rank=4))
    adapted = TorchPolicy(load_folder(str(folder), ModelSettings(path=str(folder), device="cpu")), policy)
    trained = sum(p.numel() for p in adapted.optimizer.parameters)
    found = state_bytes(counts, ModelSettings(path=str(folder)), policy)
    assert found["gradients"] == 4 * trained
    assert found["optimizer state"] == 8 * trained
    assert found["weights"] == 4 * (counts.total + trained)


def test_an_engine_with_weights_of_its_own_stands_beside_the_trainer_unless_it_leaves(images_config):
    plans = {
        name: make_plan(images_config, [f"engine={engine}"])
        for name, engine in {
            "transformers": "transformers",
            "stay": "{name: vllm, cache_gib: 0.5}",
            "restart": "{name: vllm, cache_gib: 0.5, sleep: restart}",
        }.items()
    }
    weights = 4 * plans["stay"].counts.total
    assert "engine's weights" not in plans["transformers"].memory["rl rollout"]
    for name in ("stay", "restart"):
        assert plans[name].memory["rl rollout"]["engine's weights"] == weights
        assert plans[name].memory["rl rollout"]["keys and values"] == 2**29
    grown = {name: sum(plan.memory["rl update"].values()) for name, plan in plans.items()}
    assert grown["restart"] == grown["transformers"]
    assert grown["stay"] == grown["transformers"] + weights + 2**29


def test_what_vllm_takes_by_itself_is_counted():
    gib, gpu, cpu = 2**30, torch.device("cuda"), torch.device("cpu")
    assert VllmEngineSettings().cache_bytes(cpu, 0, 5 * gib) == gib
    assert VllmEngineSettings(memory_share=0.5).cache_bytes(gpu, 80 * gib, 8 * gib) == 32 * gib
    assert VllmEngineSettings(cache_gib=2).cache_bytes(gpu, 80 * gib, 8 * gib) == 2 * gib
    pair = VllmEngineSettings(memory_share=0.5, tensor_parallel_size=2)
    assert pair.cache_bytes(gpu, 80 * gib, 8 * gib) == 36 * gib, "a rank has half of the weights"


def test_a_pools_actors_and_its_store_are_counted_where_they_are_this_machines(images_config):
    def plan(*engine):
        return make_plan(images_config, ["model.device=cpu", *engine])

    alone = plan().memory["rl rollout"]
    wave = sum(alone[part] for part in ("keys and values", "reading", "logits", "packed weights"))
    pool = plan("engine={name: ray, actors: 3}")
    weights = 4 * pool.counts.total
    assert pool.memory["rl rollout"]["actors"] == 3 * (weights + wave)
    assert pool.memory["rl update"]["actors"] == 3 * weights
    assert pool.memory["rl rollout"]["actors' shared memory"] >= 2 * weights
    assert "keys and values" not in pool.memory["rl rollout"], "nothing is decoded in the trainer"
    vllm = plan("engine={name: ray, actors: 2, engine: {name: vllm}}")
    logits = plan("engine=vllm").memory["rl rollout"]["logits"]  # as beside the trainer
    assert vllm.memory["rl rollout"]["actors"] == 2 * (3 * weights + 2**30 + logits)  # its model, engine, last transfer
    assert vllm.memory["rl update"]["actors"] == 2 * (3 * weights + 2**30)
    assert "actors" not in plan("engine={name: ray, address: auto}").memory["rl rollout"]


def test_the_store_of_features_is_counted(images_config):
    plan = make_plan(images_config, ["model.feature_store_mib=7"])
    assert all(held["features of images"] == 7 * 2**20 for held in plan.memory.values())


def test_packed_weights_are_a_copy_of_the_decoders_matrices_on_the_cpu(images_config):
    def packed(*overrides):
        plan = make_plan(images_config, ["model.device=cpu", *overrides])
        return plan.memory["rl rollout"].get("packed weights", 0), 4 * plan.counts.by_part["language"]

    held, matrices = packed()
    assert held == matrices
    assert packed("model.dtype=bfloat16")[0] == 0
    assert packed("engine={name: vllm, cache_gib: 0.5}")[0] == 0


def test_keys_and_values_in_bytes_by_hand():
    cost = CostModel(find_architecture(ModelSettings(build="tiny-qwen3-vl"), lambda: TEXTS).config, {})
    # keys and values × 3 layers × 3 heads × 32 × 4 bytes; 2 prompts of 100, 8 rows whose 40 tokens need room for 64
    assert cache_bytes(cost, RolloutLoad(2, 8, 100, 40)) == 2 * 3 * 3 * 32 * 4 * (2 * 100 + 8 * 64)


def test_the_activation_formula_is_near_what_autograd_keeps():
    arch = find_architecture(ModelSettings(build="tiny-qwen3-vl"), lambda: TEXTS)
    from transformers import AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_config(arch.config)
    kept: dict[int, int] = {}
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    tokens = 400
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        hidden = model.model(input_ids=torch.ones(1, tokens, dtype=torch.long), use_cache=False).last_hidden_state
    assert hidden.requires_grad
    found = CostModel(arch.config, {}, trained=("language",)).activation_bytes(tokens, 0)
    assert 0.67 < found / sum(kept.values()) < 1.5


def test_checkpointing_and_small_micro_batches_need_less(images_config):
    def peak(*overrides: str) -> int:
        return make_plan(images_config, overrides).peak_bytes

    assert peak("model.gradient_checkpointing=true") < peak()
    assert peak("rl.policy.micro_batch_tokens=1024") < peak()


def test_a_group_above_the_memory_of_a_micro_batch_is_planned_in_pieces(images_config):
    """A row of eight responses of 64 tokens takes about 30 MiB; in 12 there is room for three or four of them."""
    pieces = make_plan(images_config, ["rl.policy.micro_batch_mib=12"])
    held = pieces.memory["rl update"]
    assert 9 * 2**20 < held["activations"] + held["logits"] <= 12 * 2**20
    assert pieces.work.micro_batches > pieces.settings.rl.problems_per_step
    assert make_plan(images_config).work.micro_batches == 2


def test_a_prompt_and_its_response_beyond_the_context_are_noted(images_config):
    notes = planning.warnings_of(make_plan(images_config, ["model.context=80", "rl.sampling.max_tokens=64"]))
    assert any("exceed the context of 80" in note for note in notes)


def test_a_plan_for_a_gpu_that_is_not_here_goes_by_its_memory_and_by_nothing_of_this_machine(images_config):
    vllm = "engine={name: vllm, sleep: release, memory_share: 0.5}"
    plan = make_plan(images_config, [vllm], gpu_gib=80)
    weights = 4 * plan.counts.total
    assert (plan.device, plan.device_bytes, plan.obstacles) == ("cuda", 80 * 2**30, ())
    assert plan.memory["rl rollout"]["keys and values"] == 40 * 2**30 - weights
    assert plan.memory["rl update"].get("keys and values", 0) == 0, "it sleeps"
    assert plan.memory["rl rollout"].get("packed weights", 0) == 0, "those are of the CPU"
    assert "fits" in shown(plan)
    small = make_plan(images_config, [vllm, "engine.memory_share=0.0005"], gpu_gib=8)
    assert any(
        "engine.memory_share" in note and "GiB for keys and values" in note for note in planning.warnings_of(small)
    )
    grouped = "engine={name: vllm, memory_share: 0.5, tensor_parallel_size: 3}"
    refused = shown(make_plan(images_config, [grouped, "backend=torch"], ranks=8, gpu_gib=80))
    assert ": fits" not in refused, "a run that would be refused"
    assert "the run would stop at its start" in refused
    with pytest.raises(ConfigError, match="--measure"):
        make_plan(images_config, measure=True, gpu_gib=80)


def shown(plan):
    said = io.StringIO()
    planning.show_plan(plan, Console(file=said, width=200, highlight=False))
    return said.getvalue()


@pytest.mark.parametrize(("reset", "held"), [("each_iteration", False), ("never", True)])
def test_moments_that_are_forgotten_at_an_iterations_end_take_no_room_beside_the_engine(images_config, reset, held):
    memory = make_plan(images_config, [f"rl.policy.reset_optimizer={reset}"]).memory
    assert memory["rl update"]["optimizer state"] > 0
    assert [memory[f"rl {phase}"]["optimizer state"] > 0 for phase in ("rollout", "validation")] == [held, held]
