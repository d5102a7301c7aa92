"""Two ranks learn what one process learns: data parallel, in shards (FSDP, ZeRO 1–3), whatever images and rows each
rank has."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest
import torch
from rank_layouts import (
    KINDS,
    LOSS,
    SETTINGS,
    VARIANTS,
    encoded_problems,
    examples,
    go_on_alone,
    kinds,
    layouts,
    open_variant,
    rows_to_read,
    run,
)
from small_models import fresh

from vlrl.errors import ConfigError, RunError
from vlrl.model.cost import CHUNK_LOGITS
from vlrl.model.load import ModelSettings
from vlrl.model.optimization.optimizer import OptimizerSettings
from vlrl.model.training import logprobs
from vlrl.model.training.backends import DeepSpeedBackend, FsdpBackend, TorchBackend
from vlrl.model.training.torch_policy import PolicySettings


@functools.cache
def alone(name: str, folders: tuple[Path, ...]):
    """(metrics, movements) of every layout of a variant in this one process, each update one single batch."""
    variant = VARIANTS[name]
    policy = open_variant(variant, folders, TorchBackend())
    policy._learning._budget = 1_000_000
    return run(policy, encoded_problems(policy.loaded), layouts(variant.count), variant)[0]


@pytest.fixture(params=VARIANTS)
def both(request, over_two_ranks, rank_models):
    """Name, layouts, and what two ranks and one process made of them."""
    name = request.param
    reference = "fsdp" if name in ("data_parallel", "zero_1", "zero_2", "zero_3") else name
    expected = alone(reference, rank_models)[: VARIANTS[name].count]
    logprobs.CHUNK_LOGITS = CHUNK_LOGITS
    found, _ = torch.load(over_two_ranks / f"{name}.pt")
    return name, layouts(VARIANTS[name].count), found, expected


def test_the_layouts_are_of_every_kind_that_two_ranks_may_have():
    for name in ("data_parallel", "zero_2", "zero_3", "fsdp"):
        drawn = layouts(VARIANTS[name].count)
        assert {kinds(layout.ranks) for layout in drawn} == KINDS
        assert {abs(len(a) - len(b)) for a, b in (layout.ranks for layout in drawn)} == {0, 1, 2}
        assert len({layout.ranks for layout in drawn}) == len(drawn)
    assert {a for a, _ in KINDS} == {"", "text", "image", "imagetext"}
    assert len(KINDS) == 15
    assert len({layout.ranks for layout in layouts(48)}) == 48
    assert len({layout.seed for layout in layouts(100)}) == 100


@pytest.mark.slow
@pytest.mark.deepspeed
def test_every_layout_gives_the_loss_and_the_gradient_norm_of_one_process(both):
    name, drawn, found, alone = both
    assert len(found) == len(alone) == len(drawn) == VARIANTS[name].count
    for layout, (metrics, _), (expected, _) in zip(drawn, found, alone, strict=True):
        assert metrics.keys() == expected.keys(), layout
        assert metrics["loss/total"] == pytest.approx(expected["loss/total"], abs=1e-4, rel=1e-5), layout
        assert metrics["gradient/norm"] == pytest.approx(expected["gradient/norm"], rel=1e-4, abs=1e-6), layout
        assert metrics["entropy/mean"] == pytest.approx(expected["entropy/mean"], abs=1e-4), layout


@pytest.mark.slow
@pytest.mark.deepspeed
def test_every_layout_moves_the_weights_as_one_process_does(both):
    """AdamW's first step is a sign where a gradient is rounding alone, so movements are compared as a whole."""
    name, drawn, found, alone = both
    for layout, (_, movement), (_, expected) in zip(drawn, found, alone, strict=True):
        error = float((torch.cat(movement) - torch.cat(expected)).norm())
        assert error <= 1e-2 * float(torch.cat(expected).norm()), layout
        if not VARIANTS[name].chained and "freeze" not in VARIANTS[name].policy:
            sees = any("image" in kinds for kinds in layout.ranks)
            assert bool(movement[0].any()) == sees, layout


@pytest.mark.slow
@pytest.mark.deepspeed
@pytest.mark.parametrize("name", VARIANTS)
def test_a_saved_model_reads_as_the_policy_did(over_two_ranks, name):
    _, read = torch.load(over_two_ranks / f"{name}.pt")
    loaded = fresh(over_two_ranks / f"model_{name}")
    again = TorchBackend().open(loaded, PolicySettings()).logprobs(rows_to_read(encoded_problems(loaded)), 1.0)
    for mine, theirs in zip(again, read, strict=True):
        for one, other in zip(mine, theirs, strict=True):
            assert one == pytest.approx(other, abs=1e-4)


