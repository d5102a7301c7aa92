"""A config of another trainer as a run's settings and a recipe of ours, from the facts that it states."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlrl.commands.importing.grammar import Meaning
from vlrl.commands.importing.objective import objective_of
from vlrl.commands.importing.recipe_of import SHOWS_IMAGES, recipe_of
from vlrl.commands.importing.sizes import Sizes, in_steps, sizes_of
from vlrl.report.trackers.tracker import TRACKERS
from vlrl.rollout.engine import Sampling

PLAIN = ("output", "outputs", "runs", "data", "checkpoints")  # folders of all runs
NO_TRACKER = ("console", "none", "file", "stdout")
BIASED = "the gradient would be biased: responses are drawn from the whole distribution"


@dataclass(frozen=True)
class Translated:
    """The settings of a run, its recipe, and what became of the config's keys."""

    run: dict[str, Any]
    recipe: dict[str, Any]
    meaning: Meaning
    sizes: Sizes


def assemble(meaning: Meaning, recipe_name: str, ranks: int | None = None, rows: int | None = None) -> Translated:
    """Everything that a config says, as ours. `ranks` and `rows` are what the user says besides."""
    sizes = sizes_of(meaning, ranks, rows)
    model = meaning.take("model", "model.path")
    if model is None:
        meaning.remarks.append("the config names no model: model.path is a placeholder")
        model = "Qwen/Qwen2.5-VL-3B-Instruct"
    elif not SHOWS_IMAGES.search(model):
        meaning.settle("model", "to decide", f"{model}: a model for text alone is refused; name one that reads images")
    tokens = meaning.take("response_tokens", "rl.sampling.max_tokens", 1024)
    run: dict[str, Any] = {
        "name": name_of(meaning),
        "seed": meaning.take("seed", "seed", 0),
        "data": recipe_name,
        "stages": ["rl", "eval"],
        "model": _model(meaning, model, tokens),
        "engine": _engine(meaning, sizes.ranks),
        **_backend(meaning, sizes.ranks),
        "rl": {
            **({} if sizes.steps is None else {"steps": sizes.steps}),
            "problems_per_step": sizes.problems,
            "rollouts_per_problem": sizes.responses,
            "sampling": _sampling(meaning, tokens),
            "updates_per_step": sizes.updates,
            "epochs_per_step": sizes.epochs,
            **objective_of(meaning, model, tokens),
            "policy": _policy(meaning, sizes),
            **_paces(meaning, sizes),
        },
        "eval": _evaluation(meaning, tokens),
        **_tracker(meaning),
    }
    recipe = recipe_of(meaning, model, run)
    meaning.finish()
    return Translated(run, recipe, meaning, sizes)


def name_of(meaning: Meaning) -> str:
    """The run's name: the config's, that of its output folder, or of the file."""
    output = meaning.take("output", "name")
    folder = Path(str(output or "")).name
    named = meaning.take("name", "name") or ("" if folder in PLAIN else folder) or Path(meaning.place).stem
    return re.sub(r"[^\w.-]+", "_", str(named)).strip("_.") or "imported"


def _model(meaning: Meaning, path: str, response_tokens: int) -> dict[str, Any]:
    prompt = meaning.take("prompt_tokens", "model.context")
    return {
        "path": path,
        "dtype": meaning.take("dtype", "model.dtype", "bfloat16"),
        "gradient_checkpointing": meaning.take("gradient_checkpointing", "model.gradient_checkpointing", True),
        **({} if prompt is None else {"context": prompt + response_tokens}),
    }


def _engine(meaning: Meaning, ranks: int) -> dict[str, Any]:
    name = meaning.take("engine", "engine.name")
    if name is None:
        for entry in meaning.entries:
            if entry.key.endswith("rollout.name"):
                entry.note += "; vLLM stands in the config"
        name = "vllm"
    found = {"name": name}
    for fact in ("max_num_seqs", "max_num_batched_tokens"):
        if (value := meaning.take(fact, f"engine.{fact}")) is not None:
            found[fact] = value
    if name == "vllm":
        for fact, ours in (("memory_share", "memory_share"), ("eager", "eager")):
            if (value := meaning.take(fact, f"engine.{ours}")) is not None:
                found[ours] = value
        if meaning.take("sleep", "engine.sleep", True):
            found["sleep"] = "release"
        found |= _tensor_parallel(meaning, ranks)
    return found


