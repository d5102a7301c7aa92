"""Rows as other trainers and benchmarks write them: one line of the recipe reads them all."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image as Pillow

from vlrl.data.benchmarks.benchmark_definition import benchmarks
from vlrl.data.rows.layouts import known_layouts
from vlrl.data.rows.row_to_problem import RowReader
from vlrl.data.source_settings import FileSourceSettings
from vlrl.data.tables.row_source import RowSource
from vlrl.errors import ConfigError, DataError
from vlrl.types import Image, Text
from vlrl.verify.judge import judge


def image_bytes(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (8, 8), colour).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, colour in (("a.png", "red"), ("b.png", "blue")):
        (tmp_path / name).write_bytes(image_bytes(colour))
    return tmp_path


def settings(layout: str, **more) -> FileSourceSettings:
    made = {"name": "rows", "path": "org/name", "modality": "real", "verifier": "number", "layout": layout, **more}
    return FileSourceSettings(**made)


VERL = {
    "data_source": "hiyouga/geometry3k",
    "prompt": [{"role": "user", "content": "<image>How many dots? Put the answer in \\boxed{}."}],
    "images": [{"bytes": image_bytes(), "path": None}],
    "ability": "math",
    "reward_model": {"style": "rule", "ground_truth": "3"},
    "extra_info": {"split": "train", "index": 0, "answer": "3", "question": "<image>How many dots?"},
}
TRL = {
    "prompt": [
        {"role": "system", "content": "Think first."},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "How many dots?"}]},
    ],
    "image": {"bytes": image_bytes(), "path": "x.png"},
    "solution": "<think>one, two, three</think> <answer>3</answer>",
}
ROWS = {
    "easyr1": [{"problem": "<image>How many dots?", "answer": "3", "images": ["a.png"]}],
    "verl": [VERL, {**VERL, "prompt": [{"role": "system", "content": "Think."}, *VERL["prompt"]]}],
    "trl": [
        TRL,
        {"prompt": "How many dots?", "images": ["a.png"], "ground_truth": 3},
        {"problem": "How many dots?", "image": {"bytes": image_bytes()}, "solution": "$\\boxed{3}$"},
        {
            "prompt": [{"role": "user", "content": "How many dots?"}],
            "completion": [{"role": "assistant", "content": "Three: <answer>3</answer>"}],
            "images": ["a.png"],
        },
    ],
    "llama-factory": [
        {
            "instruction": "<image>How many",
            "input": "dots?",
            "output": "I count 3.\nThe answer is 3.",
            "images": ["a.png"],
        },
        {
            "conversations": [
                {"from": "human", "value": "<image>How many dots?"},
                {"from": "gpt", "value": "<answer>3</answer>"},
            ],
            "images": ["a.png"],
        },
        {
            "messages": [
                {"role": "system", "content": "Think."},
                {"role": "user", "content": "<image>How many dots?"},
                {"role": "assistant", "content": "\\boxed{3}"},
            ],
            "images": ["a.png"],
        },
    ],
    "ms-swift": [
        {"messages": [{"role": "user", "content": "<image>How many dots?"}], "images": ["a.png"], "solution": "3"},
        {
            "system": "S",
            "conversation": [{"human": "<image>How many dots?", "assistant": "\\boxed{3}"}],
            "images": "a.png",
        },
        {"query": "<image>How many dots?", "response": "<answer>3</answer>", "images": ["a.png"], "history": []},
    ],
}


@pytest.mark.parametrize(
    ("layout", "number"), [(layout, number) for layout, rows in ROWS.items() for number in range(len(rows))]
)
def test_a_row_of_every_trainer_is_one_question_with_one_image_and_the_answer_three(folder, layout, number):
    row = ROWS[layout][number]
    problem, demonstration = RowReader(settings(layout), folder).problem(row, "line 1")
    assert [type(piece) for piece in problem.prompt] == [Image, Text]
    assert "dots?" in problem.question
    assert "Think" not in problem.question  # a run's config sets the system message
    assert problem.answer == "3"
    assert judge(problem, "<answer>3</answer>").score == 1.0
    assert judge(problem, "<answer>4</answer>").score == 0.0
    answered = "completion" in row or "output" in row or "assistant" in json.dumps(row, default=str)
    answered |= "gpt" in json.dumps(row, default=str) or "response" in row
    assert (demonstration is not None) == answered
    if demonstration:
        assert judge(problem, demonstration.response).score == 1.0


@pytest.mark.parametrize("layout", ["easyr1", "verl"])
def test_a_parquet_file_of_another_trainer_needs_one_line(tmp_path, layout):
    row = VERL if layout == "verl" else {"problem": "<image>?", "answer": "3", "images": VERL["images"]}
    rows = [json.loads(json.dumps(row, default=lambda b: b.hex())) for _ in range(30)]
    for i, made in enumerate(rows):
        made["images"] = [{"bytes": image_bytes(f"#0000{i:02x}"), "path": None}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "train.parquet")
    source = RowSource(settings(layout, path=str(tmp_path / "train.parquet"), held_out=0.2))
    counts = [source.size_of(split) for split in ("train", "validation", "test")]
    assert sum(counts) == 30
    assert min(counts) > 0
    problem, _ = source.item("train", 0)
    assert problem.answer == "3"
    assert problem.images[0].data is not None  # encoded bytes, not pixels


@pytest.mark.parametrize(
    ("layout", "row", "message"),
    [
        ("easyr1", {"question": "?", "answer": "3"}, "has no 'problem'"),
        ("verl", {"prompt": "?", "reward_model": {"style": "model"}}, "reward_model"),
        ("verl", {"prompt": 3, "reward_model": {"ground_truth": "3"}}, "a list of messages"),
        ("trl", {"prompt": "?", "completion": "It is hard to say. I do not know."}, "has no answer"),
        ("ms-swift", {"messages": [{"role": "user", "content": "?"}] * 2, "solution": "3"}, "has 2 questions"),
        ("ms-swift", {"query": "?", "response": "3", "history": [["a", "b"]]}, "1 earlier turns"),
        ("llama-factory", {"messages": [{"role": "tool", "content": "?"}]}, "message of 'tool'"),
    ],
)
def test_a_row_that_is_not_in_its_layout_is_named(folder, layout, row, message):
    with pytest.raises(DataError) as caught:
        RowReader(settings(layout), folder).problem(row, "rows.jsonl, line 7")
    assert message in str(caught.value)
    assert "line 7" in caught.value.place


def test_an_unknown_layout_is_found_with_the_recipe():
    with pytest.raises(ConfigError, match="did you mean 'easyr1'"):
        settings("easyr")


def test_every_benchmark_schema_is_a_layout():
    assert set(benchmarks) <= set(known_layouts())


BENCHMARK_ROWS = {
    "mathvista": (
        {
            "pid": "1",
            "question": "How many?",
            "image": "images/1.jpg",
            "decoded_image": {"bytes": image_bytes()},
            "choices": None,
            "unit": None,
            "precision": None,
            "answer": "3",
            "question_type": "free_form",
            "answer_type": "integer",
            "metadata": {"task": "t"},
        },
        "mathvista",
    ),
    "mmmu": (
        {
            "id": "validation_Math_1",
            "question": "What does <image 1> show?",
            "options": "['dots', 'lines']",
            "answer": "A",
            "question_type": "multiple-choice",
            "image_1": {"bytes": image_bytes()},
            "image_2": None,
        },
        "mmmu",
    ),
    "mathvision": (
        {"id": "4", "question": "How many?\n<image1>", "options": [], "answer": "6", "image": "a.png", "level": 1},
        "mathvision",
    ),
}


@pytest.mark.parametrize("layout", BENCHMARK_ROWS)
def test_a_row_in_the_schema_of_a_benchmark_brings_its_verifier(folder, layout):
    row, verifier = BENCHMARK_ROWS[layout]
    problem, _ = RowReader(settings(layout, verifier=None), folder).problem(row, "line 1")
    assert len(problem.images) == 1
    assert (problem.verifier, problem.source, problem.modality) == (verifier, "rows", "real")
    assert judge(problem, f"<answer>{problem.answer}</answer>").score == 1.0


def test_gsm8k_as_published_needs_no_columns(tmp_path):
    row = {"question": "How many?", "answer": "It is 4*300=<<4*300=1200>>1200.\n#### 1,200"}
    (tmp_path / "train.jsonl").write_text(json.dumps(row) + "\n")
    given = settings("gsm8k", path=str(tmp_path / "train.jsonl"), verifier=None, modality="text", held_out=0)
    problem, _ = RowSource(given).item("train", 0)
    assert (problem.answer, problem.verifier) == ("1200", "number")


def test_images_may_lie_in_a_folder_of_their_own(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    row = {"problem": "How many?", "answer": "3", "images": ["a.png"]}
    problem, _ = RowReader(settings("easyr1", image_folder=str(folder)), elsewhere).problem(row, "line 1")
    assert problem.images[0].path == str(folder / "a.png")
    with pytest.raises(DataError, match="is not there"):
        RowReader(settings("easyr1"), elsewhere).problem(row, "line 1")


def test_boxes_and_references_of_ms_swift_are_filled_in(folder):
    row = {
        "messages": [
            {"role": "user", "content": "<image>Find <ref-object> and <ref-object>"},
            {"role": "assistant", "content": "<bbox>"},
        ],
        "images": ["a.png"],
        "objects": {"ref": ["the cow", "its calf"], "bbox": [[1, 2, 5, 6]]},
    }
    reader = RowReader(settings("ms-swift", verifier="box"), folder)
    problem, demonstration = reader.problem(row, "line 1")
    assert problem.question == "<image>Find the cow and its calf"
    assert (problem.answer, demonstration.response) == ("[1, 2, 5, 6]", "[1, 2, 5, 6]")
    assert judge(problem, "<answer>[1, 2, 5, 6]</answer>").score == 1.0
    assert "gold_coordinates" not in problem.metadata
    for kind, convention in (("real", "pixels"), ("norm1", "0-1"), ("norm1000", "0-1000")):
        typed = {**row, "objects": {**row["objects"], "bbox_type": kind}}
        assert reader.problem(typed, "line 1")[0].metadata["gold_coordinates"] == convention
    shares = {"ref": ["a", "b"], "bbox": [[0.0, 0.25, 0.5, 1.0]], "bbox_type": "norm1"}
    thousandths = RowReader(settings("ms-swift", verifier="box", metadata={"coordinates": "0-1000"}), folder)
    asked = thousandths.problem({**row, "objects": shares}, "line 1")[0]
    assert judge(asked, "<answer>[0, 250, 500, 1000]</answer>").score == 1.0
    pixels = RowReader(settings("ms-swift", verifier="box", metadata={"gold_coordinates": "pixels"}), folder)
    with pytest.raises(DataError, match="line 1: declares gold_coordinates '0-1'"):
        pixels.problem({**row, "objects": shares}, "line 1")
    for change, message in (
        ({"objects": None}, "no column `objects` fills it"),
        ({"objects": {"ref": ["the cow"], "bbox": [[1, 2, 5, 6]]}}, "too few values for <ref-object>"),
        ({"objects": {"ref": ["a", "b"], "bbox": [[1, 2, 5, 6], [1, 1, 2, 2]]}}, "1 values have no <bbox>"),
        ({"objects": {"ref": ["a", "b"], "bbox": [[1, 2, 5, 6]], "mask": ["m"]}}, "objects"),
        ({"objects": {"ref": ["a", "b"], "bbox": [[1, 2, 5, 6]], "bbox_type": "polar"}}, "bbox_type"),
    ):
        with pytest.raises(DataError) as caught:
            reader.problem({**row, **change}, "rows.jsonl, line 7")
        assert message in str(caught.value)
        assert "line 7" in caught.value.place
    for layout in ("llava", "openai"):
        with pytest.raises(DataError, match="objects"):
            RowReader(settings(layout), folder).problem(row, "line 7")


def test_an_image_of_html_is_read_and_a_second_image_beside_the_first_is_not_lost(folder):
    plain = FileSourceSettings(name="rows", path="org/name", modality="real", verifier="number")
    reader = RowReader(plain, folder)
    row = {"question": 'See <img width="3" src="a.png"/>: how many?', "answer": "3"}
    assert [type(piece) for piece in reader.problem(row, "line 1")[0].prompt] == [Text, Image, Text]
    for column in ("thumbnail", "after", "figure_2", "depth"):
        with pytest.raises(DataError, match=rf"line 7, {column}.*would be lost"):
            reader.problem({"question": "?", "answer": "3", "image": "a.png", column: "b.png"}, "line 7")
    kept = {
        "question": "?",
        "answer": "3",
        "image": "a.png",
        "image_id": "x/a.png",
        "id": "b.png",
        "source": "s.org/c.png",
    }
    assert len(reader.problem(kept, "line 1")[0].images) == 1
    ignoring = plain.model_copy(update={"columns": plain.columns.model_copy(update={"ignored": ("depth",)})})
    row = {"question": "?", "answer": "3", "image": "a.png", "depth": "b.png"}
    assert len(RowReader(ignoring, folder).problem(row, "line 1")[0].images) == 1


def test_a_worked_solution_beside_the_answer_is_no_second_answer_but_another_value_is(folder):
    row = {"problem": "<image>How many?", "image": "a.png", "answer": "3", "solution": "One and two make what we seek."}
    reader = RowReader(settings("open-r1"), folder)
    assert reader.problem(row, "line 7")[0].answer == "3"
    assert reader.problem({**row, "solution": "<answer> 3 </answer>"}, "line 7")[0].answer == "3"
    for other in ("<answer>4</answer>", "So \\boxed{4}", "4"):
        with pytest.raises(DataError, match=r"line 7, .*says"):
            reader.problem({**row, "solution": other}, "line 7")


@pytest.mark.parametrize("column", ["history", "objects", "tools", "messages"])
def test_context_in_a_column_that_nobody_reads_is_refused(folder, column):
    plain = FileSourceSettings(name="rows", path="org/name", modality="real", verifier="number")
    row = {"question": "?", "answer": "3", "image": "a.png", column: [["earlier", "answer"]]}
    with pytest.raises(DataError, match=f"line 7, {column}"):
        RowReader(plain, folder).problem(row, "line 7")
    assert RowReader(plain, folder).problem({**row, column: []}, "line 7")[0].answer == "3"
