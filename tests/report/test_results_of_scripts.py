"""Pages of scripts and commands: each is what they make of the results beside it, or says that none were kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scripts_as_modules import script

from vlrl.experiments.long2short import long2short_page
from vlrl.experiments.long2short.long2short_page import read_findings

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
        assert {"arms", "page", "answers", "table_of"} & json.loads(file.read_bytes()).keys(), file
        assert file.stat().st_size < 1_000_000


def holds_its_results(page):
    """Whether a page whose results lie beside it is made of them; pages of ablations have a test of their own."""
    results = json.loads(page.with_suffix(".json").read_bytes())
    if "answers" in results:
        return page.read_text() == long2short_page.page_of(read_findings(page.with_suffix(".json")))[0]
    if "table_of" in results:
        return script(f"scripts/results/{results['table_of']}.py").table(results["runs"]) in page.read_text()
    return True


def test_a_page_is_made_of_the_results_beside_it_or_says_that_none_were_kept():
    for page in (ROOT / "docs/results").glob("*.md"):
        kept = page.with_suffix(".json").exists()
        assert ("**Raw results were not kept**" in page.read_text()) != kept, page
        assert not kept or holds_its_results(page), page


def arm(correct, agreement, chance, kappa):
    row = {"sampled": correct, "greedy": correct}
    twins = {"consistency": agreement, "consistency_by_chance": chance, "consistency_kappa": kappa}
    return {
        **dict.fromkeys(("text", "real", "synthetic", "rendered", "average"), row),
        "domains": {"arithmetic": row},
        **{key: {"sampled": value} for key, value in twins.items()},
    }


def test_the_quickstarts_table_puts_agreement_beside_chance_and_is_found_in_its_page(tmp_path):
    runs = [
        {
            "seed": seed,
            "sft_rate": 0.006,
            "seconds": {"rl": 200.0},
            "start": arm(0.5, 0.6, 0.5, 0.2),
            "sft": arm(0.5, 0.6, 0.5, 0.2),
            "further": arm(0.6, 0.6, 0.52, None),
            "rl": arm(0.9 + seed / 1000, 0.84 + seed / 100, 0.82, kappa),
        }
        for seed, kappa in ((1, 0.1), (3, None))
    ]
    text = script("scripts/results/quickstart.py").table(runs)
    assert "| after warm-up | 0.600 | 0.500 | 0.200 |" in text
    assert "| further warm-up | 0.600 | 0.520 | none (0 of 2 seeds) |" in text
    assert "| after RL | 0.860 | 0.820 | 0.100 (1 of 2 seeds) |" in text
    page = tmp_path / "quickstart.md"
    page.with_suffix(".json").write_text(json.dumps({"table_of": "quickstart", "runs": runs}))
    page.write_text(f"# Learning\n\n{text}\n\nHow to read it")
    assert holds_its_results(page)
    page.write_text(page.read_text().replace("0.860", "0.870"))
    assert not holds_its_results(page)


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.stem)
def test_a_published_page_is_what_its_script_makes_of_its_results(file):
    assert file.with_suffix(".md").read_text() == page_of(RESULTS[file])


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.stem)
def test_one_figure_more_gives_another_page(file):
    changed = json.loads(json.dumps(RESULTS[file]), parse_float=lambda text: float(text) * 0.9)
    assert page_of(changed) != file.with_suffix(".md").read_text()
