"""The documentation site: it builds without a warning, and its generated pages say what the code says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from scripts_as_modules import script

ROOT = Path(__file__).parent.parent


def build(checkout: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(out)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    pytest.importorskip("mkdocs")
    return script("scripts/docs/site_pages.py")


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_its_pages_are_there(tmp_path, library):
    library("mkdocs")
    done = build(ROOT, tmp_path / "site")
    assert done.returncode == 0, done.stderr[-3000:]
    pages = {str(path.relative_to(tmp_path / "site")) for path in (tmp_path / "site").rglob("index.html")}
    wanted = {path.stem for path in (ROOT / "docs").glob("*.md")} | {"settings", "api", "contributing"}
    assert {f"{name}/index.html" for name in wanted} <= pages
    assert "results/quickstart/index.html" in pages
    api = (tmp_path / "site" / "api" / "index.html").read_text()
    assert 'id="vlrl.rollout.engine.RolloutEngine"' in api
    assert "One question with a checkable answer." in api
    settings = (tmp_path / "site" / "settings" / "index.html").read_text()
    assert "problems_per_step" in settings
    first = (tmp_path / "site" / "index.html").read_text()
    assert 'href="own_data/"' in first
    assert not re.search(r'(href|src)="docs/', first)


def test_a_link_that_leads_nowhere_ends_a_strict_build(tmp_path, library):
    library("mkdocs")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path / "whole.yml")
    config = yaml.safe_load((tmp_path / "whole.yml").read_text().partition("plugins:")[0])
    validation = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["validation"]
    (tmp_path / "docs").mkdir()
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump({**config, "plugins": [], "validation": validation}))
    (tmp_path / "docs" / "index.md").write_text("# One\n\n[there](other.md#two)\n")
    (tmp_path / "docs" / "other.md").write_text("# Two\n")
    assert build(tmp_path, tmp_path / "site").returncode == 0
    (tmp_path / "docs" / "index.md").write_text("# One\n\n[there](other.md#three)\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    assert "three" in done.stderr


def test_every_page_stands_in_the_navigation_once():
    named = re.findall(r"[\w/]+\.md", (ROOT / "mkdocs.yml").read_text().partition("nav:")[2])
    assert len(named) == len(set(named))
    missing = {path.name for path in (ROOT / "docs").glob("*.md")} - set(named) - {"benchmarks.md"}  # under Results
    assert not missing


def test_settings_are_described_by_the_classes_that_read_them(hooks):
    page = hooks.settings_page()
    assert "| `benchmarks_every` | whole number or null | `null` | RL steps between two askings of both |" in page
    assert re.search(r"^\| `problems` \| whole number \| `400` \|", page, re.MULTILINE)
    assert "### HarnessTasks" in page


@pytest.mark.parametrize(
    ("uri", "written", "shown"),
    [
        ("index.md", "[data](docs/own_data.md#rows)", "[data](own_data.md#rows)"),
        ("index.md", "![seen](docs/rollouts.png)", "![seen](rollouts.png)"),
        ("engines.md", "[all](../README.md)", "[all](index.md)"),
        ("results/domains.md", "[how](../../CONTRIBUTING.md#tests)", "[how](../contributing.md#tests)"),
        ("results/domains.md", "[page](../engines.md)", "[page](../engines.md)"),
        ("engines.md", "[ring](../configs/ring_walk.yaml)", "ring (`configs/ring_walk.yaml`)"),
        ("engines.md", "[`configs/ring_walk.yaml`](../configs/ring_walk.yaml)", "`configs/ring_walk.yaml`"),
        ("engines.md", "[out](https://arxiv.org/abs/1)", "[out](https://arxiv.org/abs/1)"),
        ("engines.md", "```\n[a](../b)\n```", "```\n[a](../b)\n```"),
    ],
)
def test_links_lead_to_pages_of_the_site_or_name_the_file(hooks, uri, written, shown):
    class Page:
        class file:
            src_uri = uri

    assert hooks.on_page_markdown(written, Page, None, None) == shown


def test_lists_of_fields_in_docstrings_are_lists_on_the_site():
    pytest.importorskip("griffe")
    module = script("scripts/docs/field_lists.py")
    told = (
        "One idea.\n\npath, data  where the bytes are:\n            a file\nname        its name\n\nRaises  ValueError."
    )
    assert module.as_list("Two words.  And a sentence.") == "Two words.  And a sentence."
    assert module.as_list(told).split("\n\n")[1] == "- `path, data` where the bytes are:\n  a file\n- `name` its name"