@pytest.mark.slow
@pytest.mark.deepspeed
@pytest.mark.parametrize("name", ["moments_fsdp", "second_adapters_fsdp"])
def test_one_process_goes_on_from_the_shards_that_two_ranks_wrote(over_two_ranks, rank_models, name):
    """The ranks themselves go on from those of one process, or of two."""
    found, _ = torch.load(over_two_ranks / f"{name}.pt")
    mine, theirs = go_on_alone(over_two_ranks, rank_models, name), found[len(found) // 2 :]
    for (metrics, _), (expected, _) in zip(mine, theirs, strict=True):
        assert metrics["loss/total"] == pytest.approx(expected["loss/total"], abs=1e-4, rel=1e-5)
        assert metrics["gradient/norm"] == pytest.approx(expected["gradient/norm"], rel=1e-4, abs=1e-6)
    steps = [torch.cat(some[-1][1]) - torch.cat(some[0][1]) for some in (mine, theirs)]  # from wherever each began
    assert float((steps[0] - steps[1]).norm()) <= 1e-2 * float(steps[1].norm())


@pytest.mark.parametrize(
    ("model", "policy", "backend", "said"),
    [
        ({}, {"optimizer": OptimizerSettings(name="muon")}, {}, "rl.policy.optimizer.name.*'muon'"),
        ({"dtype": "bfloat16"}, {}, {"stage": 1}, r"backend.stage: 1: [\s\S]*stage: 2"),
        ({}, {}, {"sequence_parallel": 2}, "sequence_parallel.*causal.*vision tower"),
    ],
)
def test_what_shards_cannot_do_exactly_is_refused(model, policy, backend, said):
    settings = ModelSettings(build="tiny-qwen3-vl", **model)
    with pytest.raises(ConfigError, match=said):
        DeepSpeedBackend(**backend).check("rl", settings, PolicySettings(**policy))
    TorchBackend().check("rl", settings, PolicySettings(**policy))
    FsdpBackend().check("rl", settings, PolicySettings(**policy))


@pytest.mark.parametrize("backend", [TorchBackend(), DeepSpeedBackend(), FsdpBackend()])
def test_no_backend_trains_in_float16(backend):
    settings = ModelSettings(build="tiny-qwen3-vl", dtype="float16")
    with pytest.raises(ConfigError, match=r"model.dtype: 'float16' rounds small gradients[\s\S]*bfloat16 or float32"):
        backend.check("rl", settings, PolicySettings())


@pytest.mark.slow
@pytest.mark.deepspeed
def test_one_rank_alone_trains_shards_of_bfloat16_weights(library, model_folders, monkeypatch):
    """Without a launcher nobody says LOCAL_RANK, and stage 3 asks for it in every pass."""
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    library("deepspeed")
    loaded = fresh(model_folders["tiny-qwen3-vl"], dtype="bfloat16")
    policy = DeepSpeedBackend(stage=3, whole_below=0).open(loaded, SETTINGS)
    assert policy._engine.optimizer.gradient_accumulation_dtype == torch.float32
    policy.update(examples(encoded_problems(loaded), layouts(1)[0]), LOSS, 1.0, 1.0)
    assert len(policy.logprobs(rows_to_read(encoded_problems(loaded)), 1.0)) == 4
    policy.close()


@pytest.mark.slow
@pytest.mark.deepspeed
def test_shards_go_on_after_another_library_has_ended_the_group(library, model_folders, monkeypatch):
    """vLLM in the same process does when it stops."""
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    library("deepspeed")
    for _ in range(2):
        loaded = fresh(model_folders["tiny-qwen3-vl"])
        policy = DeepSpeedBackend(stage=2).open(loaded, SETTINGS)
        policy.update(examples(encoded_problems(loaded), layouts(1)[0]), LOSS, 1.0, 1.0)
        policy.close()
        torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.deepspeed
def test_one_rank_alone_refuses_another_ranks_checkpoint(library, model_folders, monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    library("deepspeed")
    policy = DeepSpeedBackend(stage=1).open(fresh(model_folders["tiny-qwen3-vl"]), PolicySettings())
    assert "LOCAL_RANK" not in os.environ, "processes started from here would think that a launcher started them"
    state = policy.state_dict()
    with pytest.raises(RunError, match="2 ranks in stage 1, here are 1"):
        policy.load_state_dict({**state, "ranks": 2})
    policy.load_state_dict(state)
    policy.close()
