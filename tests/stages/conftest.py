"""A small run on pictures, as a config file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vlrl.stages.plan as planning


@pytest.fixture
def pictures_config(tmp_path: Path, monkeypatch) -> Path:
    """A run on pictures of 64×48 and 32×32 pixels in turn, of which the budget changes none."""
    monkeypatch.setattr(planning, "TOKENIZER_TEXTS", 40)
    for number, size in enumerate([(48, 64), (32, 32)]):
        pixels = np.random.default_rng(number).integers(0, 255, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    rows = [{"question": f"How many of {n}?", "answer": "1", "images": [f"{n % 2}.png"]} for n in range(12)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "recipe.yaml").write_text(
        "image: {min_pixels: 1024, max_pixels: 3072}\n"
        "sources:\n- {name: own, kind: file, path: rows.jsonl, modality: real, verifier: number, held_out: 0}\n"
    )
    (tmp_path / "run.yaml").write_text(
        f"name: planned\ndata: {tmp_path / 'recipe.yaml'}\nstages: [rl]\nmodel: {{build: tiny-qwen3-vl}}\n"
        f"run_folder: {tmp_path / 'run'}\n"
    )
    return tmp_path / "run.yaml"
