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


def _two_responses_under(
    drifts: tuple[tuple[float, ...], ...], weights: tuple[tuple[float, ...], ...] | None = None, **more
):
    old = tuple(tuple(-1.0 for _ in response) for response in drifts)
    example = Example(
        None,
        tuple(tuple(range(1, len(response) + 1)) for response in drifts),
        (0.5, -0.25),
        old_logprobs=old,
        token_weights=weights,
        **more,
    )
    logprobs = torch.tensor([-1.0 + d for response in drifts for d in response])
    response = torch.tensor([i for i, one in enumerate(drifts) for _ in one])
    sums = UpdateMetrics()
    observe(sums, [example], loss_inputs_of([example], response, logprobs, [example]), 0.0, torch.zeros(len(logprobs)))
    return sums


def test_the_pull_is_tau_times_the_log_ratio_of_the_whole_response_beside_the_advantage():
    sums = _two_responses_under(((0.2, 0.1, 0.3), (-0.4, 0.0)))
    shown = sums.scale_of_the_pull(0.1, a_token=False)
    assert shown["log_ratio/sequence"] == pytest.approx((0.6 + 0.4) / 2)
    assert shown["log_ratio/a_token"] == pytest.approx((0.6 / 3 + 0.4 / 2) / 2)
    assert shown["log_ratio/pull"] == pytest.approx(0.1 * 0.5 / 0.375)
    assert sums.scale_of_the_pull(0.1, a_token=True)["log_ratio/pull"] == pytest.approx(0.1 * 0.2 / 0.375)
    assert "log_ratio/pull" not in sums.scale_of_the_pull(None, a_token=False)
    assert UpdateMetrics().scale_of_the_pull(0.1, a_token=False) == {}


def test_the_pull_counts_what_it_is_multiplied_by():
    shown = _two_responses_under(((0.2, 0.1, 0.3), (-0.4, 0.0)), pull_scales=(0.5, 1.5))
    assert shown.scale_of_the_pull(0.1, False)["log_ratio/sequence"] == pytest.approx(0.5)
    assert shown.scale_of_the_pull(0.1, False)["log_ratio/pull"] == pytest.approx(0.1 * (0.3 + 0.6) / 2 / 0.375)
    assert shown.scale_of_the_pull(0.1, True)["log_ratio/pull"] == pytest.approx(0.1 * (0.1 + 0.3) / 2 / 0.375)


def test_a_response_of_twice_the_length_has_twice_the_pull_unless_it_is_divided_by_its_tokens():
    once, twice = (_two_responses_under(((0.1, 0.2) * n, (0.3,) * n)) for n in (1, 2))
    a, b = (sums.scale_of_the_pull(0.5, a_token=False) for sums in (once, twice))
    assert b["log_ratio/pull"] == pytest.approx(2 * a["log_ratio/pull"])
    assert b["log_ratio/a_token"] == pytest.approx(a["log_ratio/a_token"])


def test_tokens_that_are_not_trained_are_in_no_log_ratio():
    shown = _two_responses_under(((0.2, 5.0), (-0.4, 7.0)), ((1.0, 0.0), (1.0, 0.0))).scale_of_the_pull(1.0, True)
    assert shown["log_ratio/sequence"] == pytest.approx(0.3)
    assert shown["log_ratio/a_token"] == pytest.approx(0.3)
