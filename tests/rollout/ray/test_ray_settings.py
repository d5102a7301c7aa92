"""Which devices a pool's actors may have beside the policy's: from the settings alone, without Ray or a GPU."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import pytest
import torch

from vlrl.errors import ConfigError
from vlrl.rollout.ray.ray_settings import RayPoolSettings

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


def test_a_cluster_of_our_own_does_not_give_the_policy_s_gpu_to_an_actor(qwen3):
    pool = RayPoolSettings(gpus_per_actor=1)
    with pytest.raises(ConfigError, match=r"engine.gpus_per_actor: [\s\S]*cuda:0[\s\S]*TRAINER_GPUS=1[\s\S]*address"):
        pool.check(qwen3.config, CUDA, qwen3.context, torch.float32)
    with pytest.raises(ConfigError, match=r"engine\.gpus_per_actor"):
        pool.open(SimpleNamespace(device=CUDA))
    pool.check(qwen3.config, CPU, qwen3.context, torch.float32)
    RayPoolSettings(gpus_per_actor=1, address="auto").check(qwen3.config, CUDA, qwen3.context, torch.float32)


def test_actors_on_the_cpu_beside_a_policy_on_a_gpu_are_told(qwen3):
    for pool in (RayPoolSettings(), RayPoolSettings(address="auto")):
        with pytest.warns(UserWarning, match=r"engine.gpus_per_actor is 0: .* on the CPU"):
            pool.check(qwen3.config, CUDA, qwen3.context, torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RayPoolSettings().check(qwen3.config, CPU, qwen3.context, torch.float32)
        RayPoolSettings(address="auto", gpus_per_actor=0.5).check(qwen3.config, CUDA, qwen3.context, torch.float32)