def _tensor_parallel(meaning: Meaning, ranks: int) -> dict[str, Any]:
    """How many ranks are one engine together, where the number of ranks is a multiple of it."""
    group = meaning.take("tensor_parallel", "engine.tensor_parallel_size", 1)
    if group == 1:
        meaning.settle("tensor_parallel", "no difference", "an engine a rank, as ours are")
    elif ranks % group:
        said = f"{group} ranks would be one engine, and {ranks} isn't a multiple: one engine a rank"
        meaning.settle("tensor_parallel", "no counterpart", said)
    else:
        return {"tensor_parallel_size": group}
    return {}


def _backend(meaning: Meaning, ranks: int) -> dict[str, Any]:
    """Who shards what several ranks hold: ZeRO where the config says so or offloads, else our own shards.

    bfloat16 in stage 1 is stage 2 here.
    """
    zero, sharded = meaning.peek("zero"), bool(meaning.peek("sharding"))
    stage = re.fullmatch(r"zero([0-3])(_offload)?", str(zero or ""))
    if zero is not None and stage is None:
        meaning.settle("zero", "to decide", f"{zero} isn't read: backend: {{name: deepspeed, stage: 1|2|3}}")
    wanted = int(stage[1]) if stage else None
    if (file := meaning.peek("accelerate_file")) is not None:
        named = re.search(r"zero.?([0-3])|fsdp", str(file))
        if named is None:
            note = "isn't read: set `backend`, and start as many processes with torchrun"
            meaning.settle("accelerate_file", "to decide", note)
        else:
            meaning.take("accelerate_file", "backend")
            sharded = sharded or named[1] is None
            wanted = int(named[1]) if wanted is None and named[1] else wanted
    offload = bool(meaning.peek("offload", False) or (stage and stage[2]))
    if ranks < 2 or not (wanted or sharded):
        why = "one process: nothing to shard" if ranks < 2 else "whole weights on each rank; ours are shards by default"
        for fact in ("zero", "sharding", "offload"):
            if (value := meaning.peek(fact)) is not None and (fact != "zero" or stage):
                meaning.settle(fact, "no difference", f"{why} ({value})")
        return {}
    for fact in ("zero", "sharding"):
        if fact != "zero" or stage:
            meaning.take(fact, "backend")
    meaning.take("offload", "backend.offload_optimizer")
    if not wanted and not offload:
        return {"backend": {"name": "fsdp"}}
    zero_stage = max(2, wanted or 3)
    return {"backend": {"name": "deepspeed", "stage": zero_stage, **({"offload_optimizer": True} if offload else {})}}


def _sampling(meaning: Meaning, tokens: int) -> dict[str, Any]:
    top_p = meaning.take("top_p", "rl.sampling.top_p", 1.0)
    if top_p < 1.0:
        meaning.settle("top_p", "no counterpart", f"top_p {top_p:g}: {BIASED}; eval.sampling may have it")
    return {"temperature": meaning.take("temperature", "rl.sampling.temperature", 1.0), "max_tokens": tokens}


def _policy(meaning: Meaning, sizes: Sizes) -> dict[str, Any]:
    found: dict[str, Any] = {"reset_optimizer": "never", "optimizer": _optimizer(meaning, sizes)}
    lora = _lora(meaning)
    frozen = [
        part
        for part in ("vision", "projector", "language")
        if meaning.take(f"freeze_{part}", "rl.policy.freeze", False)
    ]
    if "vision" in frozen and not meaning.sources.get("freeze_projector"):
        frozen.append("projector")  # a tower that is frozen as a module holds its merger
    if lora is not None:
        found["lora"] = lora
        frozen = [part for part in ("vision", "projector", "language") if part not in lora["parts"]]
    if frozen:
        found["freeze"] = frozen
    if (tokens := meaning.take("micro_tokens", "rl.policy.micro_batch_tokens")) is not None:
        found["micro_batch_tokens"] = tokens
    return found


