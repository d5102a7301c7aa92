"""Images of every public problem set reach the model: three real steps of configs/rl/real_images.yaml."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from vlrl.model.vision.image_encoding import VisionTower
from vlrl.training.run import start_run

ROOT = Path(__file__).parents[2]
WITH_IMAGES = {"blood_cells", "playing_cards", "puzzlevqa", "receipts_sroie", "tabmwp", "dynamath"}


@pytest.mark.real_data
@pytest.mark.slow
def test_three_steps_on_real_images_show_the_model_images_of_every_set(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    tokens: dict[str, int] = {}
    own_look = VisionTower.encode_images

    def look(tower, images):
        images = list(images)
        tokens.update(
            {image.digest.partition("@")[0]: image.grid[0] * image.grid[1] * image.grid[2] // 4 for image in images}
        )
        return own_look(tower, images)

    monkeypatch.setattr(VisionTower, "encode_images", look)
    overrides = [f"run_folder={tmp_path / 'run'}", "rl.steps=3", "rl.log_groups=14", "rl.updates_per_step=1"]
    start_run(Path("configs/rl/real_images.yaml"), [*overrides, "eval.problems=7", "eval.curve_problems=4"])

    rollouts = [json.loads(line) for line in (tmp_path / "run" / "rollouts.jsonl").read_text().splitlines()]
    by_source: dict[str, list[int]] = defaultdict(list)
    for group in rollouts:
        shown_images = [piece["image"] for piece in group["problem"]["prompt"] if "image" in piece]
        by_source[group["problem"]["source"]] += [tokens[digest] for digest in shown_images]
        assert bool(shown_images) == (group["problem"]["source"] in WITH_IMAGES)
    assert {source: len(seen) for source, seen in by_source.items()} == {**dict.fromkeys(WITH_IMAGES, 6), "gsm8k": 0}
    assert all(4 <= count <= 64 for seen in by_source.values() for count in seen)

    steps = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    trained = [step for step in steps if step["phase"] == "rl"]
    assert [step["step"] for step in trained] == [1, 2, 3]
    assert all(step["groups/drawn"] == 14 and step["updates"] == 1 for step in trained)
    assert all(step["logprob_gap/max"] < 1e-4 for step in trained)  # the engine read the same images as the trainer
