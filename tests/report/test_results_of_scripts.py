"""Pages that a script of scripts/results/ made: each is what its script makes of the results beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scripts_as_modules import script

ROOT = Path(__file__).parents[2]
RESULTS = {
    file: json.loads(file.read_bytes())
    for file in sorted((ROOT / "docs/results").glob("*.json"))
    if "page" in json.loads(file.read_bytes())
}


def page_of(results):
    return script(f"scripts/results/{results['page']}.py").page(results)


def test_every_file_of_results_says_what_makes_its_page():
    for file in (ROOT / "docs/results").glob("*.json"):
        assert {"arms", "page"} & json.loads(file.read_bytes()).keys(), file
        assert file.stat().st_size < 1_000_000


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.stem)
def test_a_published_page_is_what_its_script_makes_of_its_results(file):
    assert file.with_suffix(".md").read_text() == page_of(RESULTS[file])


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.stem)
def test_one_figure_more_gives_another_page(file):
    changed = json.loads(json.dumps(RESULTS[file]), parse_float=lambda text: float(text) * 0.9)
    assert page_of(changed) != file.with_suffix(".md").read_text()
