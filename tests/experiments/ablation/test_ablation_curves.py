"""What runs wrote while they learned: tokens spent, curves over them, accuracy over length."""

from __future__ import annotations

import json

import pytest

from vlrl.experiments.ablation.ablation_curves import curve_of, slopes_of, spent_by_step


def run(folder, points, contrast=0.0):
    """Steps with tokens written, validation accuracy and length after them."""
    folder.mkdir()
    lines = []
    for step, (tokens, accuracy, length) in enumerate(points, 1):
        more = {"tokens/contrast": contrast} if contrast else {}
        lines.append({"schema": 2, "phase": "rl", "step": step, "tokens/written": tokens, **more})
        lines.append({"schema": 2, "phase": "eval", "step": step, "accuracy/mean": accuracy, "length/mean": length})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_tokens_for_contrast_are_spent_too(tmp_path):
    folder = run(tmp_path / "run", [(10.0, 0.2, 5.0), (30.0, 0.6, 7.0)], contrast=20.0)
    assert spent_by_step(folder) == {1: 30.0, 2: 50.0}
    assert curve_of(folder, "accuracy/mean").tolist() == [[30 / 80, 0.2], [1.0, 0.6]]


def test_the_slope_is_the_least_squares_line_through_the_validations(tmp_path):
    line = run(tmp_path / "line", [(1.0, 0.2, 5.0), (1.0, 0.4, 7.0), (1.0, 0.6, 9.0)])
    bent = run(tmp_path / "bent", [(1.0, 0.0, 1.0), (1.0, 0.3, 2.0), (1.0, 0.0, 3.0), (1.0, 0.5, 4.0)])
    still = run(tmp_path / "still", [(1.0, 0.2, 5.0), (1.0, 0.4, 5.0)])
    # by hand: lengths off their mean −1.5 −.5 .5 1.5; Σ off·accuracy = −.15 + .75 = .6; Σ off² = 5
    assert slopes_of([line, bent, still]) == [pytest.approx(0.1), pytest.approx(0.12)]
