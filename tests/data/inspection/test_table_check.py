"""A table is read whole when its source is opened: golds, images, rows that it shares with a held-out table."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest
from PIL import Image as Pillow

from vlrl.data.fixed_sets import held_out_problems
from vlrl.data.inspection import gold_checks
from vlrl.data.mixture import Mixture
from vlrl.data.recipe import Recipe
from vlrl.data.source_settings import FileSourceSettings
from vlrl.data.tables.row_source import RowSource
from vlrl.errors import DataError
from vlrl.types import Problem, Text, Verdict
from vlrl.verify.judge import verifier


@pytest.fixture(autouse=True)
def no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(gold_checks, "_memory", lambda: tmp_path / "golds.txt")
    monkeypatch.setattr(gold_checks, "_known", {})
    monkeypatch.setattr(gold_checks, "_read", set())


def image(shade: int) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (8, 8), (shade, 0, 0)).save(buffer, format="PNG")
    return buffer.getvalue()


def write(path: Path, rows: list[dict]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def source(folder: Path, rows: list[dict], **more) -> RowSource:
    made = {"name": "rows", "path": write(folder / "rows.jsonl", rows), "modality": "text", "verifier": "number"}
    return RowSource(FileSourceSettings(**{**made, "held_out": 0.0, **more}))


def sums(count: int, **wrong: str) -> list[dict]:
    return [{"question": f"{i} + 1?", "answer": wrong.get(f"at{i}", str(i + 1))} for i in range(count)]


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        (sums(8, at5="VII?"), {}, r"1 of 8 golds.*rows\.jsonl, line 6"),
        ([{"question": "?", "choices": ["red", "blue"], "answer": "green"}], {"verifier": "choice"}, "none of the opt"),
        ([{"question": "?", "choices": ["red", "blue"], "answer": "C"}], {"verifier": "choice"}, "line 1"),
        ([{"question": "?", "choices": ["red", "blue"], "answer": "A,B"}], {"verifier": "choice"}, "line 1"),
        ([{"question": "?", "choices": ["red", "blue"], "answer": "VII"}], {"verifier": "choice"}, "line 1"),
        ([{"question": "?", "answer": "[1, 2]"}], {"verifier": "box"}, "1 of 1 golds"),
    ],
)
def test_golds_that_nobody_could_earn_are_found_before_anything_is_drawn(tmp_path, rows, settings, message):
    with pytest.raises(DataError, match=message):
        source(tmp_path, rows, **settings)


def test_a_few_bad_golds_are_named_and_left_out_for_good(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        held = source(tmp_path, sums(200, at7="seven and eight"))
    assert "1 of 200 golds" in caplog.text
    assert "line 8" in caplog.text
    assert list(held.reports["train"].bad_golds) == [7]
    made = {"name": "rows", "kind": "file", "path": str(tmp_path / "rows.jsonl"), "modality": "text"}
    mixture = Mixture(Recipe.model_validate({"sources": [{**made, "verifier": "number", "held_out": 0.0}]}), 0)
    assert "seven and eight" not in {problem.answer for problem in mixture.draw(400)}
    assert mixture.counts["bad_rows"]["rows"] == 2  # once an epoch


def test_the_bound_on_bad_golds_is_a_setting_and_follows_that_of_rows_to_skip(tmp_path):
    rows = sums(20, at7="seven or eight", at9="nine?")
    with pytest.raises(DataError, match="2 of 20 golds"):
        source(tmp_path, rows)
    assert source(tmp_path, rows, max_bad_golds_rate=0.1).size == 20
    assert source(tmp_path, rows, on_bad_row="skip").size == 20


def test_a_gold_is_asked_once_and_a_right_one_never_again_on_this_host(tmp_path, monkeypatch):
    asked: list[str] = []

    def counting(problem: Problem) -> str | None:
        asked.append(problem.answer)
        return "odd" if problem.answer == "3" else None

    monkeypatch.setattr(gold_checks, "gold_problem", counting)
    problems = [Problem((Text("?"),), str(i % 5), "number", "text", "d") for i in range(100)]
    faults = gold_checks.gold_faults(problems)
    assert [fault is not None for fault in faults] == [i % 5 == 3 for i in range(100)]
    assert sorted(asked) == ["0", "1", "2", "3", "4"]
    monkeypatch.setattr(gold_checks, "_known", {})
    monkeypatch.setattr(gold_checks, "_read", set())
    assert gold_checks.gold_faults(problems) == faults
    assert asked[5:] == ["3"]  # only right ones are remembered


def test_a_verifier_of_the_users_own_is_asked_in_every_process(tmp_path, monkeypatch):
    @verifier("users_own")
    def users_own(problem: Problem, response: str) -> Verdict:
        return Verdict.right()

    problem = Problem((Text("?"),), "1", "users_own", "text", "d")
    assert gold_checks.gold_faults([problem]) == [None]
    assert not (tmp_path / "golds.txt").exists()


def test_a_source_of_images_whose_rows_have_none_is_an_error(tmp_path):
    for modality in ("real", "synthetic", "rendered"):
        with pytest.raises(DataError, match=f"line 1: has no image.*'{modality}'"):
            source(tmp_path, sums(3), modality=modality)
    (tmp_path / "a.png").write_bytes(image(9))
    rows = [*sums(3), {"question": "?", "answer": "1", "image": "a.png"}]
    with pytest.raises(DataError, match="line 1: has no image"):
        source(tmp_path, rows, modality="real")
    with pytest.raises(DataError, match="none of its 3 rows has an image"):
        source(tmp_path, rows[:3], modality="real", rows_without_image="read")
    mixed = source(tmp_path, rows, modality="real", rows_without_image="read")
    report = mixed.reports["train"]
    assert (report.rows, report.read, report.with_images, report.images) == (4, 4, 1, 1)


def test_rows_that_all_name_a_missing_file_say_so(tmp_path):
    rows = [{"question": f"{i}?", "answer": "1", "images": [{"image": "gone.png"}]} for i in range(30)]
    with pytest.raises(DataError, match=r"line 1.*'gone\.png' is not there"):
        source(tmp_path, rows, modality="real", held_out=0.4)
    with pytest.raises(DataError, match=r"30 of 30 rows can't be used.*'gone\.png' is not there"):
        source(tmp_path, rows, modality="real", held_out=0.4, on_bad_row="skip")


def test_one_image_under_several_paths_is_on_one_side(tmp_path):
    for i in range(120):
        (tmp_path / f"{i}.png").write_bytes(image(i // 3))
    rows = [{"question": f"{i}?", "answer": str(i), "image": f"{i}.png"} for i in range(120)]
    held = source(tmp_path, rows, modality="real", held_out=0.25)
    sides = {
        split: {int(held.item(split, i)[0].answer) // 3 for i in range(held.size_of(split) or 0)}
        for split in ("train", "validation", "test")
    }
    assert all(sides.values())
    assert sum(map(len, sides.values())) == 40


def test_rows_linked_by_any_of_their_images_are_on_one_side(tmp_path):
    for i in range(90):
        (tmp_path / f"{i}.png").write_bytes(image(i))
    pairs = [[f"{i}.png", f"{i - i % 3 + (i + 1) % 3}.png"] for i in range(90)]  # three images a ring
    rows = [{"question": f"{i}?", "answer": str(i), "images": pair} for i, pair in enumerate(pairs)]
    held = source(tmp_path, rows, modality="real", held_out=0.25)
    for split in ("train", "validation", "test"):
        here = {int(held.item(split, i)[0].answer) for i in range(held.size_of(split) or 0)}
        assert here == {3 * (i // 3) + k for i in here for k in range(3)}


def test_a_validation_file_that_shares_images_with_the_training_file_is_reported(tmp_path, caplog):
    for i in range(10):
        (tmp_path / f"{i}.png").write_bytes(image(i))
        (tmp_path / f"copy_{i}.png").write_bytes(image(i))
    rows = [{"question": f"{i}?", "answer": "1", "image": f"{i}.png"} for i in range(8)]
    other = [{"question": f"other {i}?", "answer": "2", "image": f"copy_{i}.png"} for i in range(5, 10)]
    path = write(tmp_path / "validation.jsonl", other)
    with caplog.at_level(logging.WARNING):
        held = source(tmp_path, rows, modality="real", validation_path=path)
    assert held.overlap == {"validation": 3}
    assert "3 of 5 images of the validation rows are in the training rows" in caplog.text


def test_a_set_to_evaluate_on_keeps_its_rows_whatever_their_golds(tmp_path, caplog):
    rows = sums(10, at2="unknown?", at3="?")
    made = {"name": "rows", "kind": "file", "path": write(tmp_path / "rows.jsonl", rows), "modality": "text"}
    recipe = Recipe.model_validate({"sources": [{**made, "verifier": "number", "evaluation_only": True}]})
    with caplog.at_level(logging.WARNING):
        assert len(held_out_problems(recipe, 0, "test", 20)) == 10
    assert "2 of 10 golds" in caplog.text


@pytest.mark.parametrize(
    ("golds", "meant"),
    [([0, 1, 2, 1], "ABCB"), ([1, 2, 3, 1], "ABCA"), (["0", "2", "1", "1"], "ACBB"), (["3", "1", "1", "2"], "CAAB")],
)
def test_all_rows_together_say_from_where_golds_count(tmp_path, caplog, golds, meant):
    options = ["red", "blue", "green"]
    rows = [{"question": f"{i}?", "choices": options, "answer": gold} for i, gold in enumerate(golds)]
    with caplog.at_level(logging.WARNING):
        held = source(tmp_path, rows, verifier="choice")
    assert [held.item("train", i)[0].answer for i in range(4)] == list(meant)
    assert "4 golds of choices are taken as" in caplog.text


@pytest.mark.parametrize("golds", [[1, 2, 1], [0, 3, 1], [1, "red", 3]])
def test_golds_that_may_count_from_either_are_refused_with_their_row(tmp_path, golds):
    rows = [{"question": "?", "choices": ["red", "blue", "green"], "answer": gold} for gold in golds]
    with pytest.raises(DataError, match=r"line 1.*may be an index"):
        source(tmp_path, rows, verifier="choice")


def test_a_response_that_says_something_else_than_its_own_gold_is_named_and_left_out(tmp_path, caplog):
    rows = [{**row, "worked": f"So it is <answer>{row['answer']}</answer>"} for row in sums(200)]
    columns = {"response": "worked"}
    assert not source(tmp_path, rows, columns=columns).reports["train"].bad_golds
    rows[7]["worked"] = "So it is <answer>4</answer>"
    rows[8]["worked"] = "It can be seen at once."  # it declares nothing, so it contradicts nothing
    with caplog.at_level(logging.WARNING):
        held = source(tmp_path, rows, columns=columns)
    assert "1 of 200 golds" in caplog.text
    assert "line 8: its response answers '4', its gold is '8'" in caplog.text
    with pytest.raises(DataError, match="its response answers '4'"):
        held.item("train", next(iter(held.reports["train"].bad_golds)))
    with pytest.raises(DataError, match="its response answers '4'"):
        source(tmp_path, rows, columns=columns, max_bad_golds_rate=0.0)


def test_rows_with_two_golds_stay_in_a_set_to_evaluate_on_and_are_named(tmp_path, caplog):
    rows = [{**row, "ground_truth": row["answer"]} for row in sums(20)]
    rows[5]["ground_truth"] = "99"
    with caplog.at_level(logging.WARNING):
        held = source(tmp_path, rows, evaluation_only=True)
    assert "line 6, ground_truth: says '99', and answer says '6'" in caplog.text
    assert [held.item("test", i)[0].answer for i in range(held.size_of("test") or 0)] == [str(i + 1) for i in range(20)]


@pytest.mark.parametrize("streaming", [False, True])
def test_rows_with_two_golds_count_as_bad_golds(tmp_path, streaming):
    rows = [{**row, "ground_truth": row["answer"]} for row in sums(200)]
    rows[5]["ground_truth"] = "99"
    held = source(tmp_path, rows, streaming=streaming, shuffle_buffer=1)
    if not streaming:
        assert list(held.reports["train"].bad_golds) == [5]
    with pytest.raises(DataError, match=r"line 6, ground_truth.*says '99', and answer says '6'"):
        held.item("train", 5)
    assert held.item("train", 6)[0].answer == "7"
