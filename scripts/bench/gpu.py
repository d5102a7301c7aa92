"""Rollout and training of a 3B-sized policy on a CUDA device: tokens a second, share of peak FLOP, memory.

    python scripts/bench/gpu.py [--problems 8] [--response 256] [--repeats 3] [--peak-tflops 989]
    python scripts/bench/gpu.py --parts vllm   # vLLM in the process of the same policy, and what it gives back asleep
    python scripts/bench/gpu.py --smoke    # the same steps on the CPU with a tiny model: that they run, no figures

The policy has the published shape of Qwen2.5-VL-3B and random bfloat16 weights, so nothing is downloaded and only the
amount of work matters. Each problem has one image; k = 8 responses of equal length, end tokens never sampled. What is
timed, each way warmed up once and then in turn with the others:

* rollout: vlrl's engine, the same without CUDA graphs, and by the model's own forward pass, and
  `generate(num_return_sequences=8)` of the same weights;
* an update (forward, backward, optimiser): with everything on, and with one saving after the other left out: separate
  rows instead of packed ones, masks of PyTorch's attention instead of FlexAttention's blocks, features looked up again,
  a trained tower, its windows one by one, layers not checkpointed.

Model FLOP utilisation is the cost model's FLOP of the *needed* work over seconds and the device's peak: packed rows
without what checkpointing computes again; no look where features are kept, one forward where they are not, forward and
backward where the tower trains. Without a CUDA device the script ends with a message.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from alternate import alternate, machine
from image_heavy import K, image_problem
from transformers import GenerationConfig, Qwen2_5_VLProcessor

from vlrl.data.images.image_budget import ImageBudget
from vlrl.losses.sft_loss import SftLoss
from vlrl.model.attention.prompt_attention import SHARED_PREFIX_ATTENTION
from vlrl.model.batch.example import Example
from vlrl.model.cost import cost_of, load_of
from vlrl.model.families.tiny_parts import CHAT_TEMPLATE, train_tokenizer
from vlrl.model.folders.processor_compat import allow_processors_without_torchvision, new_video_processor
from vlrl.model.load import LoadedModel, ModelSettings, checkpoint_layers, random_model
from vlrl.model.optimization.optimizer import OptimizerSettings
from vlrl.model.optimization.parameter_groups import PARTS
from vlrl.model.prompts.encode import Encoded, Encoder
from vlrl.model.sizes import published_models
from vlrl.model.tiny import small_parts
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.model.vision.feature_cache import FeatureStore
from vlrl.model.vision.tower_attention import SEGMENT_ATTENTION
from vlrl.rollout.colocated import ColocatedEngine
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine, TransformersEngineSettings

NAME = "Qwen/Qwen2.5-VL-3B-Instruct"
PEAK_TFLOPS = {  # dense bfloat16, by what a card's name has in it; the first that fits counts
    "H100 PCIe": 756.0,
    "H100 NVL": 835.0,
    "H200 NVL": 835.0,
    "H100": 989.0,
    "H200": 989.0,
    "A100": 312.0,
    "L40S": 362.0,
    "4090": 165.0,
}
SIDE, SMOKE_SIDE = 784, 48  # pixels: 28 × 28 = 784 image tokens
CONTEXT = 8192


def build(device: torch.device) -> LoadedModel:
    """The policy with random weights, and a processor whose few tokens are ids of the large vocabulary."""
    allow_processors_without_torchvision()
    texts = ["How many squares are darker than their neighbours? 0 1 2 3 4 5 6 7 8 9"] * 50
    settings = ModelSettings(path=NAME, device=device.type, dtype="bfloat16" if device.type == "cuda" else "float32")
    if device.type == "cuda":
        loaded = random_model(*published_parts(texts), settings.model_copy(update={"context": CONTEXT}))
    else:
        loaded = random_model(*small_parts("tiny-qwen2.5-vl", texts), settings)
    forbidden = (*loaded.placeholder_ids, loaded.tokenizer.eos_token_id)
    return replace(loaded, placeholder_ids=tuple(sorted(set(forbidden))), store=FeatureStore(loaded.model, 2**30))


def published_parts(texts: list[str]) -> tuple[Any, Any]:
    """Configuration and processor of the published shape."""
    tokenizer = train_tokenizer(texts, 400)
    published = published_models()[NAME]
    config, images = published.config(), published.image_processor()
    for key, mark in (("image_token_id", "image_pad"), ("video_token_id", "video_pad")):
        setattr(config, key, tokenizer.convert_tokens_to_ids(f"<|{mark}|>"))
    for key in ("vision_start_token_id", "vision_end_token_id"):
        setattr(config, key, tokenizer.convert_tokens_to_ids(f"<|{key.removesuffix('_token_id')}|>"))
    videos = new_video_processor(
        "Qwen2VLVideoProcessor", patch_size=images.patch_size, merge_size=2, temporal_patch_size=2
    )
    return config, Qwen2_5_VLProcessor(images, tokenizer, videos, chat_template=CHAT_TEMPLATE)


def rollout(loaded: LoadedModel, encoded: list[Encoded], length: int, repeats: int) -> None:
    """Both sides write k responses of `length` tokens to every problem."""
    looking = replace(loaded, store=None)  # repeated calls look at their images again
    engine = TransformersEngine(looking)
    single = TransformersEngine(looking, TransformersEngineSettings(cuda_graphs=False))
    plain = TransformersEngine(looking, TransformersEngineSettings(decode_step="model"))
    requests = [Request(one, K, Sampling(max_tokens=length), n) for n, one in enumerate(encoded)]
    config = GenerationConfig(
        do_sample=True,
        top_k=0,
        num_return_sequences=K,
        max_new_tokens=length,
        suppress_tokens=list(loaded.placeholder_ids),
        pad_token_id=loaded.tokenizer.pad_token_id,
        eos_token_id=None,
    )
    device = loaded.device
    inputs = {
        "input_ids": torch.tensor([one.token_ids for one in encoded], device=device),
        "mm_token_type_ids": torch.tensor([one.token_types for one in encoded], dtype=torch.int, device=device),
        "pixel_values": torch.cat([i.patches for one in encoded for i in one.images]).to(device, loaded.model.dtype),
        "image_grid_thw": torch.tensor([i.grid for one in encoded for i in one.images], device=device),
    }
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])

    decoder = loaded.model.get_decoder()
    usual = decoder.config._attn_implementation

    @torch.inference_mode()
    def theirs() -> None:
        tower = loaded.config.vision_config._attn_implementation
        decoder.set_attn_implementation("sdpa")
        loaded.model.set_attn_implementation({"vision_config": "sdpa"})
        loaded.model.generate(**inputs, generation_config=config)
        decoder.set_attn_implementation(usual)
        loaded.model.set_attn_implementation({"vision_config": tower})

    sides = {
        "vlrl": lambda: engine.generate(requests),
        "vlrl without CUDA graphs": lambda: single.generate(requests),
        "vlrl by the model's own forward pass": lambda: plain.generate(requests),
        "generate": theirs,
    }
    written = len(encoded) * K * length
    print(f"\n| rollout, {len(encoded)} × {K} × {length} tokens | seconds | tokens a second | peak GiB |")
    print("|---|---|---|---|")
    report(sides, repeats, lambda _, seconds: f"{written / seconds:,.0f}", device)


def training(loaded: LoadedModel, encoded: list[Encoded], length: int, repeats: int, peak: float) -> None:
    """One update on k responses to every problem, with everything on and with one saving after the other left out."""
    draw = torch.Generator().manual_seed(0)
    allowed = [i for i in range(300) if i not in loaded.placeholder_ids]

    def responses() -> tuple[tuple[int, ...], ...]:
        return tuple(
            tuple(allowed[int(i)] for i in torch.randint(len(allowed), (length,), generator=draw)) for _ in range(K)
        )

    packed = [Example(one, responses(), (1.0,) * K) for one in encoded]
    single = [e.take([j]) for e in packed for j in range(K)]
    lr = OptimizerSettings(lr=1e-6)
    frozen = PolicySettings(freeze=("vision", "projector"), optimizer=lr)
    settings = {True: frozen, False: PolicySettings(optimizer=lr)}
    policies: dict[tuple[bool, bool], TorchPolicy] = {}

    decoder = loaded.model.get_decoder()
    usual = decoder.config._attn_implementation
    frozen_cost, trained_cost = (cost_of(loaded.config, loaded.model, parts, False) for parts in (("language",), PARTS))
    loads = [load_of(e) for e in packed]
    needed = {
        "kept": sum(frozen_cost.training(replace(load, images=())) for load in loads),
        "looked up": sum(frozen_cost.training(load) for load in loads),
        "trained": sum(trained_cost.training(load) for load in loads),
    }

    def update(
        examples: list[Example],
        features: str = "kept",
        masks: bool = False,
        checkpoint: bool = True,
        tower: str = SEGMENT_ATTENTION,
    ) -> tuple[Callable[[], object], float]:
        store, freeze = features != "looked up", features != "trained"

        def run() -> None:
            model = loaded.model
            decoder.set_attn_implementation(SHARED_PREFIX_ATTENTION if masks else usual)
            model.set_attn_implementation({"vision_config": tower})
            checkpoint_layers(model) if checkpoint else model.gradient_checkpointing_disable()
            if (freeze, store) not in policies:
                policies.clear()  # one optimiser state at a time
                empty_cache(loaded.device)
                used = loaded if store else replace(loaded, store=None)
                policies[freeze, store] = TorchPolicy(used, settings[freeze])
            policies[freeze, store].update(examples, SftLoss(), 1.0, 1.0)
            if loaded.device.type == "cuda":
                torch.cuda.synchronize()

        return run, needed[features]

    sides = {
        "packed, frozen tower, features kept, FlexAttention, checkpointed": update(packed),
        "without packing (separate rows)": update(single),
        "without FlexAttention (masks)": update(packed, masks=True),
        "without kept features": update(packed, "looked up"),
        "without checkpointing": update(packed, checkpoint=False),
        "trained tower": update(packed, "trained"),
        "trained tower, windows one by one": update(packed, "trained", tower="sdpa"),
        "trained tower, without packing": update(single, "trained"),
    }
    tokens = sum(e.num_tokens for e in packed)
    rows = f"{len(packed)} rows of {packed[0].num_tokens:,} tokens"
    print(f"\n| update, {rows} | seconds | tokens a second, MFU | peak GiB |")
    print("|---|---|---|---|")

    def rate(name: str, seconds: float) -> str:
        return f"{tokens / seconds:,.0f}, {sides[name][1] / seconds / peak / 1e12:.0%}"

    report({name: run for name, (run, _) in sides.items()}, repeats, rate, loaded.device)


def vllm(loaded: LoadedModel, encoded: list[Encoded], length: int, repeats: int) -> None:
    """vLLM beside the policy: how fast it writes, what the switches take, and what it holds awake and asleep."""
    from vlrl.rollout.vllm.vllm_settings import VllmEngineSettings

    engine = VllmEngineSettings(sleep="release", memory_share=0.3).open(loaded)
    requests = [Request(one, K, Sampling(max_tokens=length), n) for n, one in enumerate(encoded)]
    colocated = ColocatedEngine(engine, loaded.device)
    tokens, rows = len(encoded) * K * length, []
    for version in range(repeats + 1):  # the first one starts vLLM
        colocated.to_rollout(loaded.model.named_parameters, version)
        started = time.perf_counter()
        colocated.generate(requests)
        taken = time.perf_counter() - started
        colocated.to_training()
        rows.append((taken, colocated.pop_metrics()))
    print(f"\n| vLLM, {len(encoded)} × {K} × {length} tokens | seconds | tokens a second | switches and memory |")
    print("|---|---|---|---|")
    for n, (taken, figures) in enumerate(rows):
        said = ", ".join(f"{name.removeprefix('hybrid/')} {value:.3g}" for name, value in figures.items())
        print(f"| {'first, its start included' if n == 0 else n} | {taken:.3g} | {tokens / taken:,.0f} | {said} |")
    engine.close()


def empty_cache(device: torch.device) -> None:
    """Give back what PyTorch keeps of a CUDA device's memory."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def report(
    sides: dict[str, Callable[[], object]], repeats: int, rate: Callable[[str, float], str], device: torch.device
) -> None:
    """Each side for itself, so that its memory is its own; one that doesn't fit is said to."""
    cuda = device.type == "cuda"
    for name, run in sides.items():
        empty_cache(device)
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        try:
            run()
            taken = alternate({name: run}, repeats)[name]
        except torch.cuda.OutOfMemoryError:
            print(f"| {name} | out of memory | – | – |", flush=True)
            continue
        held = f"{torch.cuda.max_memory_allocated() / 2**30:.1f}" if cuda else "–"
        print(f"| {name} | {taken} | {rate(name, taken.median)} | {held} |", flush=True)


