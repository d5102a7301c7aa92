"""A page can be made again from the results beside it: of a report made here, and of every one that is published."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vlrl.report.ablation import AblationReport, ablation_page
from vlrl.report.ablation_results import differences, read_results, write_results

FOLDER = Path(__file__).parents[2] / "docs" / "results"
PUBLISHED = sorted(file for file in FOLDER.glob("*.json") if "arms" in json.loads(file.read_bytes()))


def made() -> AblationReport:
    rng = np.random.default_rng(3)
    rows = {arm: [rng.integers(0, 9, 30) / 8 for _ in range(3)] for arm in ("a", "b", "c")}
    outcomes, before = {"accuracy": rows}, {"accuracy": [rng.integers(0, 9, 30) / 8 for _ in range(3)]}
    return AblationReport(
        title="Tau",
        command="vlrl ablate tau.yaml",
        expected="nothing",
        measured="2026-01-02",
        seeds=[1, 2, 3],
        reference="a",
        arms={"a": "nothing", "b": "`x=1`", "c": "`x=2`"},
        budgets={"a": 100, "b": 100, "c": None},
        spent={"a": [100.0, 101.0, 99.0], "b": [100.0] * 3, "c": [7.0] * 3},
        rates={"a": 0.1, "b": 0.2, "c": None},
        swept={"a": {0.1: 0.7, 0.2: 0.6}, "b": {0.1: 0.5, 0.2: 0.6}},
        sweep_seeds=[900],
        outcomes=outcomes,
        before=before,
        matrices=differences("tau", outcomes, before, "a"),
        figures={"a curve": "tau.svg"},
    )


def test_what_is_read_back_gives_the_same_page(tmp_path):
    write_results("tau", made(), tmp_path / "tau.json")
    assert ablation_page(read_results(tmp_path / "tau.json")) == ablation_page(made())


def test_one_verdict_more_gives_another_page(tmp_path):
    write_results("tau", made(), tmp_path / "tau.json")
    changed = (tmp_path / "tau.json").read_text().replace("0.125", "0.25", 1)
    (tmp_path / "tau.json").write_text(changed)
    assert ablation_page(read_results(tmp_path / "tau.json")) != ablation_page(made())


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: file.stem)
def test_a_published_page_is_what_its_results_give(file):
    assert file.with_suffix(".md").read_text() == ablation_page(read_results(file))
