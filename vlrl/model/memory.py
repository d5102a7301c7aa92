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


def state_bytes(counts: ParameterCounts, model: ModelSettings, policy: PolicySettings) -> dict[str, int]:
    """weights, gradients, float32 copies and optimizer state in bytes where all weights are whole; the last two in
    float32.

    AdamW keeps two values for each trained parameter, Muon one for each of its matrices. Weights below float32 have a
    float32 copy, which stays and has their gradient. Where there are adapters, they alone train in
    their parts (all linear layers are counted).
    """
    size, of = BYTES[model.dtype], _Trained(counts, policy)
    return {
        "weights": (counts.total + of.adapters) * size,
        "float32 copies": 0 if size == 4 else of.total * 4,
        "gradients": of.total * 4,
        "optimizer state": of.moments * 4,
    }


def zero_state_bytes(
    counts: ParameterCounts, model: ModelSettings, policy: PolicySettings, zero: ZeroSettings, ranks: int
) -> dict[str, int]:
    """The same of one of `ranks` on its device under ZeRO; every trained weight has a float32 copy then, and stage 3
    keeps the whole weights beside their shards, for rollouts.
    """
    size, of, in_ram = BYTES[model.dtype], _Trained(counts, policy), zero.offload_optimizer
    share = -(-of.total // ranks)
    return {
        "weights": (counts.total + of.adapters) * size + (share * size if zero.stage == 3 else 0),
        "float32 copies": 0 if in_ram else share * 4,
        "gradients": (of.total if zero.stage == 1 else share) * size + (0 if in_ram else share * 4),
        "optimizer state": 0 if in_ram else 2 * share * 4,
    }


def fsdp_state_bytes(
    counts: ParameterCounts, model: ModelSettings, policy: PolicySettings | None, ranks: int
) -> dict[str, int]:
    """The same where weights, gradients and moments lie in shards, in float32, and adapters whole. With them what is
    gathered: the ends of the model, and a layer with the next one; in an update the ends' gradients, too, which go out
    in float32. `policy` None: it is only read.
    """
    size, of = BYTES[model.dtype], _Trained(counts, policy or PolicySettings())
    adapters = of.adapters if policy is not None else 0
    found = {
        "weights": -(-counts.total // ranks) * 4 + adapters * 4,
        "gathered weights": (counts.ends + 2 * counts.largest_layer) * size,
    }
    if policy is None:
        return found
    share = -(-(of.total - adapters) // ranks) + adapters
    at_once = max(counts.ends, counts.largest_layer)
    return found | {
        "float32 copies": 0,
        "gradients": share * 4,
        "gathered gradients": at_once * (size + 4),
        "optimizer state": -(-(of.moments * share) // max(of.total, 1)) * 4,
    }


class _Trained:
    """Numbers of values: `total` that train, `adapters` among them, `moments` that the optimiser keeps."""

    def __init__(self, counts: ParameterCounts, policy: PolicySettings) -> None:
        trained = {part: count for part, count in counts.by_part.items() if part not in policy.freeze}
        matrices = sum(count for part, count in counts.matrices_by_part.items() if part in trained)
        self.adapters = 0
        if policy.lora is not None:
            self.adapters = policy.lora.rank * sum(counts.sides_by_part[part] for part in policy.lora.parts)
            trained = {part: count for part, count in trained.items() if part not in policy.lora.parts}
            matrices = self.adapters + sum(counts.matrices_by_part[part] for part in trained)
        self.total = sum(trained.values()) + self.adapters
        by_muon = matrices if policy.optimizer.name == "muon" else 0
        self.moments = 2 * (self.total - by_muon) + by_muon


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
