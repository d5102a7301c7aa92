"""How long a report of many rollouts takes to write, and headless Chromium to open it, to filter and to show twins.

    python scripts/bench/report_viewer.py                 # 5,000 rollouts
    python scripts/bench/report_viewer.py --shots FOLDER  # and screenshots: desktop, phone, dark

Times in the browser are from the start of the navigation, and of one change each, on the machine as it is.
"""

from __future__ import annotations

import argparse
import html
import io
import json
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from vlrl.report.report import write_report
from vlrl.runlog.run_folder import RunFolder
from vlrl.types import Group, Image, Problem, Rollout, ScoredGroup, Segment, Text, Verdict

K, STEPS = 8, 25
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
MEASURED = """
const timed = (change) => {
  const at = performance.now();
  change();
  document.body.offsetHeight;
  return performance.now() - at;
};
document.body.offsetHeight;
const found = { open: performance.now(), cards: document.querySelectorAll("article.group").length };
const beside = [...document.querySelectorAll("#viewer select")].at(-1);
const set = (control, value, kind) => () => { control.value = value; control.dispatchEvent(new Event(kind)); };
found.search = timed(set(document.querySelector("#viewer input[type=search]"), "17", "input"));
timed(set(document.querySelector("#viewer input[type=search]"), "", "input"));
found.twins = timed(set(beside, "twin", "change"));
const dots = (row) => [...row.querySelectorAll(".dot")].map((dot) => dot.className);
found.pairs = [...document.querySelectorAll(".pair")].map(dots);
document.title = JSON.stringify(found);
"""


def drawn(text: str) -> Image:
    """A text as an image."""
    image = Pillow.new("RGB", (220, 40), "white")
    ImageDraw.Draw(image).text((8, 12), text, fill="black")
    data = io.BytesIO()
    image.save(data, "PNG")
    return Image.from_bytes(data.getvalue())


def group(rng: np.random.Generator, problem: Problem) -> ScoredGroup:
    """k responses of some 200 characters to a problem, half of them right."""
    rollouts, verdicts = [], []
    for _ in range(K):
        right = bool(rng.random() < 0.5)
        answer = problem.answer if right else str(int(problem.answer) + 1)
        text = f"<think>{'carry the one and go on, ' * int(rng.integers(5, 12))}</think><answer>{answer}</answer>"
        rollouts.append(Rollout((Segment(tuple(range(60)), (-0.5,) * 60, 3),), text, "stop"))
        verdicts.append(Verdict.right(answer) if right else Verdict.wrong("not the number", answer))
    rewards = tuple(verdict.score for verdict in verdicts)
    mean = sum(rewards) / K
    scored = ScoredGroup.of(Group(problem, tuple(rollouts)), verdicts)
    parts = {"score": rewards}
    return replace(scored, rewards=rewards, advantages=tuple(r - mean for r in rewards), reward_parts=parts)


def write_run(folder: Path, rollouts: int) -> int:
    """Text problems and their drawn twins, as many of each, over STEPS steps; returns the number of rollouts."""
    run, rng = RunFolder(folder, {"seed": 0}), np.random.default_rng(0)
    per_step = -(-rollouts // (STEPS * K * 2))  # pairs; no fewer than asked for
    for step in range(1, STEPS + 1):
        run.metrics("rl", step, {"reward/mean": 0.5, "accuracy/text": 0.5, "accuracy/rendered": 0.5})
        groups = []
        for _ in range(per_step):
            a, b = (int(n) for n in rng.integers(10, 99, 2))
            said = f"What is {a} + {b}?"
            text = Problem((Text(said),), str(a + b), "number", "text", "sums")
            image = Problem((drawn(said),), str(a + b), "number", "rendered", "sums", twin=text.id)
            groups += [group(rng, text), group(rng, image)]
        run.rollouts("rl", step, groups)
    run.finish("finished")
    return STEPS * per_step * 2 * K


def browse(page: Path, profile: Path, *flags: str) -> str:
    """What Chromium prints for a page. Raises CalledProcessError."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or "chromium"
    command = [chromium, *FLAGS, f"--user-data-dir={profile}", *flags, page.resolve().as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rollouts", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--shots", type=Path, help="a folder for screenshots")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run, profile = Path(folder) / "run", Path(folder) / "profile"
        rollouts = write_run(run, arguments.rollouts)
        started = time.perf_counter()
        page = write_report(run)
        written = time.perf_counter() - started
        text = page.read_text(encoding="utf-8")
        measured = page.with_name("measured.html")
        measured.write_text(text.replace("</body>", f"<script>{MEASURED}</script></body>"), encoding="utf-8")
        found = []
        for _ in range(arguments.repeats):
            title = re.search(r"<title>(.*?)</title>", browse(measured, profile, "--dump-dom"))
            assert title is not None
            found.append(json.loads(html.unescape(title[1])))
        pairs = [pair for one in found for pair in one["pairs"]]
        assert pairs
        assert all({*pair} == {"dot text", "dot rendered"} for pair in pairs)
        print("| rollouts | page MB | written s | opened s | search ms | twins ms |")
        print("|---|---|---|---|---|---|")
        least = {name: min(one[name] for one in found) for name in ("open", "search", "twins")}
        print(
            f"| {rollouts:,} | {len(text) / 1e6:.2f} | {written:.1f} | {least['open'] / 1e3:.2f} "
            f"| {least['search']:.0f} | {least['twins']:.0f} |"
        )
        if arguments.shots is not None:
            arguments.shots.mkdir(parents=True, exist_ok=True)
            twins = page.with_name("twins.html")
            twins.write_text(f"<script>location.replace('{page.name}#rollouts?beside=twin')</script>", encoding="utf-8")
            for name, flags in (
                ("desktop", ["--window-size=1100,1400"]),
                ("phone", ["--window-size=500,1600"]),
                ("dark", ["--window-size=1100,1400", "--blink-settings=preferredColorScheme=0"]),
            ):
                shot = f"--screenshot={(arguments.shots / f'{name}.png').resolve()}"
                browse(twins, profile, shot, "--allow-file-access-from-files", "--virtual-time-budget=3000", *flags)


if __name__ == "__main__":
    main()
