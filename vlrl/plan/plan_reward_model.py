"""Memory of a run's reward model, for `vlrl plan`: while it judges, and while it doesn't."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from vlrl.model.cost import CostModel
from vlrl.model.load import DTYPES
from vlrl.model.memory import BYTES
from vlrl.model.sizes import count_parameters, find_architecture
from vlrl.reward_models.reward_model_settings import RewardModelSettings
from vlrl.rollout.engine_registry import EngineLoad, Parts

CHARS_PER_TOKEN = 2.0  # of an answer, at the least: ours, the judge's tokenizer isn't asked
NAME = "reward model"


@dataclass(frozen=True)
class JudgeMemory:
    """Bytes by part on the policy's device: while answers are judged, and in all other phases."""

    judging: Parts = field(default_factory=dict)
    asleep: Parts = field(default_factory=dict)


def judge_memory(
    settings: RewardModelSettings | None, device: torch.device, device_bytes: int, prompt: int
) -> JudgeMemory:
    """What the reward model takes. Nothing where there is none, or a server has it.

    prompt  tokens of the policy's longest prompt; the judge's has reference and answer besides

    Raises ConfigError as `RewardModelSettings.card`, and for a folder without a readable config.json.
    """
    if settings is None or settings.endpoint is not None:
        return JudgeMemory()
    card = settings.card()
    config = find_architecture(settings.model(), list, "reward_model.path").config
    counts = count_parameters(config)
    cost = CostModel(config, counts.active_by_part, BYTES[settings.dtype], trained=())
    weights = counts.total * BYTES[settings.dtype]
    held = {f"weights of {NAME}": weights}
    asleep = {} if settings.sleeps and device.type == "cuda" else held
    asked = settings.batch * (2 if settings.swap else 1)
    longest = prompt + 2 * math.ceil(settings.max_answer_chars / CHARS_PER_TOKEN)
    if card.kind == "classic":
        tokens = max(longest, min(settings.micro_batch_tokens, asked * longest))
        return JudgeMemory(held | {f"{NAME} reads": cost.reading_bytes(tokens)}, asleep)
    memory = settings.engine_on(device.type).memory(
        EngineLoad(
            device=device,
            device_bytes=device_bytes,
            cost=cost,
            dtype=DTYPES[settings.dtype],
            weights=weights,
            language=counts.by_part["language"],
            merged=0,
            ranks=1,
            problems=asked,
            responses=1,
            prompt=longest,
            longest=card.max_tokens,
        )
    )
    if not settings.apart:
        return JudgeMemory(held | _named(memory.writing), asleep)
    loaded = held if device.type == "cpu" else {}  # of its process, from which vLLM took its own
    kept = memory.asleep if settings.sleeps else memory.awake
    return JudgeMemory(loaded | _named(memory.writing), loaded | _named(kept))


def _named(parts: Parts) -> Parts:
    return {f"{NAME}: {name}": size for name, size in parts.items()}
