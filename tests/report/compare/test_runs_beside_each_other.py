"""Runs beside each other: what differs is shown with its interval; what models wrote stays text."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests_report_fakes import HOSTILE
from typer.testing import CliRunner

from vlrl.cli import app
from vlrl.errors import ConfigError
from vlrl.report.compare.compare_page import shown_responses
from vlrl.report.compare.compared import curve, differing, open_runs, paired_gains, shared_problems


@pytest.fixture(scope="module")
def two(fake_run: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A run and a copy of it with another rate, which answers 30 of its 100 test problems better."""
    place = tmp_path_factory.mktemp("compare")
    first, second = place / "first", place / "second"
    for folder in (first, second):
        shutil.copytree(fake_run, folder)
        better = folder == second
        (folder / "run.yaml").write_text(f"name: x\nseed: 7\nrl: {{lr: {2 if better else 1}, loss: {{name: kimi}}}}\n")
        rows = [{"id": f"p{k}", "sampled": {"correct": [k < 20 or (better and k < 50)]}} for k in range(100)]
        (folder / "answers_rl.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"id": "half')
    return [first, second]


def test_settings_that_differ_are_named_and_equal_ones_are_not(two):
    assert differing(open_runs(two)) == [("rl.lr", ("1", "2"))]


def test_the_same_problems_give_a_paired_difference_by_hand(two):
    (gain,) = paired_gains(open_runs(two))
    assert (gain.problems, gain.before, gain.after) == (100, 0.2, 0.5)
    assert gain.mean == pytest.approx(0.3)
    assert 0.2 < gain.interval.low < 0.3 < gain.interval.high < 0.4  # 1.96 · √(.3 · .7 / 100) = .09


def test_a_curve_has_the_interval_of_its_steps(two):
    held = curve(open_runs(two)[0], "rl", "accuracy/mean")
    assert held is not None
    assert len(held.steps) == 20
    assert held.steps[0] == 2.0  # of steps 1, 2, 3
    assert np.all(held.low < held.values)
    assert np.all(held.values < held.high)


def test_problems_that_runs_answer_differently_stand_first(two):
    shown, count = shared_problems(open_runs(two), 5)
    assert len(shown) == 5 <= count
    spreads = [one.spread for one in shown]
    assert spreads == sorted(spreads, reverse=True)
    assert all(len(one.groups) == 2 for one in shown)


def test_no_verdict_is_hidden_behind_another_and_equal_responses_are_one_with_a_count():
    right = {"text": "4", "correct": True, "fault": None, "reward": 1.0, "tokens": 2, "finish_reason": "stop"}
    wrong, broken = right | {"text": "5", "correct": False, "reward": 0.0}, right | {"text": "6", "fault": "number: x"}
    others = [right | {"text": f"{n} = 4"} for n in "abc"]
    shown = shown_responses([*others, right, right, wrong, broken])
    assert [one["verdict"] for one in shown] == ["✓ right × 2", "✗ wrong", "! fault"]
    assert [one["text"] for one in shown] == ["4", "5", "6"]
    assert shown[1]["note"] == "reward +0.00, 2 tokens, stop"
    assert [one["verdict"] for one in shown_responses([wrong, *others])] == ["✓ right", "✗ wrong", "✓ right"]


def test_the_command_prints_tables_and_writes_a_page_without_scripts(two, tmp_path):
    page = tmp_path / "pages" / "both.html"
    called = CliRunner().invoke(app, ["compare", *map(str, two), "--out", str(page)], env={"COLUMNS": "200"})
    assert called.exit_code == 0, called.output
    assert "rl.lr" in called.output
    assert "+0.300" in called.output
    text = page.read_text()
    assert "<script" not in text
    assert HOSTILE not in text
    assert text.count("<figure>") >= 6
    assert "How many dots" in text


@pytest.mark.parametrize("count", [1, 9])
def test_too_few_and_too_many_runs_are_refused(two, count):
    with pytest.raises(ConfigError, match="runs were named"):
        open_runs([two[0]] * count)
    with pytest.raises(ConfigError, match="twice"):
        open_runs([two[0], two[0] / "."])
