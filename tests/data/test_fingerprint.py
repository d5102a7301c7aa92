"""A run's inputs by content: an edit is seen whatever the file system's clock says, and a move is none."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from vlrl.data import fingerprint as module
from vlrl.data.fingerprint import files_of, fingerprint, portable
from vlrl.data.recipe import load_recipe


def write(folder: Path, **more) -> Path:
    """A recipe with rows that name two images, one of them in a nested column, beside an image that none names."""
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(("a.png", "b.png", "unread.png")):
        Image.new("RGB", (32, 32), (number * 40, 9, 9)).save(folder / name)
    rows = [
        {"question": "How many?", "answer": "1", "images": ["a.png"]},
        {"question": "How many now?", "answer": "2", "images": [{"path": "b.png"}]},
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "odd.py").write_text("# a plugin\n")
    recipe = {
        "plugins": ["odd.py"],
        "sources": [{"name": "own", "kind": "file", "path": "rows.jsonl", "modality": "real", "verifier": "number"}],
        **more,
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    return folder / "recipe.yaml"


def taken(recipe: Path, before=None) -> dict:
    return fingerprint(files_of(load_recipe(recipe)), before or {})


def test_tables_plugins_and_the_images_that_rows_name_are_there_and_nothing_else(tmp_path):
    assert set(taken(write(tmp_path))) == {
        "plugin: odd.py",
        "own, path: rows.jsonl",
        "own, image: a.png",
        "own, image: b.png",
    }


@pytest.mark.parametrize("name", ["rows.jsonl", "a.png", "b.png", "odd.py"])
def test_an_edit_of_equal_size_and_time_is_seen(tmp_path, name):
    recipe = write(tmp_path)
    before = taken(recipe)
    file = tmp_path / name
    data, stat = file.read_bytes(), file.stat()
    with open(file, "r+b") as opened:  # the same inode, size and modification time
        opened.seek(len(data) // 2)
        opened.write(bytes([data[len(data) // 2] ^ 1]))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after = taken(recipe, before)
    assert [n for n in after if after[n].digest != before[n].digest] == [n for n in after if n.endswith(name)]


def test_a_folder_that_moves_is_the_same(tmp_path):
    before = load_recipe(write(tmp_path / "here"))
    digests = {name: one.digest for name, one in fingerprint(files_of(before), {}).items()}
    here = portable(before)
    os.rename(tmp_path / "here", tmp_path / "there")
    after = load_recipe(tmp_path / "there" / "recipe.yaml")
    assert {name: one.digest for name, one in fingerprint(files_of(after), {}).items()} == digests
    assert portable(after) == here


def test_a_digest_is_taken_once_where_the_file_system_tells_no_change(tmp_path, monkeypatch):
    recipe = write(tmp_path)
    monkeypatch.setattr(module, "RACE_SECONDS", -1e9)  # files this young are read again otherwise
    before = taken(recipe)
    monkeypatch.setattr(module, "digest_of", lambda *_: pytest.fail("read again"))
    assert taken(recipe, before) == before


def test_a_digest_taken_in_the_moment_of_a_write_is_taken_again(tmp_path):
    recipe = write(tmp_path)
    before = taken(recipe)
    stale = {name: one.__class__(**{**one.__dict__, "digest": "0" * 32}) for name, one in before.items()}
    assert {n: o.digest for n, o in taken(recipe, stale).items()} == {n: o.digest for n, o in before.items()}


def test_images_beyond_the_bound_are_known_by_size_and_three_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WHOLE_BYTES", 0)
    monkeypatch.setattr(module, "EDGE", 8)
    recipe = write(tmp_path)
    before = taken(recipe)
    with open(tmp_path / "a.png", "ab") as file:
        file.write(b"more")
    after = taken(recipe, before)
    assert after["own, image: a.png"].digest != before["own, image: a.png"].digest
    assert after["own, image: b.png"].digest == before["own, image: b.png"].digest


def test_a_folder_of_images_for_a_domain_is_read_whole(tmp_path):
    pool = tmp_path / "pool" / "deep"
    pool.mkdir(parents=True)
    Image.effect_noise((200, 200), 90).save(pool.parent / "x.png")
    Image.effect_noise((200, 200), 90).save(pool / "y.png")
    source = {"name": "turns", "kind": "domain", "domain": {"name": "image_rotation", "images": str(pool.parent)}}
    (tmp_path / "recipe.yaml").write_text(json.dumps({"sources": [source]}))
    assert {name.rpartition(": ")[2] for name in taken(tmp_path / "recipe.yaml")} == {"x.png", "deep/y.png"}
