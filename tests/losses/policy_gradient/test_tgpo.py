"""Guidance by a teacher's likeliest token: by hand, neutral at β = 0, and where one that only says no gets stuck."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from loss_cases import gradient, part, terms

from vlrl.losses.auxiliary import WithAdded
from vlrl.losses.loss_inputs import LossInputs
from vlrl.losses.policy_gradient.grpo import GrpoLoss
from vlrl.losses.policy_gradient.tgpo import TeacherGuidance


def guided(seed: int = 5) -> LossInputs:
    given = terms(token_advantages=True)
    generator = torch.Generator().manual_seed(seed)
    teacher_token_ids = -torch.rand(len(given.logprobs), generator=generator, dtype=torch.float64) * 3
    return replace(given, teacher_logprobs=teacher_token_ids.requires_grad_(True))


def test_guidance_by_hand():
    """Ten tokens: the loss is −β times the mean, the gradient −β/10 at each; a weight halves one token."""
    given = guided()
    loss = TeacherGuidance(beta=0.5)
    assert float(loss(given).detach()) == pytest.approx(-0.5 * float(given.teacher_logprobs.detach().mean()))
    weights = torch.ones(10, dtype=torch.float64)
    weights[3] = 0.5
    (found,) = torch.autograd.grad(loss(replace(given, weights=weights)), given.teacher_logprobs)
    expected = torch.full((10,), -0.05, dtype=torch.float64)
    expected[3] = -0.025
    assert torch.allclose(found, expected, atol=1e-12)


def test_with_beta_zero_a_loss_is_what_it_was():
    given, plain = guided(), GrpoLoss(beta=0.1)
    both = WithAdded(plain, [TeacherGuidance(beta=0.0)])
    assert torch.equal(gradient(both, given), gradient(plain, given))
    (at_guides,) = torch.autograd.grad(both(given), given.teacher_logprobs)
    assert not at_guides.any()


@pytest.mark.parametrize("aggregate", ["token", "sequence", "sum"])
def test_any_split_into_micro_batches_gives_the_gradient_of_one(aggregate):
    given, loss = guided(), WithAdded(GrpoLoss(), [TeacherGuidance(beta=0.3, aggregate=aggregate)])
    (whole,) = torch.autograd.grad(loss(given), given.teacher_logprobs)
    total = torch.zeros_like(whole)
    for some in ([0, 2], [1, 3]):
        kept = torch.isin(given.response, torch.tensor(some))
        less = replace(part(given, some), teacher_logprobs=given.teacher_logprobs[kept])
        total += torch.autograd.grad(loss(less), given.teacher_logprobs)[0]
    assert torch.allclose(total, whole, atol=1e-12, rtol=0)


def test_examples_without_a_teacher_are_refused():
    with pytest.raises(ValueError, match="no tokens of a teacher"):
        TeacherGuidance()(terms())


def test_far_from_the_teacher_guidance_moves_where_the_reverse_kl_stalls():
    """The student has e⁻¹⁰ for what the teacher wants and draws other tokens alone: of 50 draws none is the teacher's.

    Distillation by what was drawn leaves it there; with guidance the teacher's token becomes the likeliest.
    """
    teacher = torch.tensor([8.0, 0.0, 0.0, 0.0], dtype=torch.float64).log_softmax(-1)
    found = {}
    for beta in (0.0, 1.0):
        logits = torch.tensor([-10.0, 0.0, 0.0, 0.0], dtype=torch.float64, requires_grad=True)
        generator = torch.Generator().manual_seed(0)
        loss = WithAdded(GrpoLoss(aggregate="token"), [TeacherGuidance(beta=beta)])
        optimizer = torch.optim.SGD([logits], lr=0.5)
        for _ in range(40):
            policy = logits.log_softmax(-1)
            drawn = torch.multinomial(policy.detach().exp(), 50, replacement=True, generator=generator)
            picked = policy[drawn]
            given = LossInputs(
                logprobs=picked,
                old_logprobs=picked.detach(),
                response=torch.arange(50),
                advantages=torch.zeros(50, dtype=torch.float64),
                weights=torch.ones(50, dtype=torch.float64),
                update_responses=50.0,
                update_tokens=50.0,
                token_advantages=(teacher[drawn] - picked).detach(),
                teacher_logprobs=policy[teacher.argmax()].expand(50),
            )
            optimizer.zero_grad()
            loss(given).backward()
            optimizer.step()
        found[beta] = float(logits.detach().softmax(-1)[0])
    assert found[0.0] < 0.01
    assert found[1.0] > 0.9
