"""The policy in one process: exact accumulation, one optimiser step an update, frozen parts, forgotten moments."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from small_models import ask, encode, fresh, pixels

from vlrl.losses.auxiliary import WithAdded
from vlrl.losses.dpo_loss import DpoLoss
from vlrl.losses.kimi import KimiLoss
from vlrl.losses.likelihood import LikelihoodLoss
from vlrl.losses.policy_gradient.cispo import CispoLoss
from vlrl.losses.policy_gradient.ctpo import CtpoLoss
from vlrl.losses.policy_gradient.grpo import GrpoLoss
from vlrl.losses.policy_gradient.gspo import GspoLoss
from vlrl.losses.policy_gradient.tgpo import TeacherGuidance
from vlrl.losses.sft_loss import SftLoss
from vlrl.model.batch.example import Example
from vlrl.model.batch.micro_batches import rows_by_micro_batch
from vlrl.model.batch.packing import pack
from vlrl.model.cost import cost_of, load_of
from vlrl.model.optimization.optimizer import OptimizerSettings
from vlrl.model.optimization.parameter_groups import PARTS, part_of
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy

LOSSES = {
    "kimi": KimiLoss(tau=0.3),
    "kimi by length": KimiLoss(tau=0.3, logratio_norm="length"),
    "grpo": GrpoLoss(beta=0.1, clip_low=0.05, clip_high=0.1),
    "grpo by token": GrpoLoss(aggregate="token"),
    "sft": SftLoss(),
}


def examples(loaded, off_policy=True):
    """Four groups with and without images, of unlike lengths; references differ from the policy."""
    problems = [ask("3+4=?"), ask(pixels(1), "How many?"), ask(pixels(2), pixels(1, 48, 32), "blue"), ask("red")]
    found = []
    for place, one in enumerate(encode(loaded, *problems)):
        responses = tuple(tuple(20 + (7 * place + 3 * j + t) % 200 for t in range(1 + j + place)) for j in range(3))
        reference = tuple(tuple(-4.0 - 0.1 * t for t in range(len(r))) for r in responses) if off_policy else None
        found.append(Example(one, responses, (0.5, -0.75, 0.25), reference))
    return found


def paired(loaded):
    """Pairs as DPO has them."""
    return [replace(e.take([0, 1]), advantages=(1.0, -1.0)) for e in examples(loaded)]


def by_token(example, value):
    """Per response, `value` of each token's place and its response's."""
    return tuple(tuple(value(t, j) for t in range(len(r))) for j, r in enumerate(example.responses))


def guided(loaded):
    """With the tokens that a teacher would write."""
    return [replace(e, teacher_token_ids=by_token(e, lambda t, j: 30 + (5 * t + j) % 90)) for e in examples(loaded)]


def weighed(loaded):
    """With token weights of 0, ½ and 1."""
    return [replace(e, token_weights=by_token(e, lambda t, j: (t + j) % 3 / 2)) for e in examples(loaded)]


MORE = {
    "gspo": (GspoLoss(clip_low=0.5, clip_high=0.5), examples),
    "cispo": (CispoLoss(), examples),
    "ctpo": (CtpoLoss(), examples),
    "likelihood": (LikelihoodLoss(), examples),
    "dpo": (DpoLoss(alpha=0.5), paired),
    "tgpo": (WithAdded(GrpoLoss(), [TeacherGuidance(beta=0.3)]), guided),
    "kimi by length, weighed": (KimiLoss(tau=0.3, logratio_norm="length"), weighed),
    "grpo, weighed": (GrpoLoss(), weighed),
}


def gradient_of(folder, loss, budget, make=examples, mib=None):
    """The whole gradient that reaches the optimiser, and how many micro-batches made it.

    In float64: in float32 the order of the sums alone makes up to 1e-6, more or less by machine.
    """
    loaded = fresh(folder)
    loaded.model.double()
    policy = TorchPolicy(loaded, PolicySettings(micro_batch_tokens=budget, micro_batch_mib=mib))
    held = {}

    def step(share):
        held.update({n: p.grad.clone() for n, p in loaded.model.named_parameters() if p.grad is not None})
        return 0.0

    policy.optimizer.step = step
    given = make(loaded)
    policy.update(given, loss, 0.8, 1.0)
    return held, len(rows_by_micro_batch(given, budget))


@pytest.mark.parametrize("name", LOSSES)
def test_groups_split_into_rows_that_repeat_the_prompt_give_the_same_gradient(model_folders, name):
    """Norms round to float32 whatever the weights are, so rows of another shape agree to that alone."""
    folder = model_folders["tiny-qwen3-vl"]
    whole, _ = gradient_of(folder, LOSSES[name], 100_000)
    parts, _ = gradient_of(folder, LOSSES[name], 1)  # every response for itself
    size = torch.cat([g.flatten() for g in whole.values()]).norm()
    assert parts.keys() == whole.keys()
    assert float(torch.cat([(parts[n] - whole[n]).flatten() for n in whole]).norm()) < 1e-6 * float(size)


def long_pairs(loaded):
    """A group of eight responses, taken as four pairs, whose row takes several MiB."""
    (one,) = encode(loaded, ask(pixels(1), "How many?"))
    responses = tuple(tuple(20 + (3 * j + t) % 200 for t in range(20)) for j in range(8))
    return [Example(one, responses, (1.0, -1.0) * 4, tuple((-4.0,) * 20 for _ in responses))]


@pytest.mark.parametrize(("loss", "together"), [(LOSSES["grpo"], 1), (DpoLoss(), 2)])
def test_a_group_above_the_memory_of_a_micro_batch_is_split_for_the_same_gradient(
    model_folders, monkeypatch, loss, together
):
    folder = model_folders["tiny-qwen3-vl"]
    passes = []

    def noted(rows, **settings):
        passes.append(rows)
        return pack(rows, **settings)

    monkeypatch.setattr("vlrl.model.training.forward.pack", noted)
    whole, _ = gradient_of(folder, loss, 100_000, long_pairs)
    assert [len(row.responses) for rows in passes for row in rows] == [8]
    passes.clear()
    parts, _ = gradient_of(folder, loss, 100_000, long_pairs, mib=1)
    loaded = fresh(folder)
    cost = cost_of(loaded.config, loaded.model.double(), PARTS, False)
    for rows in passes:
        assert all(len(row.responses) % together == 0 for row in rows)
        assert cost.bytes([load_of(row) for row in rows]) <= 2**20
    assert sum(len(row.responses) for rows in passes for row in rows) == 8
    assert parts.keys() == whole.keys()
    size = torch.cat([g.flatten() for g in whole.values()]).norm()
    assert float(torch.cat([(parts[n] - whole[n]).flatten() for n in whole]).norm()) < 1e-6 * float(size)
    losses = [
        TorchPolicy(fresh(folder), PolicySettings(micro_batch_mib=mib)).update(long_pairs(loaded), loss, 0.8, 1.0).loss
        for mib in (None, 1)
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_passes_without_gradients_keep_to_the_memory_of_a_micro_batch_too(model_folders, monkeypatch):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    rows = long_pairs(loaded)
    whole = TorchPolicy(loaded, PolicySettings())
    expected = whole.logprobs(rows, 0.8)
    passes = []

    def noted(rows, **settings):
        passes.append(rows)
        return pack(rows, **settings)

    monkeypatch.setattr("vlrl.model.training.forward.pack", noted)
    small = TorchPolicy(loaded, PolicySettings(micro_batch_mib=1))
    read = small.logprobs(rows, 0.8)
    stated = small.statistics(rows, 0.8, ["logprobs"])
    assert torch.allclose(torch.tensor(read), torch.tensor(expected), atol=1e-5, rtol=0)
    assert torch.allclose(torch.tensor(stated[0]["logprobs"]), torch.tensor(expected[0]), atol=1e-5, rtol=0)
    cost = cost_of(loaded.config, loaded.model, PARTS, False)
    assert len(passes) > 2
    assert all(cost.bytes([load_of(row) for row in some]) <= 2**20 for some in passes)


@pytest.mark.parametrize("name", LOSSES)
def test_any_split_into_micro_batches_gives_the_single_batch_gradient(model_folders, architecture, name):
    folder = model_folders[architecture]
    whole, one = gradient_of(folder, LOSSES[name], 100_000)
    size = torch.cat([g.flatten() for g in whole.values()]).norm()
    splits = set()
    longest = max(e.num_tokens for e in examples(fresh(folder)))
    for budget in (longest, 2 * longest):
        parts, count = gradient_of(folder, LOSSES[name], budget)
        splits.add(count)
        assert parts.keys() == whole.keys()
        error = torch.cat([(parts[n] - whole[n]).flatten() for n in whole]).norm()
        assert float(error / size) < 1e-9
    assert one == 1
    assert min(splits) > 1
    assert len(splits) == 2


@pytest.mark.parametrize("name", MORE)
def test_the_other_losses_and_token_weights_split_as_exactly(model_folders, name):
    """Budgets of one row at a time and of one response at a time, or of one pair: pairs are never parted."""
    folder, (loss, make) = model_folders["tiny-qwen3-vl"], MORE[name]
    whole, count = gradient_of(folder, loss, 100_000, make)
    size = torch.cat([g.flatten() for g in whole.values()]).norm()
    assert count == 1
    assert float(size) > 0
    for budget in (max(e.num_tokens for e in make(fresh(folder))), 1):
        parts, count = gradient_of(folder, loss, budget, make)
        assert count > 1
        assert parts.keys() == whole.keys()
        error = torch.cat([(parts[n] - whole[n]).flatten() for n in whole]).norm()
        assert float(error) < 1e-6 * float(size)


@pytest.mark.parametrize("budget", [1, 10_000])
def test_guides_are_scored_with_gradient_beside_the_response(model_folders, budget):
    """Guides that are the response itself have its log-probabilities; others have those of a row with them in place."""
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    policy = TorchPolicy(loaded, PolicySettings(micro_batch_tokens=budget))
    given = [replace(e, teacher_token_ids=e.responses) for e in examples(loaded, off_policy=False)]
    seen = []

    class Listening(KimiLoss):
        def __call__(self, inputs):
            seen.append((inputs.logprobs.detach(), inputs.teacher_logprobs.detach()))
            assert inputs.teacher_logprobs.requires_grad
            return super().__call__(inputs)

    loss = Listening()
    policy.update(given, loss, 0.8, 0.0)
    assert all(torch.equal(own, guide) for own, guide in seen)
    row = given[1].take([2])
    other = replace(given[1].take([2]), teacher_token_ids=(tuple(30 + t for t in range(len(row.responses[0]))),))
    first = Example(row.encoded, ((30,),))
    (expected,) = policy.logprobs([first], 0.8)
    seen.clear()
    policy.update([other], loss, 0.8, 0.0)
    assert float(seen[0][1][0]) == pytest.approx(expected[0][0], abs=1e-5)


def test_an_update_makes_one_optimiser_step_however_it_is_split(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    policy = TorchPolicy(loaded, PolicySettings(micro_batch_tokens=1))
    policy.update(examples(loaded), KimiLoss(), 1.0, 1.0)
    steps = {int(s["step"]) for part, _ in policy.optimizer._parts for s in part.state.values()}
    assert steps == {1}


def test_the_log_ratio_of_a_first_update_is_exactly_zero(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    seen = []

    class Listening(KimiLoss):
        def __call__(self, inputs):
            seen.append(inputs.logprobs - inputs.old_logprobs)
            return super().__call__(inputs)

    loss = Listening()
    metrics = TorchPolicy(loaded, PolicySettings()).update(examples(loaded, off_policy=False), loss, 1.2, 1.0).metrics()
    assert all(bool((ratio == 0).all()) for ratio in seen)
    assert metrics["kl/old_policy"] == 0.0


def test_references_computed_beforehand_give_a_log_ratio_of_zero_up_to_rounding(model_folders):
    loaded = fresh(model_folders["tiny-qwen2.5-vl"])
    policy = TorchPolicy(loaded, PolicySettings(micro_batch_tokens=150))
    given = examples(loaded, off_policy=False)
    references = policy.logprobs(given, 0.7)
    given = [replace(e, old_logprobs=r) for e, r in zip(given, references, strict=True)]
    assert policy.update(given, KimiLoss(), 0.7, 1.0).metrics()["kl/old_policy"] < 1e-9


def test_metrics_are_means_over_tokens_and_the_sampler_gap_is_measured(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    policy = TorchPolicy(loaded, PolicySettings())
    (given, *_) = examples(loaded, off_policy=False)
    (own,) = policy.logprobs([given], 1.0)
    off = (own[0], (own[1][0] + 0.25, *own[1][1:]), own[2])
    metrics = policy.update([replace(given, old_logprobs=None, sampler_logprobs=off)], SftLoss(), 1.0, 1.0).metrics()
    flat = [v for one in own for v in one]
    assert metrics["loss/total"] == pytest.approx(-sum(flat) / len(flat), abs=1e-5)
    assert metrics["logprob_gap/max"] == pytest.approx(0.25, abs=1e-5)
    assert metrics["logprob_gap/mean"] == pytest.approx(0.25 / len(flat), abs=1e-5)


@pytest.mark.parametrize("name", ["old_logprobs", "sampler_logprobs"])
def test_log_probabilities_of_some_examples_only_are_refused(model_folders, name):
    policy = TorchPolicy(fresh(model_folders["tiny-qwen3-vl"]), PolicySettings())
    given = examples(policy.loaded, off_policy=False)
    (own,) = policy.logprobs([given[0]], 1.0)
    given[0] = replace(given[0], **{name: own})
    with pytest.raises(ValueError, match="or none does"):
        policy.update(given, KimiLoss(), 1.0, 1.0)


@pytest.mark.parametrize("frozen", [("vision",), ("projector",), ("language",), ("vision", "projector")])
def test_frozen_parts_are_bit_identical_after_an_update_and_the_others_move(model_folders, architecture, frozen):
    loaded = fresh(model_folders[architecture])
    settings = PolicySettings(freeze=frozen, optimizer=OptimizerSettings(lr=1e-2, weight_decay=0.1))
    before = {n: p.detach().clone() for n, p in loaded.model.named_parameters()}
    TorchPolicy(loaded, settings).update(examples(loaded), KimiLoss(), 1.0, 1.0)
    moved = set()
    for name, parameter in loaded.model.named_parameters():
        if not torch.equal(parameter, before[name]):
            moved.add(part_of(name))
    assert moved == {"vision", "projector", "language"} - set(frozen)


def test_freezing_everything_is_refused_before_a_model_is_loaded():
    with pytest.raises(ValueError, match="leaves nothing to train"):
        PolicySettings(freeze=("vision", "projector", "language"))


@pytest.mark.parametrize(("reset", "kept"), [("each_iteration", False), ("never", True)])
@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_new_iteration_forgets_the_moments_only_where_asked(model_folders, reset, kept, name):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    policy = TorchPolicy(loaded, PolicySettings(reset_optimizer=reset, optimizer=OptimizerSettings(name=name)))
    policy.update(examples(loaded), KimiLoss(), 1.0, 1.0)
    count = sum(len(part.state) for part, _ in policy.optimizer._parts)
    assert count == len(policy.optimizer.parameters)
    policy.end_iteration()
    assert sum(len(part.state) for part, _ in policy.optimizer._parts) == (count if kept else 0)


def test_state_put_back_continues_with_the_same_weights(model_folders):
    folder = model_folders["tiny-qwen3-vl"]
    first = TorchPolicy(fresh(folder), PolicySettings(optimizer=OptimizerSettings(name="muon", lr=1e-3)))
    given = examples(first.loaded)
    first.update(given, KimiLoss(), 1.0, 1.0)
    state = copy.deepcopy(first.state_dict())  # as a checkpoint on disk is a copy
    second = TorchPolicy(fresh(folder), first.settings)
    second.load_state_dict(state)
    for policy in (first, second):
        policy.update(given, KimiLoss(), 1.0, 0.5)
    for (name, a), (_, b) in zip(first.weights(), second.weights(), strict=True):
        assert torch.equal(a, b), name


def test_micro_batches_hold_every_row_once_within_the_budget(qwen3):
    rows = examples(qwen3)
    for budget in (1, 100, 150, 10_000):
        found = rows_by_micro_batch(rows, budget)
        assert sorted(i for chosen in found for i in chosen) == list(range(len(rows)))
        for chosen in found:
            padded = len(chosen) * max(rows[i].num_tokens for i in chosen)
            assert padded <= budget or len(chosen) == 1


def test_groups_without_an_advantage_can_be_left_out_and_the_gradient_stays_the_same(model_folders):
    gradients = []
    for skip in (False, True):
        loaded = fresh(model_folders["tiny-qwen3-vl"])
        given = examples(loaded)
        given = [Example(e.encoded, e.responses, e.advantages if i else (0.0,) * 3) for i, e in enumerate(given)]
        left = [given[0]] if skip else []
        policy = TorchPolicy(loaded, PolicySettings())
        seen = []
        policy.optimizer.step = lambda rate, policy=policy, seen=seen: (
            seen.extend([p.grad.clone() for p in policy.optimizer.parameters if p.grad is not None]) or 0.0
        )
        policy.update(given[1:] if skip else given, KimiLoss(), 1.0, 1.0, left)
        gradients.append(torch.cat([g.flatten() for g in seen]))
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-7)
