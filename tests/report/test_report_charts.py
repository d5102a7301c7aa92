"""Curves: what is drawn, and that colours and labels survive on their way into the page."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from vlrl.report.figures.metric_charts import accuracy_charts, final_figures, time_charts
from vlrl.report.figures.svg_charts import COLOURS, Line, line_chart
from vlrl.report.read_run import bin_means, read_run, rolling_mean
from vlrl.runlog.run_folder import RunFolder


def test_rolling_mean_by_hand():
    assert rolling_mean(np.array([1.0, 2.0, 6.0, 7.0]), 3).tolist() == [1.5, 3.0, 5.0, 6.5]
    assert rolling_mean(np.array([1.0, 4.0]), 1).tolist() == [1.0, 4.0]


def test_binning_keeps_the_mean():
    steps, values = bin_means(np.arange(1000.0), np.linspace(0, 1, 1000), 100)
    assert len(steps) == len(values) == 100
    assert values.mean() == pytest.approx(0.5)


def test_lines_without_a_number_are_left_out_of_a_series(tmp_path: Path):
    run = RunFolder(tmp_path, {})
    run.metrics("rl", 1, {"reward/mean": 0.5})
    run.metrics("rl", 2, {"reward/mean": float("nan")})
    run.metrics("rl", 3, {})
    run.metrics("sft", 4, {"reward/mean": 0.9})
    steps, values = read_run(tmp_path).series("rl", "reward/mean")
    assert (steps.tolist(), values.tolist()) == ([1.0], [0.5])


def test_drawings_use_the_colours_of_the_page():
    drawn = line_chart("c", [Line("a", np.arange(3.0), np.arange(3.0), "real")])
    assert "var(--real)" in drawn
    assert not [colour for colour in COLOURS.values() if colour in drawn]


def test_labels_of_an_axis_are_not_rounded():
    drawn = line_chart("c", [Line("a", np.arange(5.0), np.linspace(0, 0.012, 5))])
    labels = re.findall(r"<text[^>]*>([^<]+)</text>", drawn)
    assert "0.0125" in labels or "0.009" in labels or "0.003" in labels, labels


def test_two_drawings_in_one_page_share_no_id():
    drawings = [line_chart(n, [Line("a", np.arange(3.0), np.arange(3.0))]) for n in ("one", "two")]
    clip_paths = [set(re.findall(r'clipPath id="([^"]+)"', d)) for d in drawings]
    assert clip_paths[0]
    assert not clip_paths[0] & clip_paths[1]


def test_words_of_a_run_can_not_become_markup_in_a_drawing():
    drawn = line_chart("c", [Line(f"<script>{i}$x$", np.arange(3.0), np.arange(3.0)) for i in range(2)])
    assert "<script" not in drawn
    assert "&lt;script" in drawn


def test_the_ends_of_the_accuracy_curve_are_the_figures_of_results_json(fake_run: Path):
    run = read_run(fake_run)
    assert [chart.title for chart in accuracy_charts(run)] == [
        "Text",
        "Real",
        "Synthetic",
        "Rendered",
        "All modalities",
    ]
    assert final_figures(run, "sft")["average"]["sampled"] == pytest.approx(0.40)
    assert final_figures(run, "rl")["average"]["n"] == 1600


def test_time_that_no_part_claims_is_drawn_as_rest(fake_run: Path):
    drawn = time_charts(read_run(fake_run))[0].svg
    for part in ("draw", "rollout", "judge", "update", "rest"):
        assert f">{part}</text>" in drawn
