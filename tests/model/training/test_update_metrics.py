"""Sums of several updates by hand: every figure is divided by its own count."""

from __future__ import annotations

import pytest
import torch

from vlrl.model.batch.example import Example
from vlrl.model.training.example_tensors import loss_inputs_of, observe
from vlrl.model.training.logprob_mismatch import LogprobGap
from vlrl.model.training.update_metrics import UpdateMetrics


def test_means_over_tokens_count_tokens_and_means_over_updates_count_updates():
    sums = UpdateMetrics()
    sums.add(UpdateMetrics(1.0, 1, 2.0, 0.5, LogprobGap({"text": [0.5, 0.5, 1.0]})).stepped(3.0))
    sums.add(
        UpdateMetrics(3.0, 3, 4.0, 0.3, LogprobGap({"real": [0.6, 0.4, 3.0], "stale": [9.0, 9.0, 1.0]})).stepped(5.0)
    )
    found = sums.metrics()
    assert (found["loss/total"], found["gradient/norm"]) == (2.0, 4.0)
    assert found["entropy/mean"] == pytest.approx(6.0 / 4)
    assert found["kl/old_policy"] == pytest.approx(0.8 / 4)
    assert found["logprob_gap/text"] == pytest.approx(0.5)  # only the first update had text
    assert found["logprob_gap/real"] == pytest.approx(0.2)
    assert found["logprob_gap/mean"] == pytest.approx(1.1 / 4)
    assert found["logprob_gap/max"] == 0.5
    assert found["logprob_gap/compared_tokens"] == 4


def test_nothing_is_said_without_an_update_and_nothing_of_a_gap_where_nothing_was_sampled():
    assert UpdateMetrics().metrics() == {}
    assert not [key for key in UpdateMetrics(1.0, 1).stepped(1.0).metrics() if key.startswith("logprob_gap/")]


def test_observations_are_in_no_figure_of_an_update():
    example = Example(
        None,
        ((1, 8, 9, 2),),
        (1.0,),
        old_logprobs=((-1.0, -7.0, -8.0, -2.0),),
        sampler_logprobs=((-1.5, 0.0, 0.0, -2.0),),
        origins=((("text", 1), ("given", 2), ("text", 1)),),
    )
    logprobs = torch.tensor([-1.0, -3.0, -3.0, -2.0])
    inputs = loss_inputs_of([example], torch.zeros(4, dtype=torch.long), logprobs, [example])
    sums = UpdateMetrics()
    observe(sums, [example], inputs, 0.5, torch.tensor([1.0, 50.0, 50.0, 2.0]))
    shown = sums.stepped(1.0).metrics()
    assert (shown["entropy/mean"], shown["kl/old_policy"]) == (1.5, 0.0)
    assert (shown["logprob_gap/mean"], shown["logprob_gap/compared_tokens"]) == (0.25, 2.0)
    assert "logprob_gap/given" not in shown
