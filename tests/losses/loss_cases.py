"""Micro-batches and settings of every loss, for the tests of losses."""

from __future__ import annotations

from dataclasses import replace

import torch

from vlrl.losses.loss_inputs import LossInputs

LENGTHS = (2, 3, 1, 4)
ADVANTAGES = (1.0, -1.0, 1.0, -1.0)  # also what pairs for DPO look like
CASES = [
    {"name": "kimi", "tau": 0.4},
    {"name": "kimi", "tau": 0.4, "logratio_norm": "length"},
    {"name": "grpo", "beta": 0.1},
    {"name": "grpo", "clip_high": 0.28, "aggregate": "token"},
    {"name": "grpo", "aggregate": "sum", "length": 7},
    {"name": "gspo"},
    {"name": "gspo", "clip_low": 0.5, "clip_high": 0.9},
    {"name": "cispo"},
    {"name": "cispo", "clip_high": 0.1, "clip_low": 0.1, "aggregate": "sequence"},
    {"name": "ctpo", "clip_low": 0.2, "clip_high": 0.3, "dual": 0.5},
    {"name": "ctpo", "clip_low": 9.0, "clip_high": 9.0, "dual": 9.0},
    {"name": "likelihood"},
    {"name": "likelihood", "aggregate": "sequence"},
    {"name": "dpo", "beta": 0.7},
    {"name": "dpo", "alpha": 0.5},
    {"name": "sft"},
]
RESPONSES, TOKENS = float(len(LENGTHS)), float(sum(LENGTHS))


def label(case) -> str:
    return "-".join(f"{v}" for v in case.values())


def terms(token_advantages: bool = False, seed: int = 3) -> LossInputs:
    generator = torch.Generator().manual_seed(seed)
    count = sum(LENGTHS)
    logprobs = -torch.rand(count, generator=generator, dtype=torch.float64) * 2 - 0.1
    drift = (torch.rand(count, generator=generator, dtype=torch.float64) - 0.5) * 0.6
    response = torch.repeat_interleave(torch.arange(len(LENGTHS)), torch.tensor(LENGTHS))
    return LossInputs(
        logprobs=logprobs.requires_grad_(True),
        old_logprobs=(logprobs.detach() + drift),
        response=response,
        advantages=torch.tensor(ADVANTAGES, dtype=torch.float64),
        weights=torch.ones(count, dtype=torch.float64),
        update_responses=RESPONSES,
        update_tokens=TOKENS,
        token_advantages=torch.rand(count, generator=generator, dtype=torch.float64) if token_advantages else None,
    )


def on_policy(given: LossInputs) -> LossInputs:
    return replace(given, old_logprobs=given.logprobs.detach())


def averaged_over(given: LossInputs, responses: float, tokens: float) -> LossInputs:
    """The same micro-batch, of an update with these counts."""
    return replace(given, update_responses=responses, update_tokens=tokens)


def gradient(loss, given: LossInputs) -> torch.Tensor:
    (found,) = torch.autograd.grad(loss(given), given.logprobs)
    return found


def part(given: LossInputs, responses: list[int]) -> LossInputs:
    """A micro-batch of some of the responses."""
    chosen = torch.isin(given.response, torch.tensor(responses))
    renamed = torch.searchsorted(torch.tensor(responses), given.response[chosen])
    return LossInputs(
        logprobs=given.logprobs[chosen],
        old_logprobs=given.old_logprobs[chosen],
        response=renamed,
        advantages=given.advantages[responses],
        weights=given.weights[chosen],
        update_responses=given.update_responses,
        update_tokens=given.update_tokens,
        token_advantages=None if given.token_advantages is None else given.token_advantages[chosen],
        pull_scales=None if given.pull_scales is None else given.pull_scales[responses],
    )
