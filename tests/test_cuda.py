"""On a CUDA device the numbers are those of the CPU: passes, gradients, rollouts and a whole run. Skipped without one.

The CPU's float32 is the reference; float32 products on the device are set to full precision.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_models import ask, encode, fresh, pixels, prompts

from vlrl.losses.sft_loss import SftLoss
from vlrl.model.attention.flex_blocks import FlexBlocks
from vlrl.model.attention.prompt_attention import SHARED_PREFIX_ATTENTION, WITH_FLEX
from vlrl.model.batch.example import Example
from vlrl.model.batch.packing import pack
from vlrl.model.optimization.optimizer import OptimizerSettings
from vlrl.model.optimization.parameter_groups import part_of
from vlrl.model.prompts.positions import PositionRule
from vlrl.model.training.logprobs import response_logprobs
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.model.vision.image_encoding import VisionTower
from vlrl.rollout.colocated import ColocatedEngine
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine, TransformersEngineSettings
from vlrl.runlog.run_folder import read_jsonl
from vlrl.training.run import start_run

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device"),
]
RESPONSES = tuple(tuple(20 + (7 * j + 3 * t) % 90 for t in range(70 + 9 * j)) for j in range(5))
SHORT = tuple(response[:4] for response in RESPONSES[:3])


@pytest.fixture
def pair(model_folders, architecture):
    """One model twice: on the CPU and on the device."""
    folder = model_folders[architecture]
    return fresh(folder, context=1024), fresh(folder, device="cuda", context=1024)


def mixed_rows(loaded, responses) -> list[Example]:
    """Text alone, one and several images; rows of one and of several responses."""
    encoded = encode(loaded, *[ask(*pieces) for pieces in prompts()])
    return [Example(one, responses[: 1 + place % len(responses)]) for place, one in enumerate(encoded)]


def logprobs_and_gradients(loaded, rows: list[Example], flex: bool = False, one_line: bool = False):
    """(M,) log-probabilities and the gradients of a weighted sum of them, on the CPU."""
    model, tower = loaded.model, VisionTower(loaded.model)
    model.requires_grad_(True)
    batch = pack(rows, PositionRule(model), 0, loaded.device, flex, one_line)
    forbidden = torch.tensor(loaded.placeholder_ids, device=loaded.device)
    logprobs = response_logprobs(model, tower, batch, tower.encode_images(batch.images), forbidden).logprobs
    weights = torch.linspace(-1.0, 2.0, len(logprobs), device=loaded.device)
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradients = torch.autograd.grad((weights * logprobs).sum(), parameters, allow_unused=True)
    found = {n: g.cpu() for n, g in zip(names, gradients, strict=True) if g is not None}
    return batch, logprobs.detach().cpu(), found


def furthest(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    """Largest relative error of a gradient; below a hundredth of the largest gradient it is measured against that."""
    assert found.keys() == expected.keys()
    floor = 1e-2 * max(float(g.norm()) for g in expected.values())
    return max(float((g - expected[n]).norm()) / max(float(expected[n].norm()), floor) for n, g in found.items())


@pytest.mark.parametrize("one_line", [False, True])
@pytest.mark.parametrize("way", ["mask", "flex", "blocks"])
def test_packed_rows_on_the_device_equal_separate_rows_on_the_cpu(pair, way, one_line):
    here, there = pair
    rows = mixed_rows(here, SHORT if way == "mask" else RESPONSES)
    single = [Example(row.encoded, (one,)) for row in rows for one in row.responses]
    _, expected, gradients = logprobs_and_gradients(here, single)
    there.model.get_decoder().set_attn_implementation(WITH_FLEX if way == "flex" else SHARED_PREFIX_ATTENTION)
    batch, found, theirs = logprobs_and_gradients(there, rows, way == "flex", one_line)
    assert isinstance(batch.blocks, FlexBlocks) == (way == "flex")
    assert (batch.mask is not None) == (way == "mask")
    assert torch.allclose(found, expected, atol=1e-4, rtol=0)
    assert any(part_of(name) == "vision" for name in theirs)
    assert furthest(theirs, gradients) < 1e-4


def requests(encoded, k, seed=0, **sampling) -> list[Request]:
    settings = Sampling(**{"max_tokens": 12, **sampling})
    return [Request(one, k, settings, seed + i) for i, one in enumerate(encoded)]


def test_rollouts_on_the_device_equal_those_on_the_cpu_and_the_trainers_numbers(pair):
    here, there = pair
    encoded = encode(here, *[ask(*pieces) for pieces in prompts()])
    ours, theirs = TransformersEngine(here), TransformersEngine(there)
    for sampling in ({"temperature": 0.0}, {"temperature": 1.0}, {"temperature": 0.7, "top_p": 0.8}):
        expected = ours.generate(requests(encoded, 3, **sampling))
        found = theirs.generate(requests(encoded, 3, **sampling))
        for a, b in zip(found, expected, strict=True):
            assert {r.content_hash for r in (*a, *b)} == {a[0].content_hash}
            for x, y in zip(a, b, strict=True):
                assert x.token_ids == y.token_ids
                assert x.sampler_logprobs == pytest.approx(y.sampler_logprobs, abs=1e-4)
        rows = [Example(one, tuple(r.token_ids for r in g)) for one, g in zip(encoded, found, strict=True)]
        heat = sampling["temperature"] or 1.0
        scored = TorchPolicy(there, PolicySettings()).logprobs(rows, heat)
        for rollouts, group in zip(found, scored, strict=True):
            for rollout, score in zip(rollouts, group, strict=True):
                assert rollout.sampler_logprobs == pytest.approx(score, abs=1e-4)


def test_graphs_repeat_the_step_while_rows_leave_and_join(pair):
    _, there = pair
    encoded = encode(there, *[ask(*pieces) for pieces in prompts()])
    lengths = ((90, 12, 40), (7, 33, 70), (20, 21, 64), (5, 90, 31), (44, 9, 13))
    asked = [Request(e, 3, Sampling(max_tokens=90), 7 + n, lengths[n]) for n, e in enumerate(encoded)]
    assert TransformersEngine(there).decode_step == "own"  # the model's own forward pass makes no graphs
    kernels = TransformersEngine(there, TransformersEngineSettings(cuda_graphs=False)).generate(asked)
    for settings in (TransformersEngineSettings(), TransformersEngineSettings(max_num_seqs=5)):
        for _ in range(2):
            found = TransformersEngine(there, settings).generate(asked)
            for a, b in zip(found, kernels, strict=True):
                for x, y in zip(a, b, strict=True):
                    assert x.token_ids == y.token_ids
                    assert x.sampler_logprobs == pytest.approx(y.sampler_logprobs, abs=1e-4)


def test_begun_responses_go_on_as_if_written_at_once(pair):
    _, there = pair
    encoded = encode(there, *[ask(*pieces) for pieces in prompts()])
    engine = TransformersEngine(there)
    whole = engine.generate(requests(encoded, 4))
    begun = engine.generate([replace(r, new_tokens=3 + n) for n, r in enumerate(requests(encoded, 4))])
    going = [replace(r, resume_from=g) for r, g in zip(requests(encoded, 4), begun, strict=True)]
    for a, b in zip(engine.generate(going), whole, strict=True):
        for x, y in zip(a, b, strict=True):
            assert x.token_ids == y.token_ids
            assert x.sampler_logprobs == pytest.approx(y.sampler_logprobs, abs=1e-4)


@pytest.mark.parametrize("freeze", [(), ("vision", "projector")])
def test_an_update_on_the_device_moves_the_weights_as_on_the_cpu(pair, freeze):
    before, after = {n: p.detach().clone() for n, p in pair[0].model.named_parameters()}, []
    for loaded in pair:
        settings = PolicySettings(freeze=freeze, optimizer=OptimizerSettings(lr=1e-3), micro_batch_tokens=600)
        policy = TorchPolicy(loaded, settings)
        examples = [replace(row, advantages=(1.0,) * len(row.responses)) for row in mixed_rows(loaded, RESPONSES)]
        policy.update(examples, SftLoss(), 1.0, 1.0)
        after.append({n: p.detach().cpu() for n, p in loaded.model.named_parameters()})
    # AdamW's first step is the gradient's sign: where that is rounding alone (a bias of the keys) it may be the other
    apart = sum(int(((after[1][n] - after[0][n]).abs() > 1e-4).sum()) for n in before)
    moved = sum(int(((after[0][n] - before[n]).abs() > 5e-4).sum()) for n in before)
    assert apart < 1e-2 * moved
    frozen = [n for n in before if part_of(n) in freeze]
    assert all(torch.equal(after[1][n], before[n]) for n in frozen)


def test_switching_phases_reads_the_devices_memory(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"], device="cuda")
    colocated = ColocatedEngine(TransformersEngine(loaded), loaded.device)
    (one,) = encode(loaded, ask(pixels(1), "red?"))
    colocated.to_rollout(loaded.model.named_parameters, 1)
    colocated.generate(requests([one], 2))
    colocated.to_training()
    found = colocated.pop_metrics()
    assert found["colocated/memory_rollout_gib"] > 0
    assert found["colocated/memory_after_gib"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_whole_run_with_images_text_and_partial_rollouts(tmp_path: Path, dtype: str):
    folder = tmp_path / "run"
    start_run(
        "configs/rl/partial.yaml",
        [
            f"run_folder={folder}",
            f"model.dtype={dtype}",
            "model.device=cuda",
            "sft={demonstrations: 32, steps: 4, batch: 16}",
            "rl.steps=6",
            "rl.problems_per_step=8",
            "rl.validate_every=3",
            "rl.skip_uninformative=false",
            "rl.agreement={max_gap: 0.2, max_same_gap: 0.2, probe_every: 2}",
            "eval={problems: 8, curve_problems: 8, sampling: {max_tokens: 32}}",
        ],
    )
    steps = [line for line in read_jsonl(folder / "metrics.jsonl") if line["phase"] == "rl"]
    assert len(steps) == 6
    gaps = [line["logprob_gap/mean"] for line in steps if "logprob_gap/mean" in line]
    assert len(gaps) >= 3  # the first steps end no group
    assert all(gap < (1e-4 if dtype == "float32" else 0.2) for gap in gaps), gaps
    assert any("probe/image_shift" in line for line in steps)
