"""What small runs share: what takes their time and isn't looked at is left out; a small run on images as a file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vlrl.plan.plan as planning
from vlrl.report.figures import svg_charts
from vlrl.training.session import open_session


@pytest.fixture(autouse=True, scope="module")
def tokenizer_from_few_texts() -> Iterator[None]:
    """4,000 problems are drawn, with their images, for the tokenizer of a model that is built: most of a small run."""
    with pytest.MonkeyPatch.context() as patched:
        for module in (open_session, planning):
            patched.setattr(module, "TOKENIZER_TEXTS", 200)
        yield


@pytest.fixture(autouse=True, scope="module")
def charts_are_not_drawn() -> Iterator[None]:
    """A report has its parts. To draw charts is the other half of a small run, and tests/report looks at them."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(svg_charts, "_finish", lambda figure, name: f'<svg class="chart" id="{name}"></svg>')
        yield


@pytest.fixture(autouse=True, scope="module")
def nobody_waits_for_the_disk() -> Iterator[None]:
    """What is written must survive a kill here, and no power cut."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture
def images_config(tmp_path: Path) -> Path:
    """A run on images of 64×48 and 32×32 pixels in turn, of which the budget changes none."""
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
