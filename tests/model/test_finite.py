"""The first input of a loss that isn't finite is named, before any weight is touched."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from small_models import fresh

from vlrl.data.images.image_budget import ImageBudget
from vlrl.errors import NonFiniteError
from vlrl.losses.kimi import KimiLoss
from vlrl.losses.policy_gradient.grpo import GrpoLoss
from vlrl.model.batch.example import Example
from vlrl.model.finite import check_policy, nonfinite_weights, shortest
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.rollout.collector import collect
from vlrl.rollout.engine import Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.types import Problem, Text


@pytest.fixture
def loaded(model_folders):
    return fresh(model_folders["tiny-qwen3-vl"])


PROBLEM = Problem((Text("How many?"),), "1", "number", "text", "counting")


def example(loaded, **more) -> Example:
    encoded = Encoder(loaded, ImageBudget()).encode([PROBLEM])[0]
    return Example(encoded, ((65, 66, 67), (68, 69)), (1.0, -1.0), **more)


def weights_of(loaded) -> list[torch.Tensor]:
    return [one.detach().clone() for one in loaded.model.parameters()]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"advantages": (1.0, math.nan)}, "response 1: its advantage is nan"),
        (
            {"old_logprobs": ((-1.0, math.inf, -1.0), (-1.0, -1.0))},
            "response 0, token 1: the log-probability",
        ),
        ({"token_advantages": ((0.0, 0.0, 0.0), (0.0, math.nan))}, "response 1, token 1: its token advantage is nan"),
        ({"token_weights": ((1.0, 1.0, 1.0), (math.inf, 1.0))}, "response 1, token 0: its token weight is inf"),
    ],
)
def test_an_input_is_named_by_response_and_token_and_no_weight_moves(loaded, change, said):
    policy, before = TorchPolicy(loaded, PolicySettings()), weights_of(loaded)
    with pytest.raises(NonFiniteError) as error:
        policy.update([replace(example(loaded), **change)], GrpoLoss(aggregate="token"), 1.0, 1.0)
    assert said in str(error.value)
    assert PROBLEM.id in str(error.value)
    assert all(torch.equal(one, other) for one, other in zip(before, weights_of(loaded), strict=True))


def test_nan_weights_are_named_in_rollout_update_and_check(loaded):
    policy = TorchPolicy(loaded, PolicySettings())
    name, weight = next((n, p) for n, p in loaded.model.named_parameters() if "layers.0.mlp" in n)
    weight.data.view(-1)[3] = torch.nan
    assert nonfinite_weights(loaded.model.named_parameters()) == [name]
    encode, engine = Encoder(loaded, ImageBudget()).encode, TransformersEngine(loaded)
    for temperature in (0.0, 1.0):
        with pytest.raises(NonFiniteError, match=f"rollout, problem {PROBLEM.id}, response 0, token 0"):
            collect(encode, engine, [PROBLEM], Sampling(max_tokens=3, temperature=temperature), 2, 0)
    with pytest.raises(NonFiniteError, match="the policy's log-probability is nan"):
        policy.update([example(loaded)], KimiLoss(), 1.0, 1.0)
    with pytest.raises(NonFiniteError, match=f"NaN or infinity in {name}"):
        check_policy(policy, None, 1.0, "checkpoint")


def test_weights_that_are_finite_and_useless_are_not_kept(loaded):
    policy = TorchPolicy(loaded, PolicySettings())
    check_policy(policy, example(loaded), 1.0, "checkpoint")
    with torch.no_grad():
        loaded.model.model.language_model.norm.weight.fill_(3e38)
        loaded.model.lm_head.weight.mul_(100)  # logits overflow
    assert not nonfinite_weights(loaded.model.named_parameters())
    with pytest.raises(NonFiniteError, match=r"response \d, token 0: after the update"):
        check_policy(policy, shortest([example(loaded)]), 1.0, "checkpoint")
