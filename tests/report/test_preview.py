"""The preview page: all a reader asks of a problem in one small file, drawn in a browser as it should be."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from vlrl.data.inspection.recipe_sample import draw_sample
from vlrl.data.recipe import Recipe, load_recipe
from vlrl.report.preview import embed, write_preview
from vlrl.types import Image

QUICKSTART = Path(__file__).parents[2] / "data_recipes" / "quickstart.yaml"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    recipe = load_recipe(QUICKSTART)
    target = tmp_path_factory.mktemp("page") / "quickstart.html"
    assert write_preview(recipe, "quickstart", draw_sample(recipe, 0, 60), target, 16) == 60
    return target


def test_the_page_holds_images_answers_difficulty_and_tokens_and_reaches_for_nothing_outside(page):
    text = page.read_text()
    assert text.count('<article class="card"') == 60
    assert text.count("data:image/webp;base64,") == 54  # six of the sixty are typed
    assert "48×48 px, 9 tokens" in text
    assert "difficulty 0." in text
    assert not re.findall(r"(?:src|href)=[\"'](?!data:)", text)
    assert "http:" not in text
    assert "https:" not in text


def test_a_rendered_problem_stands_beside_its_own_text(tmp_path):
    recipe = load_recipe(QUICKSTART)
    sample = draw_sample(recipe, 0, 60)
    twins = [item for item in sample.items if item.problem.modality == "rendered"]
    assert twins
    for item in twins:
        assert item.text is not None
        assert item.problem.twin == item.text.id
        assert item.problem.answer == item.text.answer
    target = tmp_path / "page.html"
    write_preview(recipe, "q", sample, target, 16)
    found = re.findall(r'<span class="soft">its text</span><p class="asked">([^<]*)</p>', target.read_text())
    assert sorted(found) == sorted(item.text.question for item in twins)


def test_what_a_row_says_is_shown_as_text_only(tmp_path):
    hostile = '</script><script>document.title="taken"</script>'
    (tmp_path / "rows.jsonl").write_text(json.dumps({"question": hostile, "answer": "1"}) + "\n")
    source = {"name": "rows", "kind": "file", "path": str(tmp_path / "rows.jsonl"), "modality": "text"}
    recipe = Recipe.model_validate({"sources": [{**source, "verifier": "number", "held_out": 0}]})
    write_preview(recipe, "rows", draw_sample(recipe, 0, 5), tmp_path / "page.html", 28)
    text = (tmp_path / "page.html").read_text()
    assert "&lt;/script&gt;" in text
    assert text.count("<script>") == 1


def test_a_system_prompt_of_a_source_is_shown_and_that_there_is_none_too(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"question": "1+1?", "answer": "2"}\n')
    sources = [
        f"- {{name: {name}, kind: file, path: rows.jsonl, modality: text, verifier: number, held_out: 0{more}}}\n"
        for name, more in (
            ("own", ", system_prompt: Think <b>first</b>."),
            ("bare", ', system_prompt: ""'),
            ("run", ""),
        )
    ]
    (tmp_path / "recipe.yaml").write_text("sources:\n" + "".join(sources))
    recipe = load_recipe(tmp_path / "recipe.yaml")
    write_preview(recipe, "systems", draw_sample(recipe, 0, 3), tmp_path / "page.html", 28)
    text = (tmp_path / "page.html").read_text()
    assert text.count("system prompt</span>") == 2
    assert "Think &lt;b&gt;first&lt;/b&gt;." in text
    assert "none, not the run" in text


def test_images_are_reduced_until_all_of_them_fit():
    rng = np.random.default_rng(0)
    images = []
    for _ in range(12):
        buffer = io.BytesIO()
        Pillow.fromarray(rng.integers(0, 255, (300, 400, 3), dtype=np.uint8)).save(buffer, "PNG")
        images.append(Image.from_bytes(buffer.getvalue()))
    for most in (400_000, 60_000):
        found = embed(images, most)
        encoded = [base64.b64decode(one["src"].partition(",")[2]) for one in found.values()]
        assert len(encoded) == 12
        assert sum(map(len, encoded)) <= most
        assert all((one["width"], one["height"]) == (400, 300) for one in found.values())  # its own size is told


@pytest.mark.slow
def test_five_hundred_problems_stay_under_five_megabytes(tmp_path):
    recipe = load_recipe(QUICKSTART.with_name("charts_tables.yaml"))
    target = tmp_path / "page.html"
    assert write_preview(recipe, "charts", draw_sample(recipe, 0, 500), target, 28) == 500
    assert target.stat().st_size < 5_000_000


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_in_a_browser_the_page_is_drawn_in_the_reader_s_colours(dark, page, tmp_path, program):
    shot = tmp_path / "shot.png"
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    size, profile = "--window-size=1000,1200", f"--user-data-dir={tmp_path / 'profile'}"
    command = [program("chromium"), *FLAGS, profile, f"--screenshot={shot}", size, scheme, page.as_uri()]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    pixels = np.asarray(Pillow.open(shot).convert("L"), dtype=np.float64)
    assert (pixels.mean() < 90) if dark else (pixels.mean() > 180)
    assert pixels.std() > 10


@pytest.mark.slow
def test_in_a_browser_a_source_can_be_picked_and_images_are_decoded(page, tmp_path, program):
    script = """<script>
      document.getElementById("source").value = "bars";
      document.getElementById("source").dispatchEvent(new Event("input"));
      const seen = [...document.querySelectorAll(".card")].filter((card) => !card.hidden);
      addEventListener("load", () => {  // images that aren't lazy are there by then
        const images = [...document.images];
        const good = images.filter((image) => image.complete && image.naturalWidth > 0).length;
        document.title = ["seen", seen.length, "decoded", good, "of", images.length].join(" ");
      });</script></body>"""
    inner = tmp_path / "page.html"
    inner.write_text(page.read_text().replace("</body>", script).replace('loading="lazy"', ""))
    flags = ["--dump-dom", f"--user-data-dir={tmp_path / 'profile'}"]
    command = [program("chromium"), *FLAGS, *flags, inner.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    found = re.search(r"<title>seen (\d+) decoded (\d+) of (\d+)</title>", dom)
    assert found, dom[:300]
    assert int(found[1]) == 14  # 22.5 % of sixty, rounded up
    assert found[2] == found[3] == "54"
