"""The report in a real browser: it draws, its script runs, what a model wrote does not."""

from __future__ import annotations

import html
import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from tests_report_fakes import group_of, problem_of

from vlrl.report.report import write_report
from vlrl.runlog.run_folder import RunFolder
from vlrl.seeding import stream

pytestmark = pytest.mark.slow
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]


@pytest.fixture(scope="module")
def browse(program: Callable[[str], str]) -> Callable[..., str]:
    chromium = program("chromium")

    def run(page: Path, profile: Path, *flags: str) -> str:
        command = [chromium, *FLAGS, f"--user-data-dir={profile}", *flags, page.resolve().as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout

    return run


def test_the_viewer_shows_images_questions_and_verdicts(fake_run: Path, tmp_path: Path, browse: Callable[..., str]):
    dom = browse(write_report(fake_run), tmp_path / "profile", "--dump-dom")
    assert dom.count('<article class="group">') >= 8  # both steps
    assert 'class="tiny"' in dom
    assert "How many dots?" in dom
    assert "✓ right" in dom
    assert "✗ wrong" in dom
    assert "early: step 1<" in dom
    assert "late: step 60<" in dom
    assert re.search(r"<title>quickstart · vlrl report</title>", dom)  # hostile responses try to change it
    assert "&lt;/script&gt;&lt;script&gt;" in dom


ADDED = """
const key = (k) => document.dispatchEvent(new KeyboardEvent("keydown", {key: k, bubbles: true}));
key("j"); key("j"); key("k"); key("[");
key("j");
document.title = JSON.stringify({hash: location.hash, cards: document.querySelectorAll("article.group").length,
  current: document.querySelectorAll(".pair.current").length,
  texts: [...document.querySelectorAll(".facts")].map((e) => e.textContent)});
"""


TWINS = """
const select = [...document.querySelectorAll("#viewer select")].at(-1);
const shown = select.parentElement.style.display;
select.value = "twin";
select.dispatchEvent(new Event("change"));
const dots = (row) => [...row.querySelectorAll(".dot")].map((dot) => dot.className);
const pairs = [...document.querySelectorAll(".pair")].map(dots);
document.title = JSON.stringify({ shown, hash: location.hash, pairs });
"""


def test_a_text_problem_stands_beside_its_drawn_twin(tmp_path: Path, browse: Callable[..., str]):
    rng, run = stream(1, "twins"), RunFolder(tmp_path / "run", {})
    text = problem_of(rng, "text")
    drawn = replace(problem_of(rng, "rendered"), twin=text.id)
    run.rollouts("rl", 1, [group_of(rng, one, 0.5) for one in (text, drawn, problem_of(rng, "text"))])
    run.rollouts("rl", 2, [group_of(rng, one, 0.5) for one in (drawn, problem_of(rng, "real"), text)])
    page = write_report(tmp_path / "run")
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", f"<script>{TWINS}</script></body>"))
    dom = browse(page, tmp_path / "profile", "--dump-dom")
    found = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", dom)[1]))
    assert found["pairs"] == [["dot text", "dot rendered"]]
    assert "beside=twin" in found["hash"]
    assert found["shown"] == ""


def test_an_address_keeps_filters_and_keys_move(fake_run: Path, tmp_path: Path, browse: Callable[..., str]):
    page = tmp_path / "page.html"
    text = write_report(fake_run).read_text(encoding="utf-8")
    page.write_text(text.replace("</body>", f"<script>{ADDED}</script></body>"), encoding="utf-8")
    frame = tmp_path / "frame.html"
    chosen = "page.html#rollouts?modality=real&search=HOW+dots&early=5&late=60"
    frame.write_text(f"<script>location.replace('{chosen}')</script>")
    dom = browse(
        frame, tmp_path / "profile", "--dump-dom", "--allow-file-access-from-files", "--virtual-time-budget=3000"
    )
    found = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", dom)[1]))
    assert found["current"] == 1
    assert found["cards"] > 0
    assert all("real" in text for text in found["texts"])
    assert "modality=real" in found["hash"]
    assert "search=HOW+dots" in found["hash"]
    assert "early=5" in found["hash"]
    assert "late=55" in found["hash"]  # one step back by the key


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_follows_the_reader_s_colours(dark: bool, fake_run: Path, tmp_path: Path, browse: Callable[..., str]):
    shot = tmp_path / "shot.png"
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    browse(write_report(fake_run), tmp_path / "profile", f"--screenshot={shot}", "--window-size=1000,1400", scheme)
    pixels = np.asarray(PillowImage.open(shot).convert("L"), dtype=np.float64)
    assert (pixels.mean() < 70) if dark else (pixels.mean() > 200)
    assert pixels.std() > 10  # something is drawn


def test_a_narrow_screen_needs_no_sideways_scrolling(fake_run: Path, tmp_path: Path, browse: Callable[..., str]):
    page = write_report(fake_run).read_text(encoding="utf-8")
    measure = "<script>document.title = 'wide ' + document.documentElement.scrollWidth</script></body>"
    (tmp_path / "inner.html").write_text(page.replace("</body>", measure), encoding="utf-8")
    frame = tmp_path / "frame.html"
    tell = "setTimeout(() => document.title = f.contentDocument.title, 500)"
    frame.write_text(f'<iframe id="f" src="inner.html" width="400" height="800" onload="{tell}"></iframe>')
    flags = ("--allow-file-access-from-files", "--virtual-time-budget=4000")
    dom = browse(frame, tmp_path / "profile", "--dump-dom", *flags)
    found = re.search(r"<title>wide (\d+)</title>", dom)
    assert found, dom[:500]
    assert int(found[1]) <= 400
