"""Images of a run folder: written again with their rollouts, refused where nobody has their bytes, told where gone."""

from __future__ import annotations

import io

import pytest
from PIL import Image as Pillow

from vlrl.errors import RunError
from vlrl.runlog.run_folder import RunFolder
from vlrl.types import Group, Image, Problem, Rollout, ScoredGroup, Segment, Text, Verdict


@pytest.fixture
def group():
    data = io.BytesIO()
    Pillow.new("RGB", (8, 8), "red").save(data, "PNG")
    problem = Problem((Image.from_bytes(data.getvalue()), Text("?")), "7", "number", "synthetic", "tests")
    return ScoredGroup.of(Group(problem, (Rollout((Segment((1,), (-1.0,), 0),), "x", "stop"),)), (Verdict(1.0, True),))


@pytest.fixture
def kept(tmp_path, group):
    """The image's file, after a step that was noted."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "notes.txt").write_text("mine")
    RunFolder(tmp_path, {}).rollouts("rl", 1, [group])
    (image,) = group.problem.images
    return tmp_path / "images" / f"{image.digest}.png"


@pytest.mark.parametrize("left", [0, 20])
def test_a_damaged_image_is_written_again_with_its_rollouts_and_else_refused(tmp_path, group, kept, left):
    whole = kept.read_bytes()
    kept.write_bytes(whole[:left])
    again = RunFolder(tmp_path, {})
    with pytest.raises(
        RunError, match=rf"{kept.name}: is damaged \({left} bytes\)(.|\n)*put back a copy, or remove it"
    ):
        again.refuse_lost_images()
    again.refuse_lost_images(["sft"])  # lines of a stage to come are written again
    assert kept.stat().st_size == left
    again.truncate_after("rl", 0)
    again.refuse_lost_images()
    again.rollouts("rl", 1, [group])
    assert kept.read_bytes() == whole
    assert (tmp_path / "images" / "notes.txt").is_file()


def test_an_image_that_is_gone_is_told(tmp_path, kept):
    kept.unlink()
    said: list[str] = []
    RunFolder(tmp_path, {}, say=said.append).refuse_lost_images()
    assert said == [f"{tmp_path / 'images' / kept.stem} is gone: the report shows its rollouts without it"]
