"""`vlrl data`: domains with their files, figures of a recipe, a page of its problems."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner

from vlrl.cli import app
from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.inspection.recipe_stats import image_tokens
from vlrl.errors import ConfigError
from vlrl.scenes.domain import domains

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["data", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_every_domain_is_listed_with_a_file_that_is_there():
    found = json.loads(run("domains", "--json", "--plugin", str(ROOT / "examples/traffic_lights_domain.py")))
    by_name = {row["name"]: row for row in found}
    assert set(by_name) == set(domains)
    assert by_name["clock"]["verifier"] == "time"
    assert by_name["clock"]["family"] == "gauges"
    assert by_name["traffic_lights"]["file"] == "examples/traffic_lights_domain.py"
    for row in found:
        assert (ROOT / row["file"]).is_file()
        assert row["about"]
    assert "clock" in run("domains")


def test_the_figures_of_a_small_set_are_those_counted_by_hand(tmp_path):
    rows = [("How many?", "1"), ("How many?", "2"), ("Which one is it?", "1"), ("Which one is it?", "1")]
    (tmp_path / "rows.jsonl").write_text(
        "".join(json.dumps({"question": q, "answer": a, "response": "x" * 7}) + "\n" for q, a in rows)
    )
    source = (
        f"path: {tmp_path}/rows.jsonl, modality: text, verifier: number, held_out: 0, columns: {{response: response}}"
    )
    (tmp_path / "mine.yaml").write_text(f"sources:\n  - {{name: rows, kind: file, {source}}}\n")
    found = json.loads(run("stats", str(tmp_path / "mine.yaml"), "--json", "--count", "10"))
    assert found["problems"] == 4  # all there are
    held = found["sources"]["rows"]
    assert (held["rows"], held["asked"], held["n"]) == (4, 10, 4)
    assert held["text_tokens"] == 4.0  # 9 and 16 characters: 3 and 5 tokens of 3.5
    assert held["response_tokens"] == 2.0
    assert held["answers"]["most_frequent"][0] == {"answer": "1", "share": 0.75}
    assert held["difficulty"] is None
    assert found["tokens"]["text_share"] == pytest.approx(16 / 24)
    assert found["tokens"]["response_share"] == pytest.approx(8 / 24)
    assert found["repeats"] == {"problems": 1, "prompts_with_another_answer": 1, "images": 0}


def test_the_quickstart_s_figures_add_up():
    recipe = str(ROOT / "data_recipes/quickstart.yaml")
    found = json.loads(run("stats", recipe, "--json", "--count", "80", "--token-side", "16"))
    assert sum(row["share"] for row in found["sources"].values()) == pytest.approx(1)
    assert sum(row["n"] for row in found["modalities"].values()) == found["problems"] == 80
    shares = found["tokens"]
    assert shares["text_share"] + shares["image_share"] + shares["response_share"] == pytest.approx(1)
    assert [row["tokens"] for row in found["images"]] == [9.0]  # 48 px, 16 px to a token
    assert sum(found["sources"]["bars"]["difficulty"]["counts"]) == found["sources"]["bars"]["n"]
    assert "quick" not in run("stats", recipe, "--count", "20")


def test_the_preview_writes_the_page_it_names(tmp_path):
    page = tmp_path / "deep" / "page.html"
    printed = run("preview", str(ROOT / "data_recipes/quickstart.yaml"), "--open", str(page), "--count", "20")
    assert page.is_file()
    assert "20 problems" in printed


def test_a_wrong_recipe_is_the_usual_error(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        run("preview", str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    ("size", "side", "tokens"),
    [((448, 448), 28, 256), ((448, 448), 32, 196), ((10, 10), 28, 4), ((2000, 1000), 28, 1250)],
)
def test_tokens_of_a_image_by_hand(size, side, tokens):
    # (10, 10) is enlarged to 56×56 = 3,136 pixels; 2000×1000 reduced to 1,400 × 700 = 980,000: 50 × 25
    budget = ImageBudget(min_pixels=3136, max_pixels=980_000)
    assert image_tokens(*size, budget, side) == tokens


def test_the_figures_say_what_all_rows_of_files_hold_and_what_is_wrong_with_some(tmp_path):
    good = [{"question": f"{i} + 1?", "answer": str(i + 1), "note": "x"} for i in range(6)]
    with_options = {"question": "Which?", "choices": ["4", "5"], "answer": "4"}
    rows = [*good, with_options, {"question": "no answer"}, {"question": "?", "answer": "one or two"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = f"path: {tmp_path}/rows.jsonl, modality: text, verifier: number, held_out: 0, on_bad_row: skip"
    (tmp_path / "mine.yaml").write_text(f"sources:\n  - {{name: rows, kind: file, {source}}}\n")
    found = json.loads(run("stats", str(tmp_path / "mine.yaml"), "--json"))["sources"]["rows"]
    table = found["tables"]["train"]
    assert (table["rows"], table["read"], table["images"], table["golds_accepted"]) == (9, 8, 0, 7)
    assert (table["options"], table["rows_with_options"]) == (2, 1)
    assert sum(table["left_out"].values()) == 1
    assert table["bad_golds"][0]["place"].endswith("rows.jsonl, line 9")
    assert table["unused_columns"] == ["note"]
    assert found["n"] == 7
    printed = run("stats", str(tmp_path / "mine.yaml"))
    assert "rowsjsonlline9" in "".join(c for c in printed if c.isalnum())  # a table folds long lines
    assert "golds accepted" in printed


def test_stats_and_preview_count_images(tmp_path):
    for i in range(3):
        Pillow.new("RGB", (8, 8), (i, 0, 0)).save(tmp_path / f"{i}.png")
    rows = [
        {"question": "?", "answer": "1", "images": ["0.png", "1.png"]},
        {"question": "?", "answer": "2", "image": "2.png"},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = f"path: {tmp_path}/rows.jsonl, modality: real, verifier: number, held_out: 0"
    (tmp_path / "mine.yaml").write_text(f"sources:\n  - {{name: rows, kind: file, {source}}}\n")
    found = json.loads(run("stats", str(tmp_path / "mine.yaml"), "--json"))["sources"]["rows"]
    assert found["images"] == found["tables"]["train"]["images"] == 3
    page = tmp_path / "page.html"
    assert "2 problems with 3 images" in run("preview", str(tmp_path / "mine.yaml"), "--open", str(page))
    assert "2 problems with 3 images" in page.read_text()
