"""Rollout and training of a 3B-sized policy on a CUDA device: tokens a second, share of peak FLOP, memory.

    python scripts/bench/gpu.py [--problems 8] [--response 256] [--repeats 3] [--peak-tflops 989]

The policy has the published shape of Qwen2.5-VL-3B and random bfloat16 weights, so nothing is downloaded and only the
amount of work matters. Each problem has one picture; k = 8 responses of equal length, end tokens never sampled. What is
timed, each way warmed up once and then in turn with the others:

* rollout: vlrl's engine, and `generate(num_return_sequences=8)` of the same weights;
* an update (forward, backward, optimiser): with everything on, and with one saving after the other left out: separate
  rows instead of packed ones, masks of PyTorch's attention instead of FlexAttention's blocks, features looked up anew,
  a trained tower, layers not checkpointed.

Model FLOP utilisation is the cost model's FLOP of the *needed* work (packed rows, one look) without what checkpointing
computes again, over seconds and the device's peak. Without a CUDA device the script ends with a message.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace

import torch
from alternate import alternate, machine
from image_heavy import K, image_problem
from transformers import AutoModelForImageTextToText, GenerationConfig, Qwen2_5_VLProcessor, Qwen2VLImageProcessorPil

from vlrl.data.image_budget import ImageBudget
from vlrl.losses.sft import SftLoss
from vlrl.model.attention import SHARED_PREFIX_ATTENTION, WITH_FLEX, set_attention
from vlrl.model.cost import cost_of, load_of
from vlrl.model.encode import Encoded, Encoder
from vlrl.model.feature_store import FeatureStore
from vlrl.model.load import LoadedModel, placeholder_ids
from vlrl.model.optimizer import OptimizerSettings
from vlrl.model.packing import Row
from vlrl.model.pictures_only import allow_processors_without_torchvision, new_video_processor
from vlrl.model.policy import Example
from vlrl.model.sizes import PUBLISHED
from vlrl.model.tiny import CHAT_TEMPLATE, train_tokenizer
from vlrl.model.torch_policy import PolicySettings, TorchPolicy
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers_engine import TransformersEngine

NAME = "Qwen/Qwen2.5-VL-3B-Instruct"
PEAK_TFLOPS = {"H100": 989.0, "H200": 989.0, "A100": 312.0, "L40S": 362.0, "4090": 165.0}  # dense bfloat16
SIDE = 784  # pixels: 28 × 28 = 784 picture tokens
CONTEXT = 8192


def build(device: torch.device) -> LoadedModel:
    """The policy with random weights, and a processor whose few tokens are ids of the large vocabulary."""
    allow_processors_without_torchvision()
    tokenizer = train_tokenizer(["How many squares are darker than their neighbours? 0 1 2 3 4 5 6 7 8 9"] * 50, 400)
    published = PUBLISHED[NAME]
    config = published.config()
    for key, mark in (("image_token_id", "image_pad"), ("video_token_id", "video_pad")):
        setattr(config, key, tokenizer.convert_tokens_to_ids(f"<|{mark}|>"))
    for key in ("vision_start_token_id", "vision_end_token_id"):
        setattr(config, key, tokenizer.convert_tokens_to_ids(f"<|{key.removesuffix('_token_id')}|>"))
    config.dtype = "bfloat16"
    size = {"shortest_edge": published.min_pixels, "longest_edge": published.max_pixels}
    images = Qwen2VLImageProcessorPil(patch_size=published.patch, merge_size=2, temporal_patch_size=2, size=size)
    videos = new_video_processor(
        "Qwen2VLVideoProcessor", patch_size=published.patch, merge_size=2, temporal_patch_size=2
    )
    processor = Qwen2_5_VLProcessor(images, tokenizer, videos, chat_template=CHAT_TEMPLATE)
    with device:
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16).eval()
    set_attention(model, "auto", device, torch.bfloat16)
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    forbidden = tuple(sorted({*placeholder_ids(config, tokenizer), tokenizer.eos_token_id}))
    return LoadedModel(model, processor, forbidden, (), CONTEXT, device, FeatureStore(model, 2**30))


def rollout(loaded: LoadedModel, encoded: list[Encoded], length: int, repeats: int) -> None:
    """Both sides write k responses of `length` tokens to every problem."""
    engine = TransformersEngine(replace(loaded, store=None))  # repeated calls look at their pictures again
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
        "pixel_values": torch.cat([i.patches for one in encoded for i in one.images]).to(device, torch.bfloat16),
        "image_grid_thw": torch.tensor([i.grid for one in encoded for i in one.images], device=device),
    }
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])

    @torch.inference_mode()
    def theirs() -> None:
        loaded.model.get_decoder().set_attn_implementation("sdpa")
        loaded.model.generate(**inputs, generation_config=config)
        loaded.model.get_decoder().set_attn_implementation(WITH_FLEX)

    sides = {"vlrl": lambda: engine.generate(requests), "generate": theirs}
    written = len(encoded) * K * length
    print(f"\n| rollout, {len(encoded)} × {K} × {length} tokens | seconds | tokens a second | peak GiB |")
    print("|---|---|---|---|")
    report(sides, repeats, lambda seconds: f"{written / seconds:,.0f}")


def training(loaded: LoadedModel, encoded: list[Encoded], length: int, repeats: int, peak: float) -> None:
    """One update on k responses to every problem, with everything on and with one saving after the other left out."""
    draw = torch.Generator().manual_seed(0)
    allowed = [i for i in range(300) if i not in loaded.placeholder_ids]

    def responses() -> tuple[tuple[int, ...], ...]:
        return tuple(
            tuple(allowed[int(i)] for i in torch.randint(len(allowed), (length,), generator=draw)) for _ in range(K)
        )

    packed = [Example(Row(one, responses()), (1.0,) * K) for one in encoded]
    single = [e.take([j]) for e in packed for j in range(K)]
    lr = OptimizerSettings(lr=1e-6)
    frozen = PolicySettings(freeze=("vision", "projector"), optimizer=lr)
    settings = {True: frozen, False: PolicySettings(optimizer=lr)}
    policies: dict[tuple[bool, bool], TorchPolicy] = {}

    def update(
        examples: list[Example], store: bool = True, freeze: bool = True, flex: bool = True, checkpoint: bool = True
    ) -> Callable[[], object]:
        def run() -> None:
            model = loaded.model
            model.get_decoder().set_attn_implementation(WITH_FLEX if flex else SHARED_PREFIX_ATTENTION)
            kwargs = {"gradient_checkpointing_kwargs": {"use_reentrant": False}}
            model.gradient_checkpointing_enable(**kwargs) if checkpoint else model.gradient_checkpointing_disable()
            if (freeze, store) not in policies:
                policies.clear()  # one optimiser state at a time
                torch.cuda.empty_cache()
                used = loaded if store else replace(loaded, store=None)
                policies[freeze, store] = TorchPolicy(used, settings[freeze])
            policies[freeze, store].update(examples, SftLoss(), 1.0, 1.0)
            torch.cuda.synchronize()

        return run

    sides = {
        "packed, frozen tower, features kept, FlexAttention, checkpointed": update(packed),
        "without packing (separate rows)": update(single),
        "without FlexAttention (masks)": update(packed, flex=False),
        "without kept features": update(packed, store=False),
        "without checkpointing": update(packed, checkpoint=False),
        "trained tower": update(packed, freeze=False),
        "trained tower, without packing": update(single, freeze=False),
    }
    cost = cost_of(loaded.config, loaded.model, False, False)
    needed = sum(cost.training(load_of(e.row)) for e in packed)
    tokens = sum(e.row.num_tokens for e in packed)
    rows = f"{len(packed)} rows of {packed[0].row.num_tokens:,} tokens"
    print(f"\n| update, {rows} | seconds | tokens a second, MFU | peak GiB |")
    print("|---|---|---|---|")
    report(sides, repeats, lambda seconds: f"{tokens / seconds:,.0f}, {needed / seconds / peak / 1e12:.0%}")


def report(sides: dict[str, Callable[[], object]], repeats: int, rate: Callable[[float], str]) -> None:
    """Each side for itself, so that its memory is its own; one that doesn't fit is said to."""
    for name, run in sides.items():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        try:
            run()
            taken = alternate({name: run}, repeats)[name]
        except torch.cuda.OutOfMemoryError:
            print(f"| {name} | out of memory | – | – |", flush=True)
            continue
        held = torch.cuda.max_memory_allocated() / 2**30
        print(f"| {name} | {taken} | {rate(taken.median)} | {held:.1f} |", flush=True)


