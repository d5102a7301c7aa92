"""k1.5's and the quickstart's credit is what the plain formulas give, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from credit_cases import FAULT, judged, rollout

from vlrl.config import load_settings
from vlrl.credit.assign import Credit
from vlrl.credit.credit_context import CreditContext
from vlrl.losses.loss_inputs import LossInputs
from vlrl.training.run_settings import RunSettings


def plain_credit(one, weight):
    """Score + weight·λ, less the mean of the usable ones: written out, in this order of operations."""
    used = [v.fault is None for v in one.verdicts]
    lengths = [r.num_tokens for r in one.rollouts]
    counted = [u and r.finish_reason == "stop" for u, r in zip(used, one.rollouts, strict=True)]
    kept = [n for n, c in zip(lengths, counted, strict=True) if c]
    total = []
    for length, c, u, v in zip(lengths, counted, used, one.verdicts, strict=True):
        value = 0.0
        if c and min(kept) != max(kept):
            value = 0.5 - (length - min(kept)) / (max(kept) - min(kept))
            value = value if v.correct else min(0.0, value)
        total.append((v.score + weight * value if weight else v.score) if u else 0.0)
    usable = [t for t, u in zip(total, used, strict=True) if u]
    if len(usable) < 2:
        return tuple(total), (0.0,) * len(total)
    mean = sum(usable) / len(usable)
    advantages = [t - mean if u else 0.0 for t, u in zip(total, used, strict=True)]
    return tuple(total), tuple(0.0 if abs(a) < 1e-12 else a for a in advantages)


def random_groups(count):
    rng = np.random.default_rng(5)
    for _ in range(count):
        k = int(rng.integers(1, 9))
        outcomes = [FAULT if rng.random() < 0.1 else bool(rng.random() < 0.5) for _ in range(k)]
        finish_reasons = ["length" if rng.random() < 0.2 else "stop" for _ in range(k)]
        lengths = rng.integers(1, 40, k).tolist()
        yield judged(outcomes, rollouts=[rollout(n, e) for n, e in zip(lengths, finish_reasons, strict=True)])


@pytest.mark.parametrize(
    ("config", "weight"), [("configs/quickstart.yaml", 0.0), ("configs/rl/qwen2_5_vl_7b.yaml", 0.2)]
)
def test_credit_of_shipped_configs_is_the_plain_formula_to_the_last_bit(config, weight):
    rl = load_settings(RunSettings, config).rl
    credit, context = Credit(rl.credit), CreditContext(rl.steps - 1, rl.steps, rl.sampling.max_tokens)
    groups = list(random_groups(300))
    for one, scored in zip(groups, credit.assign(groups, context), strict=True):
        assert (scored.rewards, scored.advantages) == plain_credit(one, weight)
        assert scored.token_weights is None
        assert scored.token_advantages is None
    assert credit.state_dict() == {}


def test_the_loss_of_shipped_configs_is_the_plain_formula_to_the_last_bit():
    generator = torch.Generator().manual_seed(0)
    logprobs, references = (-torch.rand(30, generator=generator) for _ in range(2))
    response = torch.arange(30) // 5
    advantages = torch.randn(6, generator=generator)
    given = LossInputs(
        logprobs=logprobs,
        old_logprobs=references,
        response=response,
        advantages=advantages,
        weights=torch.ones(30),
        update_responses=6.0,
        update_tokens=30.0,
    )
    sums = torch.zeros(6).index_add(0, response, logprobs)
    ratio = torch.zeros(6).index_add(0, response, logprobs - references)
    for config in ("configs/quickstart.yaml", "configs/rl/k1_5.yaml"):
        loss = load_settings(RunSettings, config).rl.loss
        expected = (-advantages * sums + 0.5 * loss.tau * ratio.square()).sum() / 6.0
        assert float(loss(given)) == float(expected)
