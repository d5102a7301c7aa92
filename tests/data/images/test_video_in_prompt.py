"""Rows with a video file: frames with written seconds, one budget for all, bad files by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vlrl.data.images.open_images import BadImageError, open_image
from vlrl.data.images.perturbation import in_another_order
from vlrl.data.images.video_frames import frames_of
from vlrl.data.images.video_in_prompt import with_video
from vlrl.data.inspection.recipe_sample import draw_sample
from vlrl.data.inspection.recipe_stats import recipe_stats
from vlrl.data.problem_files import read_problems, write_problem_file
from vlrl.data.recipe import Recipe
from vlrl.data.rows.row_to_problem import RowReader
from vlrl.data.source_settings import FileSourceSettings
from vlrl.data.sources import build_sources
from vlrl.errors import BadRowError, ConfigError, DataError
from vlrl.runlog.codecs import problem_from, problem_state
from vlrl.types import Image, Text

SECONDS, RATE = 4, 5


def grey(image: Image) -> float:
    """Mean brightness in [0, 255]."""
    return float(np.asarray(open_image(image)).mean())


def write_video(file: Path, levels: list[int], width: int = 64, height: int = 48) -> Path:
    """A video of one frame a level of grey, RATE a second."""
    import av

    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for level in levels:
            array = np.full((height, width, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
        container.mux(stream.encode())
    return file


@pytest.fixture(scope="module")
def folder(library, tmp_path_factory):
    library("av")
    place = tmp_path_factory.mktemp("videos")
    write_video(place / "ramp.mp4", [10 * n for n in range(SECONDS * RATE)])  # brightness 50 a second
    write_video(place / "still.mp4", [100] * RATE)
    (place / "cut.mp4").write_bytes((place / "ramp.mp4").read_bytes()[:300])
    (place / "text.mp4").write_text("no video")
    return place


def source(folder: Path, rows: list[dict], **settings) -> FileSourceSettings:
    table = folder / "rows.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    known = {"name": "clips", "path": str(table), "modality": "real", "verifier": "text", "columns": {"video": "clip"}}
    return FileSourceSettings(**{**known, **settings})


def read(folder: Path, row: dict, **settings):
    return RowReader(source(folder, [row], **settings), folder).problem(row, "row 1")[0]


ROW = {"question": "Does it get brighter?", "answer": "yes", "clip": "ramp.mp4"}


def test_frames_stand_behind_their_seconds_at_the_middles_of_equal_parts(folder):
    problem = read(folder, ROW, video={"frames": 4})
    assert [p.text if isinstance(p, Text) else "I" for p in problem.prompt] == [
        *("<0.5 seconds>", "I", "<1.5 seconds>", "I", "<2.5 seconds>", "I", "<3.5 seconds>", "I"),
        "Does it get brighter?",
    ]
    assert [image.second for image in problem.images] == [0.5, 1.5, 2.5, 3.5]
    # frame 2 is on screen from 0.4 to 0.6 seconds, frame 7 from 1.4 to 1.6 …
    assert [grey(image) for image in problem.images] == pytest.approx([20, 70, 120, 170], abs=4)
    assert read(folder, ROW, video={"frames": 4}).id == problem.id


def test_frames_stand_where_the_question_says_video(folder):
    problem = read(folder, {**ROW, "question": "Look: <video> Does it?"}, video={"frames": 1})
    assert [p.text if isinstance(p, Text) else "I" for p in problem.prompt] == [
        "Look: ",
        "<2.0 seconds>",
        "I",
        " Does it?",
    ]
    with pytest.raises(BadRowError, match="2 × <video> and one video"):
        read(folder, {**ROW, "question": "<video> or <video>?"})
    with pytest.raises(DataError, match="videos and recordings are not read"):
        read(folder, {**ROW, "question": "Look: <video> Does it?"}, columns={"ignored": ("clip",)})


def test_more_frames_than_the_video_has_repeat_the_nearest_and_all_share_one_budget(folder):
    problem = read(folder, ROW, video={"frames": 40, "max_pixels": 40 * 300})
    sizes = {open_image(image).size for image in problem.images}
    assert len(problem.images) == 40
    assert all(width * height <= 300 for width, height in sizes)
    shades = [grey(image) for image in problem.images]
    assert shades == sorted(shades)
    assert len({image.digest for image in problem.images}) <= SECONDS * RATE


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gone.mp4", "can't be read: No such file"),
        ("cut.mp4", "is not a readable video"),
        ("text.mp4", "is not a readable video"),
        ("rows.jsonl", "is not a readable video"),
    ],
)
def test_a_file_that_is_gone_or_damaged_is_refused_by_name(folder, name, said):
    with pytest.raises(BadImageError, match=said) as refused:
        read(folder, {**ROW, "clip": name})
    assert name in str(refused.value)
    assert "row 1" in str(refused.value)


def test_a_file_that_changes_is_read_again(folder):
    file = write_video(folder / "changing.mp4", [0] * RATE)
    before = frames_of(str(file), 1, 10_000, "here")
    write_video(file, [200] * 3 * RATE)
    assert grey(frames_of(str(file), 1, 10_000, "here")[0]) > grey(before[0]) + 100
    file.unlink()
    with pytest.raises(BadImageError, match="No such file"):
        frames_of(str(file), 1, 10_000, "here")


@pytest.mark.parametrize("cell", [None, "", 7, {"frames": [1]}, "https://example.org/a.mp4"])
def test_a_cell_that_names_no_file_is_refused(folder, cell):
    with pytest.raises(BadRowError, match=r"row 1, clip"):
        read(folder, {**ROW, "clip": cell})


def test_a_source_of_videos_is_parted_by_files_counted_and_written_down(folder, tmp_path):
    names = [write_video(folder / f"v{n}.mp4", [12 * n] * RATE).name for n in range(12)]
    rows = [{**ROW, "question": f"Brighter, {n}?", "clip": name} for n in range(2) for name in names]
    chosen = {"video": {"frames": 4}, "held_out": 0.4, "max_bad_golds_rate": 1.0}
    (clips,) = build_sources(Recipe(sources=(source(folder, rows, **chosen),)), 0)
    sides = [
        {clips.item(split, i)[0].images[0].digest for i in range(clips.size_of(split))} for split in ("train", "test")
    ]
    assert not sides[0] & sides[1]
    rows.append({**ROW, "clip": "text.mp4"})
    recipe = Recipe(sources=(source(folder, rows, on_bad_image="skip", **chosen),))
    (clips,) = build_sources(recipe, 0)
    assert clips.reports["train"].left_out.total() == 1
    found = recipe_stats(recipe, draw_sample(recipe, 0, 4), 28)["sources"]["clips"]
    assert found["frames"] == {"videos": found["n"], "mean": 4.0}
    problem = read(folder, ROW, video={"frames": 3})
    write_problem_file(tmp_path / "set.jsonl", [problem])
    for again in (read_problems(tmp_path / "set.jsonl")[0], problem_from(problem_state(problem))):
        assert again.id == problem.id
        assert [image.second for image in again.images] == [image.second for image in problem.images]


def test_settings_that_do_not_go_together_are_refused(folder):
    rows = [ROW]
    for settings, said in (
        ({"modality": "text"}, "the modality is 'text'"),
        ({"layout": "chat"}, "beside layout 'chat'"),
        ({"columns": {}, "video": {"frames": 2}}, "is missing, beside `video`"),
    ):
        with pytest.raises(ConfigError, match=said):
            source(folder, rows, **settings)
    with pytest.raises(ConfigError, match=r"video\.max_pixels.*500 pixels a frame, below image\.min_pixels 784"):
        Recipe(sources=(source(folder, rows, video={"frames": 2, "max_pixels": 1000}),))


def test_without_pyav_a_recipe_with_videos_is_refused_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"columns\.video: 'av' is not installed\n.*pip install"):
        source(tmp_path, [ROW])


def test_another_order_keeps_question_and_seconds_and_moves_frames_alone(folder):
    problem = read(folder, {**ROW, "question": "<video>?"}, video={"frames": 4})
    for seed in range(5):
        other = in_another_order(problem, np.random.default_rng(seed))
        assert [p for p in other.prompt if isinstance(p, Text)] == [p for p in problem.prompt if isinstance(p, Text)]
        assert [image.second for image in other.images] == [image.second for image in problem.images]
        assert [image.digest for image in other.images] != [image.digest for image in problem.images]
        assert sorted(image.digest for image in other.images) == sorted(image.digest for image in problem.images)
    still = read(folder, {**ROW, "clip": "still.mp4"}, video={"frames": 4})
    assert (
        len({image.digest for image in still.images}) > 1 or in_another_order(still, np.random.default_rng(0)) is None
    )
    no_video = with_video([Text("a"), Image.from_bytes(b"1"), Image.from_bytes(b"2")], None, None, "here")
    assert in_another_order(type(problem)(no_video, "a", "text", "real", "x"), np.random.default_rng(0)) is None
