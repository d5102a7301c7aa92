"""The tables of published ablations say what their own figures by seed give."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from vlrl.evaluation.scores import holm, t_interval, t_test
from vlrl.report.ablation import HOLM

PAGES = sorted(
    page for page in (Path(__file__).parent.parent / "docs/results").glob("*.md") if "vlrl ablate" in page.read_text()
)
ROW = re.compile(
    r"\| (?P<arm>[\w. ]+) \| [^|]+ \| (?P<seeds>[^|]+) \| (?P<mean>[+-][\d.]+) \| (?P<low>\S+) … (?P<high>\S+) \| "
    r"(?P<low2>\S+) … (?P<high2>\S+) \| (?P<p>[^|]+) \| (?P<verdict>[^|]+) \|"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_command_of_a_page_has_its_seeds(page):
    text = page.read_text()
    command = re.search(r"Made by `vlrl ablate (\S+)(.*?)`", text)
    stated = [int(one) for one in re.search(r"seeds? \(([\d, ]+)\)", text)[1].split(", ")]
    asked = re.search(r"--seeds (\d+)", command[2])
    config = yaml.safe_load((Path(__file__).parent.parent / command[1]).read_text())
    assert stated == (list(range(1, int(asked[1]) + 1)) if asked else config["seeds"])


def exact(page: Path, outcome: str) -> dict[str, np.ndarray]:
    """By arm: the means by seed, unrounded, where the page's results lie beside it."""
    beside = page.with_suffix(".json")
    if not beside.exists():
        return {}
    results = json.loads(beside.read_text())
    arms = {
        **results["outcomes"][outcome],
        **({"before RL": results["before"][outcome]} if outcome in results["before"] else {}),
    }
    return {arm: np.array([np.mean(values) for values in seeds]) for arm, seeds in arms.items()}


def rows_of(page: Path) -> dict[tuple[str, str], tuple[re.Match[str], np.ndarray]]:
    """By outcome and arm: the row and its differences from the reference by seed."""
    found = {}
    for section in page.read_text().split("\n## ")[1:]:
        name, lines = section.split("\n", 1)
        head = re.search(r"\| by seed \| − (\w+) \|", lines)
        if head is None:
            continue
        table = lines[head.start() :].split("\n\n")[0]
        values = {
            match[1]: np.array([float(one) for one in match[2].split(", ")])
            for match in re.finditer(r"^\| ([\w. ]+) \| [\d.]+ \| ([\d., ]+) \|", table, flags=re.M)
        }
        measured = exact(page, name)
        for arm, rounded in values.items():
            if arm in measured:
                assert rounded == pytest.approx(measured[arm], abs=0.051 if name in ("tokens", "length") else 0.00051)
        values |= measured
        for match in ROW.finditer(lines):
            found[name, match["arm"]] = (match, values[match["arm"]] - values[head[1]])
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_states_what_its_figures_by_seed_give(page):
    rows = rows_of(page)
    assert rows
    adjusted = holm({key: t_test(gaps) for key, (_, gaps) in rows.items()})
    assert HOLM.format(len(rows)) in page.read_text()
    for key, (row, gaps) in rows.items():
        rounding = 0.6 if abs(float(row["mean"])) >= 10 else 0.15 if "length" in key or "tokens" in key else 0.0025
        assert float(row["mean"]) == pytest.approx(gaps.mean(), abs=rounding)
        low, high = t_interval(gaps)
        assert (float(row["low"]), float(row["high"])) == pytest.approx((low, high), abs=2.5 * rounding)
        stated = 0.0005 if row["p"].startswith("<") else float(row["p"])
        assert stated == pytest.approx(adjusted[key], abs=max(0.001, 0.15 * adjusted[key])), key
        outside = (low > 0 and float(row["low2"]) > 0) or (high < 0 and float(row["high2"]) < 0)
        shown = stated < 0.05 and outside
        assert row["verdict"] == (("higher" if gaps.mean() > 0 else "lower") if shown else "no difference shown"), key


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_pair_with_the_reference_is_shown_in_the_matrix_where_it_is_shown_in_its_row(page):
    """Of pages that are made of their results; the others say that theirs is not corrected."""
    text = page.read_text()
    if not page.with_suffix(".json").exists():
        assert ("row − column" in text) == ("is of a single comparison" in text)
        return
    for section in text.split("\n## ")[1:]:
        head = re.search(r"\| by seed \| − (\w+) \|", section)
        if head is None or "| row − column" not in section:
            continue
        verdicts = {m["arm"]: m["verdict"].strip() for m in ROW.finditer(section)}
        table = section.split("| row − column |")[1].split("\n\n")[0]
        names, _, *rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines()]
        column = names.index(head[1]) + 1
        for row in rows:
            if row[0] in verdicts:
                shown = "(not shown)" not in row[column]
                assert shown == (verdicts[row[0]] in ("higher", "lower")), row[0]


@pytest.mark.parametrize("page", [p for p in PAGES if p.with_suffix(".json").exists()], ids=lambda page: page.stem)
def test_a_page_that_is_made_of_its_results_names_the_commit(page):
    assert re.search(r"measured \d{4}-\d\d-\d\d at [0-9a-f]{7}[.,]", page.read_text())


def test_agreement_on_the_mixtures_page_stands_beside_what_its_accuracies_give_by_chance():
    text = (PAGES[0].parent / "mixture.md").read_text()

    def by_seed(section: str, arm: str) -> np.ndarray:
        part = text.split(f"\n## {section}\n")[1].split("\n## ")[0]
        return np.array(
            [float(one) for one in re.search(rf"^\| {arm} \| [\d.]+ \| ([\d., ]+) \|", part, re.M)[1].split(", ")]
        )

    table = text.split("| arm | agreement | by chance |")[1].split("\n\n")[0].splitlines()[2:]
    assert len(table) == 3
    for line in table:
        arm, *figures, each = [cell.strip() for cell in line.strip("|").split("|")]
        same, p, q = (by_seed(section, arm) for section in ("agreement", "text", "images"))
        chance = p * q + (1 - p) * (1 - q)
        of_means = (same.mean() - chance.mean()) / (1 - chance.mean())
        assert [float(one) for one in figures] == pytest.approx([same.mean(), chance.mean(), of_means], abs=6e-4)
        assert [float(one) for one in each.split(", ")] == pytest.approx((same - chance) / (1 - chance), abs=6e-4)
