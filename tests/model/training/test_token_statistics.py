"""Numbers of tokens against a plain computation from whole distributions, in chunks; steps of text."""

from __future__ import annotations

import pytest
import torch
from small_models import ask, encode, fresh, pixels

from vlrl.model.batch.example import Example
from vlrl.model.batch.response_steps import step_numbers
from vlrl.model.training import token_statistics as module
from vlrl.model.training.forward import PackedForward
from vlrl.model.training.logprobs import sampling_logprobs
from vlrl.model.training.token_statistics import OF_POLICY, OF_TEACHER, token_statistics

NAMES = sorted(OF_POLICY | OF_TEACHER | {"previous", "reference"})


def rows(loaded):
    problems = encode(loaded, ask("3+4=?"), ask(pixels(1), "How many?"))
    return [Example(one, ((20, 31, 44), (25,))) for one in problems]


@pytest.fixture(scope="module")
def models(model_folders):
    """A policy and another model of its vocabulary."""
    policy, teacher = (fresh(model_folders["tiny-qwen3-vl"]) for _ in range(2))
    with torch.no_grad():
        for parameter in teacher.model.parameters():
            parameter *= 0.9
    return policy, teacher


@pytest.mark.parametrize("budget", [1, 10_000])
def test_statistics_are_those_of_the_whole_distributions(models, monkeypatch, budget):
    policy, teacher = (PackedForward(loaded, budget, False) for loaded in models)
    monkeypatch.setattr(module, "CHUNK_LOGITS", 2 * 2 * policy.vocabulary)  # two tokens at once
    found = token_statistics(policy, rows(models[0]), 0.7, NAMES, teacher, {"previous": teacher, "reference": policy})
    for row, held in zip(rows(models[0]), found, strict=True):
        whole = []
        for forward, loaded in zip((policy, teacher), models, strict=True):
            hidden, targets = forward.hidden([row])
            forbidden = torch.tensor(loaded.placeholder_ids)
            whole.append(sampling_logprobs(loaded.model.lm_head(hidden), forbidden, 0.7).clamp_min(-1e9).double())
        ours, theirs = whole
        p = ours.exp()
        entropy = -(p * ours).sum(-1)
        at = targets[:, None]
        expected = {
            "logprobs": ours.gather(1, at)[:, 0],
            "entropy": entropy,
            "square": (p**2 * (ours + entropy[:, None])).sum(-1),
            "teacher": theirs.gather(1, at)[:, 0],
            "kl_teacher": (p * (ours - theirs)).sum(-1),
            "previous": theirs.gather(1, at)[:, 0],
            "reference": ours.gather(1, at)[:, 0],
            "teacher_token": theirs.argmax(-1),
        }
        assert [len(one) for one in held["entropy"]] == [3, 1]
        for name in NAMES:
            flat = [value for response in held[name] for value in response]
            assert flat == pytest.approx(expected[name].tolist(), abs=2e-4), name
        assert min(held["kl_teacher"][0]) > 0


def test_log_probabilities_are_those_that_the_policy_reports(models):
    policy = PackedForward(models[0], 10_000, False)
    found = token_statistics(policy, rows(models[0]), 1.0, ["logprobs"])
    for held, direct in zip(found, policy.logprobs(rows(models[0]), 1.0), strict=True):
        assert set(held) == {"logprobs"}  # nothing else is computed
        for one, other in zip(held["logprobs"], direct, strict=True):
            assert one == pytest.approx(other, abs=1e-5)


class Words:
    """A tokenizer of pieces."""

    def __init__(self, pieces):
        self.pieces = pieces

    def decode(self, ids):
        return "".join(self.pieces[i] for i in ids)


def test_steps_end_at_blank_lines():
    pieces = ["a", "b\n\n", "c", "\n", " ", "\n", "d\n", "e", "\n\n\n", "f"]
    assert step_numbers(range(10), Words(pieces)) == (0, 0, 1, 1, 1, 1, 2, 2, 2, 3)
