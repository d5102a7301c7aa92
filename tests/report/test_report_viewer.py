"""Which rollouts a report shows, and that they are shown as they are."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from tests_report_fakes import group_of, png, problem_of

import vlrl.report.viewer as viewer
from vlrl.report.viewer import embed_image, script_json, spread, viewer_payload
from vlrl.runlog.run_folder import RunFolder
from vlrl.seeding import stream
from vlrl.types import MODALITIES, Image, Problem, Text


@pytest.fixture(scope="module")
def payload(fake_run: Path) -> dict:
    return viewer_payload(fake_run)


def test_first_and_last_step_are_shown_and_every_modality_of_each(payload: dict):
    steps = [entry["step"] for entry in payload["entries"] if entry["phase"] == "rl"]
    assert steps[0] == 1
    assert steps[-1] == 60
    for entry in payload["entries"]:
        assert {g["modality"] for g in entry["groups"]} == set(MODALITIES)


def test_every_image_of_a_shown_problem_is_embedded_once(payload: dict):
    wanted = {
        piece["image"]
        for entry in payload["entries"]
        for group in entry["groups"]
        for piece in group["prompt"]
        if "image" in piece
    }
    assert wanted == set(payload["images"])


def test_problems_are_taken_in_the_order_of_the_run_not_by_outcome(tmp_path: Path):
    rng = stream(1, "order")
    problems = [problem_of(rng, "synthetic") for _ in range(9)]
    run = RunFolder(tmp_path, {})
    run.rollouts("rl", 1, [group_of(rng, p, 0.5) for p in problems])
    shown = viewer_payload(tmp_path)["entries"][0]["groups"]
    assert [g["id"] for g in shown] == [p.id for p in problems[:4]]


def test_equal_responses_become_one_with_a_count(tmp_path: Path):
    rng = stream(2, "merge")
    group = group_of(rng, problem_of(rng, "text"), 1.0)
    run = RunFolder(tmp_path, {})
    run.rollouts("rl", 1, [group])
    shown = viewer_payload(tmp_path)["entries"][0]["groups"][0]["responses"]
    assert sum(r["count"] for r in shown) == len(group.rollouts)
    assert len(shown) < len(group.rollouts)
    assert {r["text"] for r in shown} == {r.text for r in group.rollouts}


def test_right_responses_stand_first(payload: dict):
    orders = [[r["correct"] for r in g["responses"]] for entry in payload["entries"] for g in entry["groups"]]
    assert any(len(set(order)) == 2 for order in orders)
    assert all(order == sorted(order, reverse=True) for order in orders)


def test_large_images_are_reduced_and_small_ones_kept_as_they_are(tmp_path: Path):
    rng = np.random.default_rng(0)
    noise = PillowImage.fromarray(rng.integers(0, 255, (1200, 800, 3), dtype=np.uint8))
    images = [Image.from_bytes(png(noise)), Image.from_bytes(png(noise.crop((0, 0, 24, 24))))]
    run = RunFolder(tmp_path, {})
    problem = Problem((*images, Text("?")), "1", "number", "real", "noise")
    run.rollouts("rl", 1, [group_of(rng, problem, 0.5)])
    large, small = (embed_image(tmp_path / "images", image.digest) for image in images)
    assert large is not None
    assert small is not None
    opened = PillowImage.open(io.BytesIO(base64.b64decode(large["src"].split(",")[1])))
    assert max(opened.size) == viewer.IMAGE_SIDE
    assert (large["width"], large["height"]) == (800, 1200)  # the image's own size is told
    assert base64.b64decode(small["src"].split(",")[1]) == images[1].read_bytes()


def test_fewer_problems_are_shown_until_the_payload_fits(
    fake_run: Path, payload: dict, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(viewer, "MOST_BYTES", len(json.dumps(payload)) // 2)
    smaller = viewer_payload(fake_run)
    assert len(json.dumps(smaller)) <= viewer.MOST_BYTES
    assert 0 < smaller["shown"] < payload["shown"]
    assert smaller["written"] == payload["written"]


def test_very_long_responses_are_cut_and_say_so(tmp_path: Path):
    rng = stream(3, "long")
    group = group_of(rng, problem_of(rng, "text"), 0.0, k=2)
    record = viewer._shorten("a" * (viewer.MOST_CHARS + 7))
    assert record.endswith("… (7 more characters)")
    assert viewer._shorten(group.rollouts[0].text) == group.rollouts[0].text


def test_json_in_a_script_element_can_not_end_it():
    hostile = {"a": "</script><!-- & \u2028"}
    text = script_json(hostile)
    assert not set(text) & set("<>&\u2028")
    assert json.loads(text) == hostile


def test_spread_keeps_both_ends():
    assert spread([1, 2, 3], 5) == [1, 2, 3]
    chosen = spread(range(100), 7)
    assert (chosen[0], chosen[-1], len(chosen)) == (0, 99, 7)
