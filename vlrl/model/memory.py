"""Memory that a run needs, estimated from sizes by stated formulas. Within about a third."""

from __future__ import annotations

from dataclasses import dataclass

from vlrl.model.cost import FIRST_COLUMNS, LOGIT_COPIES, CostModel, grown_columns
from vlrl.model.load import ModelSettings
from vlrl.model.sizes import ParameterCounts
from vlrl.model.training.deepspeed_library import ZeroSettings
from vlrl.model.training.torch_policy import PolicySettings

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class RolloutLoad:
    """A full wave: prompts read once, rows (responses) that decode together, prompt and response tokens at most."""

    prompts: int
    rows: int
    prompt_tokens: int
    response_tokens: int


def state_bytes(
    counts: ParameterCounts,
    model: ModelSettings,
    policy: PolicySettings,
    zero: ZeroSettings | None = None,
    ranks: int = 1,
) -> dict[str, int]:
    """weights, gradients, float32 copies and optimizer state in bytes; the last two in float32.

    AdamW keeps two values for each trained parameter, Muon one for each of its matrices. Weights below float32 have a
    float32 copy, which stays and has their gradient. Where there are adapters, they alone train in
    their parts (all linear layers are counted). Under ZeRO: what one of `ranks` holds on its device; every trained
    weight has a float32 copy then, and stage 3 keeps the whole weights beside their shards, for rollouts.
    """
    size = BYTES[model.dtype]
    trained = {part: count for part, count in counts.by_part.items() if part not in policy.freeze}
    matrices = sum(count for part, count in counts.matrices_by_part.items() if part in trained)
    adapters = 0
    if policy.lora is not None:
        adapters = policy.lora.rank * sum(counts.sides_by_part[part] for part in policy.lora.parts)
        trained = {part: count for part, count in trained.items() if part not in policy.lora.parts}
        matrices = adapters + sum(counts.matrices_by_part[part] for part in trained)
        trained["adapters"] = adapters
    total = sum(trained.values())
    by_muon = matrices if policy.optimizer.name == "muon" else 0
    if zero is not None:
        share, in_ram = -(-total // ranks), zero.offload_optimizer
        return {
            "weights": (counts.total + adapters) * size + (share * size if zero.stage == 3 else 0),
            "float32 copies": 0 if in_ram else share * 4,
            "gradients": (total if zero.stage == 1 else share) * size + (0 if in_ram else share * 4),
            "optimizer state": 0 if in_ram else 2 * share * 4,
        }
    copied = 0 if size == 4 else total
    return {
        "weights": (counts.total + adapters) * size,
        "float32 copies": copied * 4,
        "gradients": total * 4,
        "optimizer state": (2 * (total - by_muon) + by_muon) * 4,
    }


def cache_bytes(cost: CostModel, load: RolloutLoad) -> int:
    """Keys and values of one wave: prompts once, responses in buffers as rollout/transformers/response_kv_cache.py
    lets them grow."""
    room = FIRST_COLUMNS
    while room < load.response_tokens:
        room = grown_columns(room)
    return cost.cache_bytes(load.prompts * load.prompt_tokens + load.rows * room)


def logit_bytes(vocabulary: int, tokens: int) -> int:
    """float32 logits of `tokens` at once: three copies (logits, log-probabilities, gradient or draw)."""
    return LOGIT_COPIES * vocabulary * tokens * 4
