"""Metrics of a step: prompt tokens by kind, and the agreement of text problems with their rendered twins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from small_models import ask, encode, pixels

from vlrl.model.batch.example import Example
from vlrl.runlog.run_folder import read_jsonl
from vlrl.training.monitoring.rollout_metrics import (
    example_metrics,
    group_diagnostics,
    group_metrics,
    prompt_metrics,
)
from vlrl.training.run import start_run
from vlrl.types import Group, Problem, Rollout, ScoredGroup, Segment, Text, Verdict

SHAPE = {
    "text_width": 32, "text_layers": 2, "head_size": 16, "key_value_heads": 1, "mlp_width": 48, "vision_width": 32,
    "vision_layers": 2, "vision_heads": 2, "vocabulary": 300, "context": 400,
}  # fmt: skip


def test_prompt_tokens_by_kind_by_hand(qwen3):
    prompts = encode(qwen3, ask("3+4=?"), ask(pixels(1), "How many?"), ask(pixels(2, 64, 32), pixels(1), "blue"))
    found = prompt_metrics(prompts)
    assert found["tokens/image"] == 4 + (8 + 4)  # 16 pixels a token on each side: 2×2, 4×2 and 2×2
    assert found["tokens/text"] == sum(p.num_tokens for p in prompts) - 16


def test_every_validation_tells_how_far_text_and_rendered_twins_agree(tmp_path):
    style = {"name": "cells", "cell": 16, "size": 48}
    sums = {"name": "sums", "kind": "domain", "domain": {"name": "arithmetic", "operations": "+-", "terms": [3, 4]}}
    (tmp_path / "recipe.yaml").write_text(
        yaml.safe_dump({"sources": [sums, {"name": "drawn", "kind": "rendered", "of": "sums", "style": style}]})
    )
    settings = {
        "name": "twins",
        "run_folder": str(tmp_path / "run"),
        "data": str(tmp_path / "recipe.yaml"),
        "stages": ["rl"],
        "model": {"build": "tiny-qwen3-vl", "shape": SHAPE},
        "rl": {"steps": 1, "problems_per_step": 2, "rollouts_per_problem": 2, "sampling": {"max_tokens": 3}},
        "eval": {"problems": 1, "curve_problems": 3, "sampling": {"max_tokens": 3}},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(settings))
    run = start_run(Path(tmp_path / "run.yaml"), [])
    lines = list(read_jsonl(run / "metrics.jsonl"))
    (validated,) = [line for line in lines if line["phase"] == "eval"]
    assert validated["consistency/text_rendered"] == 1.0  # random weights are wrong on both
    assert validated["consistency/by_chance"] == 1.0  # as two accuracies of 0 say already
    assert "consistency/kappa" not in validated
    assert (validated["twins/text"], validated["twins/rendered"]) == (0.0, 0.0)
    assert set(validated) >= {"accuracy/text", "accuracy/rendered", "accuracy/mean"}
    assert validated["accuracy/mean"] == 0.0  # and agreement is no part of the average
    (step,) = [line for line in lines if line["phase"] == "rl"]
    assert step["tokens/image"] == 9  # one rendered problem of 48 pixels
    assert "Same question as text and as image" in (run / "report.html").read_text()


def scored(outcomes, lengths):
    rollouts = tuple(Rollout((Segment((1,) * n, (-1.0,) * n, 0),), "x", "stop") for n in lengths)
    verdicts = tuple(Verdict.broken("no") if o is None else Verdict(float(o), bool(o)) for o in outcomes)
    problem = Problem((Text("?"),), "7", "number", "text", "tests")
    return ScoredGroup.of(Group(problem, rollouts), verdicts)


def test_diagnostics_of_groups_by_hand():
    """Right ones of 2 and 4 tokens, wrong ones of 6 and 8: the correlation is −2/√5. A fault doesn't count."""
    groups = [scored([1, 1, 0, 0, None], [2, 4, 6, 8, 999]), scored([0, 0, 0, 0], [5, 5, 5, 5])]
    found = group_diagnostics(groups)
    assert found["groups/zero_variance_rate"] == 0.5
    assert found["accuracy/pass_at_2"] == pytest.approx((1 - 1 / 6) / 2)
    assert found["accuracy/pass_at_4"] == 0.5
    assert found["length/correct_correlation"] == pytest.approx(-2 / 5**0.5)


def test_the_correlation_is_within_groups():
    """Hard problems are long, easy ones short; within each, the longer response is the right one."""
    groups = [scored([0, 1], [100, 102]), scored([0, 1], [4, 6])]
    assert group_diagnostics(groups)["length/correct_correlation"] == pytest.approx(1.0)
    assert "length/correct_correlation" not in group_diagnostics([scored([1, 1], [3, 5])])


def test_a_response_without_a_token_of_weight_is_untrained():
    """Of a group of three the second has only older segments; the group without weights trains both."""
    weighed = Example(None, ((1, 2), (3,), (4, 5)), (1.0, 0.0, -1.0), token_weights=((0.0, 0.5), (0.0,), (1.0, 1.0)))
    plain = Example(None, ((6,), (7,)), (1.0, -1.0))
    assert example_metrics([weighed, plain])["responses/untrained_rate"] == pytest.approx(1 / 5)
    assert example_metrics([plain])["responses/untrained_rate"] == 0.0
    assert example_metrics([weighed, plain])["tokens/trained"] == 3 + 2
    assert example_metrics([]) == {"tokens/trained": 0.0}


def test_a_response_that_could_not_be_judged_is_in_no_mean_of_rewards():
    found = group_metrics([replace(scored([True, None], [3, 3]), rewards=(1.0, 0.0))])
    assert (found["reward/mean"], found["verdicts/fault_rate"]) == (1.0, 0.5)
    assert "reward/mean" not in group_metrics([scored([None, None], [3, 3])])
