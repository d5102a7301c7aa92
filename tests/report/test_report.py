"""report.html and run_card.md from a run folder, finished, unfinished or empty."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests_report_fakes import HOSTILE, write_fake_run

from vlrl.errors import RunError
from vlrl.report.report import write_report
from vlrl.report.run_card import write_run_card
from vlrl.runlog.run_folder import RunFolder


@pytest.fixture(scope="module")
def page(fake_run: Path) -> str:
    return write_report(fake_run).read_text(encoding="utf-8")


def test_the_report_is_one_small_file_that_asks_the_network_for_nothing(fake_run: Path, page: str):
    assert len(page.encode()) < 5_000_000
    addresses = re.findall(r"""(?:src|href)\s*=\s*["']([^"'#][^"']*)""", page.split('id="payload"')[0])
    assert addresses == []
    assert not re.findall(r"url\((?!#)", page)


def test_what_a_model_wrote_never_becomes_markup(page: str):
    assert HOSTILE not in page
    assert page.count("<script") == 2  # the payload and the viewer
    assert page.count("</script") == 2


def test_figures_of_results_json_stand_in_the_page(page: str):
    rows = re.findall(r'<th scope="row">.*?</tr>', page, flags=re.DOTALL)
    real = next(row for row in rows if "</i>real<" in row)
    assert ".350" in real
    assert ".750" in real
    assert "+.400" in real
    assert ".708–.792" in real  # 0.75 ± 1.96·√(0.75·0.25/400)
    average = next(row for row in rows if ">average<" in row)
    assert "1600" in average
    assert ".400" in average  # (.55 + .35 + .40 + .30) / 4
    assert any(">counting<" in row for row in rows)
    assert any("same verdict" in row and ".710" in row for row in rows)


def test_every_curve_that_has_data_is_drawn_and_no_other(fake_run: Path, page: str, tmp_path: Path):
    titles = re.findall(r"<figcaption>([^<]+)", page)
    for title in ("Text", "Rendered", "Reward", "Response length", "Informative groups", "Time per RL step"):
        assert title in [t.strip() for t in titles]
    run = RunFolder(tmp_path / "short", {"seed": 1})
    run.metrics("rl", 1, {"reward/mean": 0.5})
    short = write_report(tmp_path / "short").read_text(encoding="utf-8")
    assert [t.strip() for t in re.findall(r"<figcaption>([^<]+)", short)] == ["Reward"]


def test_what_stayed_at_zero_is_no_chart(tmp_path: Path):
    run = RunFolder(tmp_path, {})
    for step in range(3):
        run.metrics(
            "rl",
            step,
            {"kl/old_policy": 0.0, "finish_reason/stop": 1.0, "finish_reason/repeat": 0.0, "reward/mean": 0.1 * step},
        )
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert [t.strip() for t in re.findall(r"<figcaption>([^<]+)", page)] == ["Reward", "Finish reasons"]
    assert ">repeat<" not in page


def test_a_run_that_has_only_begun_has_a_report(tmp_path: Path):
    RunFolder(tmp_path / "begun", {"seed": 3})
    page = write_report(tmp_path / "begun").read_text(encoding="utf-8")
    assert "running" in page
    assert "written no rollouts" in page


def test_an_interrupted_run_without_results_has_curves_and_rollouts(tmp_path: Path):
    page = write_report(write_fake_run(tmp_path / "cut", finished=False)).read_text(encoding="utf-8")
    assert 'id="viewer"' in page
    assert "Time per RL step" in page
    assert 'id="results"' not in page


def test_a_folder_that_is_no_run_is_refused_with_a_remedy(tmp_path: Path):
    with pytest.raises(RunError, match=r"no run_card\.json"):
        write_report(tmp_path)


def test_a_broken_results_file_is_named(tmp_path: Path):
    RunFolder(tmp_path, {})
    (tmp_path / "results.json").write_text("{\n  oops")
    with pytest.raises(RunError, match=r"results\.json, line 2"):
        write_report(tmp_path)


def test_a_missing_image_does_not_stop_the_report(fake_run: Path, tmp_path: Path):
    copy = tmp_path / "copy"
    shutil.copytree(fake_run, copy)
    images = sorted((copy / "images").iterdir())
    images[0].unlink()
    images[1].write_bytes(b"not an image")
    assert write_report(copy).is_file()


def test_the_same_run_gives_the_same_report(fake_run: Path, page: str):
    assert write_report(fake_run).read_text(encoding="utf-8") == page


def test_the_run_card_states_settings_figures_and_machine(fake_run: Path):
    card = write_run_card(fake_run).read_text(encoding="utf-8")
    assert "- **status**: finished" in card
    assert "vlrl run configs/quickstart.yaml" in card
    assert "| text | 400 | .550 (.501–.599) | .800" in card
    assert "tau: 0.1" in card
    assert "cores" in card
    assert "parameters 630,000" in card


def test_reading_a_run_loads_no_torch():
    code = "import sys, vlrl.report.report, vlrl.report.trackers.tracker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
