"""On-policy distillation: by hand, zero mean and less noise with the value, and the way to the teacher."""

from __future__ import annotations

import pytest
import torch
from credit_cases import credited, judged

from vlrl.credit.assign import Credit, CreditSettings
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.tokens.distillation import Distillation, DistillationWithValue
from vlrl.credit.tokens.token_parts import token_credits

NOW = CreditContext(0)
STUDENT = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
TEACHER = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)


def every_token(student, teacher):
    """A response for every token of a small vocabulary, one token each."""
    kl = float((student * (student / teacher).log()).sum())
    held = {
        "logprobs": tuple((float(p),) for p in student.log()),
        "teacher": tuple((float(p),) for p in teacher.log()),
        "kl_teacher": ((kl,),) * len(student),
    }
    return credited([True] * len(student), [0.0] * len(student), lengths=[1] * len(student), statistics=held)


def values(part, student=STUDENT, teacher=TEACHER):
    return torch.tensor([v[0] for v in part.over([every_token(student, teacher)], NOW, {})[0]], dtype=torch.float64)


def test_distillation_by_hand():
    expected = 2.0 * (TEACHER.log() - STUDENT.log())
    assert values(Distillation(weight=2.0)).tolist() == pytest.approx(expected.tolist())


def test_with_the_value_the_mean_under_the_student_is_zero():
    assert float((STUDENT * values(DistillationWithValue())).sum()) == pytest.approx(0.0, abs=1e-12)
    assert float((STUDENT * values(Distillation())).sum()) < -0.1


def test_both_have_the_gradient_of_the_reverse_kl_and_the_value_takes_noise_away():
    """Sixty-four tokens, none of them very likely. With few likely ones the noise can grow instead."""
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(64, generator=generator, dtype=torch.float64).softmax(-1) for _ in range(2))
    logits = student.log().requires_grad_(True)
    policy = logits.softmax(-1)
    (exact,) = torch.autograd.grad((policy * (policy / teacher).log()).sum(), logits)
    noise = {}
    for part in (Distillation(), DistillationWithValue()):
        scores = torch.eye(64, dtype=torch.float64) - student  # ∇ log π of every token
        each = values(part, student, teacher)[:, None] * scores
        mean = (student[:, None] * each).sum(0)
        assert torch.allclose(-mean, exact, atol=1e-12)
        noise[type(part).__name__] = float((student[:, None] * (each - mean).square()).sum())
    assert noise["DistillationWithValue"] < 0.8 * noise["Distillation"]


def test_a_student_that_is_the_teacher_has_nothing_to_learn():
    assert values(DistillationWithValue(), TEACHER, TEACHER).tolist() == pytest.approx([0.0] * 4, abs=1e-12)


def test_a_weight_of_zero_changes_nothing_and_token_credit_alone_is_informative():
    held = {"logprobs": ((-1.0, -2.0), (-1.0,)), "teacher": ((-0.5, -2.5), (-1.0,)), "kl_teacher": ((0.1, 0.2), (0.3,))}
    held |= {"self_teacher": held["teacher"], "entropy": held["kl_teacher"], "self_teacher_entropy": held["kl_teacher"]}
    one = judged([True, False], lengths=[2, 1], statistics=held)
    plain = Credit(CreditSettings()).assign([one], NOW)[0]
    for name in token_credits:
        neutral = Credit(CreditSettings(token_credit=[{"name": name, "weight": 0.0}])).assign([one], NOW)[0]
        assert neutral.advantages == plain.advantages
        assert all(value == 0.0 for response in neutral.token_advantages for value in response)
    alone = Credit(CreditSettings(advantage="none", token_credit=["opd", "vopd"])).assign([one], NOW)[0]
    assert alone.advantages == (0.0, 0.0)
    assert alone.token_advantages[0] == pytest.approx((0.5 + 0.6, -0.5 - 0.3))  # added up
    assert alone.informative