def _lora(meaning: Meaning) -> dict[str, Any] | None:
    wanted, tuner, rank = meaning.take("lora", "rl.policy.lora"), meaning.take("tuner", "rl.policy.lora"), None
    if wanted or tuner == "lora" or (wanted is None and tuner is None and meaning.peek("lora_rank")):
        rank = meaning.take("lora_rank", "rl.policy.lora.rank", 16)
    if not rank or (wanted is None and tuner is None and meaning.grammar.name == "trl"):
        for fact in ("lora_rank", "lora_alpha", "lora_modules", "lora_excluded"):
            meaning.settle(fact, "no difference", "there are no adapters")
        return None
    modules = [name for name in meaning.take("lora_modules", "rl.policy.lora.modules", []) if name != "all-linear"]
    excluded = meaning.take("lora_excluded", "rl.policy.lora.parts")
    everywhere = not modules and excluded is None and meaning.grammar.name in ("verl", "easyr1")
    parts = ["language"]
    if everywhere or (meaning.grammar.name == "ms-swift" and meaning.peek("freeze_vision") is False):
        parts = ["vision", "projector", "language"]
    if not modules and meaning.grammar.name == "trl" and not meaning.peek("lora_modules"):
        modules = ["q_proj", "v_proj"]  # what peft takes where nothing is said
    alpha = meaning.take("lora_alpha", "rl.policy.lora.alpha", 32)
    return {"rank": rank, "alpha": alpha, "parts": parts, **({"modules": modules} if modules else {})}


def _optimizer(meaning: Meaning, sizes: Sizes) -> dict[str, Any]:
    place = "rl.policy.optimizer"
    schedule, least = meaning.take("schedule", f"{place}.schedule", ("constant", None))
    share = meaning.take("final_share", f"{place}.final_share", least)
    betas = meaning.take("betas", f"{place}.betas")
    if betas is None:
        betas = (meaning.take("beta1", f"{place}.betas", 0.9), meaning.take("beta2", f"{place}.betas", 0.999))
    lr = meaning.take("lr", f"{place}.lr")
    if lr is None:
        lr = 1e-4 if meaning.peek("tuner") == "lora" else 1e-5
    return {
        "name": "adamw",
        "lr": lr,
        "betas": list(betas),
        "weight_decay": meaning.take("weight_decay", f"{place}.weight_decay", 0.0),
        "max_norm": meaning.take("max_norm", f"{place}.max_norm", 1.0),
        "warmup_steps": _warmup(meaning, sizes),
        "schedule": schedule,
        **({} if share is None or schedule == "constant" else {"final_share": share}),
    }


def _warmup(meaning: Meaning, sizes: Sizes) -> int:
    """Steps of the linear rise. Steps come before a share of the run; the trainers of transformers count updates."""
    place = "rl.policy.optimizer.warmup_steps"
    steps = meaning.take("warmup_steps", place)
    updates = meaning.take("warmup_updates", place)
    rate = meaning.take("warmup_rate", place, 0.0)
    if steps is None and updates and updates >= 1:
        steps = in_steps(int(updates), sizes)
    if steps is not None:
        return int(steps)
    rate = float(updates or rate)
    if rate and sizes.steps is None:
        note = f"{rate:g} of the steps, whose number takes the rows: set rl.policy.optimizer.warmup_steps"
        for fact in ("warmup_rate", "warmup_updates"):
            meaning.settle(fact, "to decide", note)
        return 0
    return math.ceil(rate * (sizes.steps or 0))


def _paces(meaning: Meaning, sizes: Sizes) -> dict[str, Any]:
    found = {}
    for ours, fact, by_update in (
        ("validate_every", "validate_every", "validate_updates"),
        ("checkpoint_every", "save_every", "save_updates"),
    ):
        every = meaning.take(fact, f"rl.{ours}")
        updates = in_steps(meaning.take(by_update, f"rl.{ours}"), sizes)
        if (value := every or updates) is not None:
            found[ours] = value
    return found


def _evaluation(meaning: Meaning, tokens: int) -> dict[str, Any]:
    place = "eval.sampling"
    top_p = meaning.take("validation_top_p", f"{place}.top_p")
    temperature = meaning.take("validation_temperature", f"{place}.temperature")
    default = Sampling()
    found: dict[str, Any] = {
        "sampling": {
            "temperature": default.temperature if temperature is None else temperature,
            **({} if top_p is None else {"top_p": top_p}),
            "max_tokens": tokens,
        }
    }
    if (samples := meaning.take("validation_samples", "eval.samples")) is not None:
        found["samples"] = samples
    return found


def _tracker(meaning: Meaning) -> dict[str, Any]:
    """One tracker of those that the config names."""
    named: Sequence[str] = [name for name in meaning.take("trackers", "tracker", []) if name not in NO_TRACKER]
    known = [name for name in named if name in TRACKERS]
    if len(named) > len(known[:1]):
        others = [name for name in named if name not in known[:1]]
        meaning.settle(
            "trackers", "to decide", f"a run has one tracker of {', '.join(TRACKERS)}; not taken: {', '.join(others)}"
        )
    return {"tracker": known[0]} if known else {}
