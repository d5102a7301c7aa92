"""Images of a user's own for the puzzles, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vlrl.errors import ConfigError, DataError
from vlrl.scenes.domain import domains, draw_problem, with_split
from vlrl.scenes.image_pool import _pool, crop
from vlrl.seeding import stream

PUZZLES = ["image_rotation", "jigsaw", "patch_place", "odd_transform", "frame_order"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("images")
    rng = stream(0, "pictures")
    for i in range(16):
        coarse = Image.fromarray(rng.integers(0, 256, size=(7, 9, 3), dtype=np.uint8))
        coarse.resize((360, 280), Image.Resampling.BICUBIC).save(where / f"{i}.png")
    (where / "notes.txt").write_text("not an image")
    return where


@pytest.mark.parametrize("name", PUZZLES)
def test_every_puzzle_takes_a_folder_and_keeps_its_parts_apart(name, folder):
    made = domains.build({"name": name, "images": str(folder)})
    for split in ("train", "held_out"):
        problem, _ = draw_problem(with_split(made, split), stream(0, "x"), 0.5)
        assert problem.images
    train, held_out = ({p.tobytes() for p in _pool(str(folder), s)} for s in ("train", "held_out"))
    assert train
    assert held_out
    assert not train & held_out
    assert len(train | held_out) == 16


def test_scenes_of_other_domains_can_be_puzzles():
    made = domains.build({"name": "image_rotation", "images": "scenes"})
    shown = [
        {i.digest for i in draw_problem(with_split(made, s), stream(0, "x"), 0.5)[0].images}
        for s in ("train", "held_out")
    ]
    assert not shown[0] & shown[1]


def test_a_crop_has_detail_in_every_quarter():
    for i in range(20):
        cut = crop(stream(1, i), "photographs", "train", 96).astype(float).mean(axis=2)
        assert min(cut[r : r + 48, c : c + 48].std() for r in (0, 48) for c in (0, 48)) > 8


def test_a_missing_or_empty_folder_is_refused_with_its_place(tmp_path):
    for where in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(ConfigError, match="images"):
            domains.build({"name": "jigsaw", "images": str(where)})


def test_images_without_detail_and_broken_files_are_named(tmp_path):
    for i in range(8):
        Image.new("RGB", (100, 100), (i, i, i)).save(tmp_path / f"{i}.png")
    with pytest.raises(DataError, match="detail"):
        crop(stream(0, "x"), str(tmp_path), "train", 64)
    broken = tmp_path / "more"
    broken.mkdir()
    for i in range(8):
        (broken / f"{i}.png").write_bytes(b"\x89PNG" + bytes([i]))
    with pytest.raises(DataError, match=r"\.png"):
        crop(stream(0, "x"), str(broken), "train", 64)