def main() -> None:
    """Build, time, print."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--problems", type=int, default=8)
    arguments.add_argument("--response", type=int, default=256, help="tokens of each response")
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--peak-tflops", type=float, default=None, help="dense bfloat16 peak of the device")
    given = arguments.parse_args()
    if not torch.cuda.is_available():
        sys.exit(
            "scripts/bench/gpu.py needs a CUDA device; this build of torch sees none. On the CPU: shared_prefix.py"
        )
    device = torch.device("cuda")
    name = torch.cuda.get_device_name()
    peak = given.peak_tflops or next((value for key, value in PEAK_TFLOPS.items() if key in name), None)
    if peak is None:
        sys.exit(f"the peak of {name} is not known here: give --peak-tflops")
    loaded = build(device)
    size = sum(p.numel() for p in loaded.model.parameters()) / 1e9
    encoder = Encoder(loaded, ImageBudget(min_pixels=SIDE * SIDE, max_pixels=SIDE * SIDE))
    encoded = encoder.encode([image_problem(i, SIDE) for i in range(given.problems)])
    print(f"{name}, {peak:g} TFLOP/s at most, {machine()}")
    print(f"{size:.2f} B parameters, prompts of {encoded[0].num_tokens} tokens")
    rollout(loaded, encoded, given.response, given.repeats)
    training(loaded, encoded, given.response, given.repeats, peak)


if __name__ == "__main__":
    main()