def main() -> None:
    """Build, time, print."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--problems", type=int, default=8)
    arguments.add_argument("--response", type=int, default=256, help="tokens of each response")
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--peak-tflops", type=float, default=None, help="dense bfloat16 peak of the device")
    choices = ("rollout", "training", "vllm")
    arguments.add_argument("--parts", nargs="+", choices=choices, default=choices[:2])
    arguments.add_argument("--smoke", action="store_true", help="a tiny model on the CPU: that every step runs")
    given = arguments.parse_args()
    if given.smoke:
        device, name, peak, side = (
            torch.device("cpu"),
            "smoke on the CPU, no figures",
            given.peak_tflops or 1.0,
            SMOKE_SIDE,
        )
        given.problems, given.response, given.repeats = 2, 4, 1
    elif not torch.cuda.is_available():
        sys.exit(
            "scripts/bench/gpu.py needs a CUDA device; this build of torch sees none. On the CPU: shared_prefix.py"
        )
    else:
        device, name, side = torch.device("cuda"), torch.cuda.get_device_name(), SIDE
        peak = given.peak_tflops or next((value for key, value in PEAK_TFLOPS.items() if key in name), None)
    if peak is None:
        sys.exit(f"the peak of {name} is not known here: give --peak-tflops")
    loaded = build(device)
    size = sum(p.numel() for p in loaded.model.parameters()) / 1e9
    encoder = Encoder(loaded, ImageBudget(min_pixels=side * side, max_pixels=side * side))
    encoded = encoder.encode([image_problem(i, side) for i in range(given.problems)])
    print(f"{name}, {peak:g} TFLOP/s at most, {machine()}")
    print(f"{size:.2f} B parameters, prompts of {encoded[0].num_tokens} tokens")
    if "rollout" in given.parts:
        rollout(loaded, encoded, given.response, given.repeats)
    if "training" in given.parts:
        training(loaded, encoded, given.response, given.repeats, peak)
    if "vllm" in given.parts:
        vllm(loaded, encoded, given.response, given.repeats)


if __name__ == "__main__":
    main()
