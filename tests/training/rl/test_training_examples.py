"""Groups as update examples: references where they are needed, weights as credit gave them."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from small_models import ask

from vlrl.losses.loss_registry import losses
from vlrl.model.training.example_tensors import loss_inputs_of
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.training.rl.training_examples import origins, skipped_examples, to_examples
from vlrl.types import Group, Rollout, ScoredGroup, Segment, Verdict

OLD, NEW = Segment((1, 2), (-1.0, -2.0), 3), Segment((3,), (-0.5,), 4)
ROLLOUTS = (Rollout((OLD, NEW), "a", "stop"), Rollout((OLD,), "b", "stop"), Rollout((NEW,), "c", "length"))


def credited(token_weights=None, **statistics):
    group = Group(ask("3+4=?"), ROLLOUTS, SimpleNamespace(num_tokens=5))
    scored = ScoredGroup.of(group, (Verdict.right(), Verdict.wrong(""), Verdict.wrong("")), statistics)
    return replace(scored, advantages=(0.6, -0.3, -0.3), token_weights=token_weights)


def with_a_fault(group):
    right, _, wrong = group.verdicts
    return replace(group, verdicts=(right, Verdict.broken("the verifier crashed"), wrong))


def logprobs(rows, temperature):
    """Twice as likely as the sampler said at every token."""
    return [tuple(tuple(p + math.log(2) for p in r.sampler_logprobs) for r in ROLLOUTS) for _ in rows]


def test_without_settings_every_token_counts_once_and_nothing_is_computed():
    (one,) = to_examples([credited()], SimpleNamespace(), RlSettings(), step=4)
    assert one.token_weights is None
    assert one.old_logprobs is None
    assert one.origins == ((("stale", 2), ("synthetic", 1)), (("stale", 2),), (("synthetic", 1),))


def test_weights_are_those_of_credit():
    given = ((0.5, 1.0, 3.0), (1.0, 1.0), (0.0,))
    (one,) = to_examples([credited(given)], SimpleNamespace(), RlSettings(), step=4)
    assert one.token_weights == given


def test_several_updates_have_references_and_those_that_credit_asked_for_are_not_computed_again():
    several = RlSettings(epochs_per_step=2)
    (one,) = to_examples([credited()], SimpleNamespace(logprobs=logprobs), several, step=4)
    assert one.old_logprobs == logprobs([None], 1.0)[0]
    asked = credited(logprobs=((-1.0, -2.0, -3.0), (-4.0, -5.0), (-6.0,)))
    (again,) = to_examples([asked], SimpleNamespace(), several, step=4)
    assert again.old_logprobs == asked.statistics["logprobs"]


def test_log_probabilities_of_a_frozen_reference_go_with_the_responses():
    asked = credited(reference=((-1.5, -2.5, -3.5), (-4.5, -5.5), (-6.5,)))
    (one,) = to_examples([with_a_fault(asked)], SimpleNamespace(), RlSettings(), step=4)
    assert one.ref_logprobs == ((-1.5, -2.5, -3.5), (-6.5,))
    inputs = loss_inputs_of([one], torch.tensor([0, 0, 0, 1]), torch.zeros(4), [one])
    assert inputs.ref_logprobs.tolist() == [-1.5, -2.5, -3.5, -6.5]


def test_the_pull_is_scaled_by_the_source_of_a_group():
    here = credited()
    examples = to_examples([here], SimpleNamespace(), RlSettings(), 4, {here.problem.source: 2.5})
    assert examples[0].pull_scales == (2.5,) * 3
    response = torch.tensor([0, 0, 0, 1, 1, 2])
    assert loss_inputs_of(examples, response, torch.zeros(6), examples).pull_scales.tolist() == [2.5] * 3
    (plain,) = to_examples([here], SimpleNamespace(), RlSettings(), 4)
    assert loss_inputs_of([plain], response, torch.zeros(6), [plain]).pull_scales is None
    with pytest.raises(ValueError, match="either every example carries pull_scales or none"):
        loss_inputs_of([*examples, plain], response, torch.zeros(6), [plain])


def test_origins_of_a_rollout_of_one_iteration_are_its_modality():
    assert origins("text", ROLLOUTS[2], 4) == (("text", 1),)


WEIGHTS = ((0.0, 0.0, 1.0), (1.0, 0.5), (0.0,))  # an old segment that is not trained, and a cut response
LOSSES = [
    {"name": "kimi", "logratio_norm": "length"},
    {"name": "grpo", "aggregate": "token"},
    {"name": "grpo", "aggregate": "sequence", "beta": 0.1},
    {"name": "gspo"},
    {"name": "ctpo"},
]


@pytest.mark.parametrize("fault", [False, True])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_skipping_groups_without_an_advantage_leaves_the_gradient_of_a_first_update(loss, weights, fault):
    """Tokens of weight 0 are in no average, whether their group is skipped or not."""
    settings = RlSettings(skip_uninformative=True)
    kept = credited(weights)
    alike = replace(with_a_fault(kept) if fault else kept, advantages=(0.0,) * 3)
    gradients = []
    for some, left in ([kept, alike], []), ([kept], [alike]):
        examples = to_examples(some, SimpleNamespace(), settings, step=4)
        counted = [*examples, *skipped_examples(left, step=4)]
        lengths = [len(one) for e in examples for one in e.responses]
        response = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
        logprobs = torch.linspace(-3.0, -0.5, 6, dtype=torch.float64).repeat(2)[: sum(lengths)].requires_grad_(True)
        value = losses.build(loss)(loss_inputs_of(examples, response, logprobs, counted))
        gradients.append(torch.autograd.grad(value, logprobs)[0])
    assert gradients[0][:6].any()
    assert torch.allclose(gradients[0][:6], gradients[1], atol=1e-12, rtol=0)
    assert not gradients[0][6:].any()


def test_an_update_whose_tokens_all_have_weight_zero_learns_nothing_and_divides_by_one():
    examples = to_examples([credited(((0.0,) * 3, (0.0,) * 2, (0.0,)))], SimpleNamespace(), RlSettings(), step=4)
    logprobs = torch.full((6,), -1.0, dtype=torch.float64, requires_grad=True)
    response = torch.tensor([0, 0, 0, 1, 1, 2])
    for loss in LOSSES:
        value = losses.build(loss)(loss_inputs_of(examples, response, logprobs, examples))
        assert not torch.autograd.grad(value, logprobs)[0].any()


def test_tokens_that_no_policy_wrote_are_given_whatever_their_age():
    seen = Rollout((Segment((1, 2), (-0.1, -0.2), 3), Segment((8, 9), (0.0, 0.0), 4, "observation")), "a", "stop")
    assert origins("text", seen, 4) == (("stale", 2), ("given", 2))
