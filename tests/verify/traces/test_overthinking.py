"""Metrics of overthinking, by hand on traces."""

from __future__ import annotations

import pytest

import vlrl.verify  # noqa: F401  (files the verifiers)
from vlrl.types import Problem, Text, Verdict
from vlrl.verify.judge import judge
from vlrl.verify.traces.overthinking import TraceSettings, overthinking, overthinking_metrics

PROBLEM = Problem((Text("How many are left?"),), "7", "number", "text", "sums")


def read(response, **settings):
    return overthinking(PROBLEM, response, judge(PROBLEM, response), TraceSettings(**settings))


def test_what_stands_behind_the_earliest_right_answer_is_a_share_of_the_trace():
    response = "<think>So 7.\nMore.</think><answer>7</answer>"  # the trace has 18 characters, 12 of them up to "So 7."
    found = read(response)
    assert found.behind == pytest.approx(1 - 12 / 18)
    assert found.efficiency == pytest.approx(12 / len(response))
    assert found.first_right


def test_a_trace_that_ends_with_its_right_answer_has_nothing_behind_it():
    for response in ("<think>More.\nSo 7.</think><answer>7</answer>", "<answer>7</answer>", "7"):
        assert (read(response).behind, read(response).efficiency) == (0.0, 1.0)


def test_a_wrong_response_has_no_share_and_a_right_first_answer_all_the_same():
    found = read("<think>The answer is 7.\nNo, I take 6.</think><answer>6</answer>")
    assert (found.behind, found.efficiency, found.first_right) == (None, 0.0, True)
    assert not read("<think>The answer is 6.\nNo, rather 7.</think><answer>7</answer>").first_right
    assert not read("<answer>6</answer>").first_right


def test_metrics_are_means_and_faults_are_in_none():
    texts = ["<think>So 7.\nMore.</think><answer>7</answer>", "<answer>7</answer>", "<answer>6</answer>"]
    judged = [(PROBLEM, text, judge(PROBLEM, text)) for text in texts]
    metrics = overthinking_metrics([*judged, (PROBLEM, "7", Verdict.broken("down"))], TraceSettings())
    assert metrics["overthinking/behind_rate"] == pytest.approx((6 / 18) / 2)
    assert metrics["overthinking/outcome_efficiency"] == pytest.approx((12 / len(texts[0]) + 1) / 3)
    assert metrics["overthinking/first_answer_accuracy"] == pytest.approx(2 / 3)
    assert overthinking_metrics([], TraceSettings()) == {}
    assert "overthinking/behind_rate" not in overthinking_metrics(judged[2:], TraceSettings())
