"""Rows in the columns of published sets: each loads with the settings beside it, or is refused by name.

A case is (row, settings, what comes back). `IMAGE` is what `datasets` gives for an image of a parquet file.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import datasets
import pytest
from PIL import Image as Pillow

from vlrl.data.inspection.gold_checks import check_gold
from vlrl.data.rows.row_to_problem import RowReader
from vlrl.data.source_settings import FileSourceSettings
from vlrl.data.tables.row_source import RowSource
from vlrl.errors import DataError


def encoded() -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (40, 40), "red").save(buffer, format="PNG")
    return buffer.getvalue()


IMAGE = {"bytes": encoded(), "path": None}


def chat(question: str, response: Any) -> list[dict]:
    return [{"from": "human", "value": question}, {"from": "gpt", "value": response}]


LISTED = "<image>\nHint: Answer with the letter.\nQuestion: x?\nChoices:\n(A) 140°\n(B) 40°\n(C) 20°"
DOC = {"columns": {"answer": "answers"}, "verifier": "anls"}
WORKED = "We add the two and see at once what is asked for, so it is \\boxed{\\frac12}."
TEXT = {"modality": "text", "verifier": "math"}
Case = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]
READ: dict[str, Case] = {
    "Geometry3K": (
        {"images": [IMAGE], "problem": "<image>Find x.", "answer": "3"},
        {"layout": "easyr1", "verifier": "math"},
        {"gold": "3"},
    ),
    "GeoQA": (
        {"image": IMAGE, "problem": "∠ADB = ?", "solution": "<answer> 145° </answer>"},
        {"layout": "r1-v", "verifier": "math"},
        {"gold": "145°"},
    ),
    "MathV360K": (
        {"id": "0", "image": "a.png", "conversations": chat(LISTED, "The answer is B")},
        {"layout": "llava", "verifier": "choice"},
        {"gold": "B", "choices": ["140°", "40°", "20°"]},
    ),
    "ScienceQA": (
        {
            "image": IMAGE,
            "question": "Which?",
            "choices": ["x", "y", "z"],
            "answer": 1,
            "hint": "Look at the table.",
            "task": "closed choice",
            "lecture": "Long.",
            "solution": "The table says it. It is y.",
        },
        {"verifier": "choice", "choice_answers": "index", "columns": {"context": "hint"}},
        {"gold": "B", "question": "<image>Look at the table.\nWhich?\n(A) x\n(B) y\n(C) z"},
    ),
    "AI2D": (
        {"question": "Which?", "options": ["x", "y", "z", "w"], "answer": "2", "image": IMAGE},
        {"verifier": "choice", "choice_answers": "index"},
        {"gold": "C"},
    ),
    "ChartQA": (
        {"image": IMAGE, "query": "How many?", "label": ["14"], "human_or_machine": "human"},
        {"verifier": "relaxed", "columns": {"question": "query", "answer": "label"}},
        {"gold": "14"},
    ),
    "DocVQA": (
        {"questionId": "1", "question": "Who?", "image": IMAGE, "docId": 1, "answers": ["0.28", "0.28 m"]},
        DOC,
        {"gold": "0.28", "accepted": ["0.28 m"]},
    ),
    "InfographicVQA": (
        {"question": "What?", "answers": ["3"], "image": IMAGE, "image_url": "https://x.org/1.jpeg", "ocr": "{}"},
        DOC,
        {"gold": "3"},
    ),
    "OK-VQA": (
        {"image": IMAGE, "question": "What?", "answers": ["race", "race", "motocross"], "answer_type": "other"},
        {"columns": {"answer": "answers"}, "verifier": "vqa"},
        {"gold": "race", "accepted": ["race", "motocross"]},
    ),
    "VQAv2": (
        {
            "image": IMAGE,
            "question": "What?",
            "multiple_choice_answer": "net",
            "answers": [{"answer": "net", "answer_id": 1}, {"answer": "nets", "answer_id": 2}],
        },
        {"columns": {"answer": "multiple_choice_answer"}, "verifier": "text"},
        {"gold": "net"},
    ),
    "A-OKVQA": (
        {
            "image": IMAGE,
            "question": "What?",
            "choices": ["board", "ski", "bat"],
            "correct_choice_idx": 1,
            "direct_answers": "['ski', 'ski']",
            "rationales": ["snow"],
        },
        {"columns": {"answer": "correct_choice_idx"}, "verifier": "choice", "choice_answers": "index"},
        {"gold": "B"},
    ),
    "IconQA": (
        {
            "question": "Which is longer?",
            "choices": "choice_0.png,choice_1.png",
            "answer": "B",
            "query_image": IMAGE,
            "choice_image_0": IMAGE,
            "choice_image_1": IMAGE,
        },
        {
            "columns": {
                "choices": "",
                "images": ["query_image", "choice_image_0", "choice_image_1"],
                "ignored": ["choices"],
            },
            "verifier": "choice",
        },
        {"gold": "B", "images": 3},
    ),
    "CLEVR-Math": (
        {"template": "subtraction", "question": "How many?", "image": IMAGE, "label": 3},
        {"columns": {"answer": "label"}, "verifier": "number"},
        {"gold": "3"},
    ),
    "RefCOCO": (
        {"image": IMAGE, "question": "the cow", "bbox": [1.0, 2.0, 10.0, 12.0], "answer": ["the cow on the left"]},
        {
            "columns": {"answer": "bbox", "ignored": ["answer"]},
            "verifier": "box",
            "metadata": {"gold_layout": "xywh"},
        },
        {"gold": "[1.0, 2.0, 10.0, 12.0]"},
    ),
    "VLM-R1": (
        {"id": 1, "image": "a.png", "problem": "Give the box of the cow.", "solution": [1, 2, 30, 30]},
        {"layout": "vlm-r1", "verifier": "box"},
        {"gold": "[1, 2, 30, 30]"},
    ),
    "ViRL39K": (
        {"question": "<image>Which?\nA. 3\nB. 4\nC. 5", "answer": "\\boxed{B}", "qid": "1", "image": ["a.png"]},
        {"verifier": "choice"},
        {"gold": "B", "choices": ["3", "4", "5"]},
    ),
    "ViRL39K, a formula": (
        {"question": "<image>x?", "answer": "\\boxed{2 \\sqrt{3}}", "PassRate_7BBase": 0.2, "image": ["a.png"]},
        {"verifier": "math"},
        {"gold": "2 \\sqrt{3}"},
    ),
    "MMK12": (
        {"id": "1", "question": "<image>Find.", "image": IMAGE, "answer": "$\\frac{1}{2}$", "subject": "math"},
        {"verifier": "math"},
        {"gold": "$\\frac{1}{2}$"},
    ),
    "MM-Eureka": (
        {
            "conversations": json.dumps(
                [
                    {"role": "system", "content": "S"},
                    {"role": "user", "content": [{"type": "image", "image": "file://a.png"}, {"text": "Find x"}]},
                ]
            ),
            "answer": "3",
            "image_urls": ["file://a.png"],
        },
        {"layout": "mm-eureka", "verifier": "math"},
        {"gold": "3"},
    ),
    "NuminaMath-CoT": (
        {
            "problem": "P?",
            "solution": WORKED,
            "messages": [{"role": "user", "content": "P?"}, {"role": "assistant", "content": WORKED}],
        },
        {"layout": "open-r1", **TEXT},
        {"gold": "\\frac12", "images": 0},
    ),
    "NuminaMath-1.5": (
        {"problem": "P?", "solution": WORKED, "answer": "\\frac{1}{2}", "question_type": "math-word-problem"},
        {"layout": "open-r1", **TEXT},
        {"gold": "\\frac{1}{2}", "images": 0},
    ),
    "DeepScaleR": (
        {"problem": "P?", "answer": "-\\frac{2}{3}", "solution": "1. We see $-\\frac{2}{3}$"},
        {"layout": "easyr1", **TEXT},
        {"gold": "-\\frac{2}{3}", "images": 0},
    ),
    "DAPO-17k": (
        {
            "data_source": "math_dapo",
            "prompt": [{"role": "user", "content": "P?"}],
            "reward_model": {"ground_truth": "34", "style": "rule-lighteval/MATH_v2"},
            "extra_info": {"index": "x"},
        },
        {"layout": "verl", **TEXT},
        {"gold": "34", "images": 0},
    ),
    "Skywork-OR1": (
        {
            "prompt": [{"role": "user", "content": "P?"}],
            "reward_model": {"ground_truth": '["\\\\frac{1}{2}"]', "style": "rule"},
            "extra_info": {"index": 1, "model_difficulty": {"a": 1}},
        },
        {"layout": "verl", **TEXT},
        {"gold": "\\frac{1}{2}", "images": 0},
    ),
    "OpenR1-Math": (
        {
            "problem": "P?",
            "solution": WORKED,
            "answer": "\\frac{1}{2}",
            "generations": ["<think>…"],
            "correctness_math_verify": [True],
            "messages": [
                {"role": "user", "content": "P?"},
                {"role": "assistant", "content": "<think>\nx\n</think>\n\n\\boxed{\\frac12}"},
            ],
        },
        {"layout": "open-r1", **TEXT},
        {"gold": "\\frac{1}{2}", "images": 0},
    ),
    "MathVerse": (
        {
            "question": "As shown, x?\nChoices:\nA:60°\nB:40°\nC:80°\nD:100°",
            "image": IMAGE,
            "answer": "D",
            "question_type": "multi-choice",
            "metadata": {"subject": "Plane Geometry"},
            "query_cot": "q",
        },
        {"verifier": {"column": "question_type", "values": {"multi-choice": "choice", "free-form": "math"}}},
        {"gold": "D", "choices": ["60°", "40°", "80°", "100°"]},
    ),
    "LogicVista": (
        {"imagename": "a.png", "question": "Which?\nA. x\nB. y", "answer": "A", "skill": ["inductive"]},
        {"verifier": "choice", "columns": {"images": "imagename"}},
        {"gold": "A", "choices": ["x", "y"]},
    ),
    "We-Math": (
        {"question": "Which?", "option": "A. 3 ; B. 4 ; C. No correct answer", "answer": "B", "image_path": "a.png"},
        {"verifier": "choice"},
        {"gold": "B", "choices": ["3", "4", "No correct answer"]},
    ),
    "M3CoT": (
        {"question": "Which?", "choices": ["x", "y"], "context": "It rains.", "answer": "B", "image": IMAGE},
        {"verifier": "choice", "columns": {"context": "context"}},
        {"gold": "B", "question": "<image>It rains.\nWhich?\n(A) x\n(B) y"},
    ),
    "OlympiadBench": (
        {
            "question": "Find <image_1>",
            "solution": ["First we look at the angle, then it follows."],
            "final_answer": ["$3$"],
            "context": None,
            "image_1": IMAGE,
            "image_2": None,
        },
        {"verifier": "math", "columns": {"answer": "final_answer"}},
        {"gold": "$3$"},
    ),
    "SEED-Bench": (
        {"answer": "A", "choice_a": "x", "choice_b": "y", "choice_c": "z", "question": "Q", "image": [IMAGE]},
        {"verifier": "choice"},
        {"gold": "A", "choices": ["x", "y", "z"]},
    ),
    "SuperCLEVR": (
        {"image_path": "a.png", "question": "How many?", "ground_truth": 4},
        {"verifier": "number", "columns": {"answer": "ground_truth"}},
        {"gold": "4"},
    ),
    "a list of numbers": (
        {"image": "a.png", "question": "Which years?", "answer": [2014, 2016]},
        {"verifier": "list"},
        {"gold": "[2014, 2016]"},
    ),
}
REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "ScienceQA, a row of text": (
        {"image": None, "question": "Which?", "choices": ["x", "y"], "answer": 1},
        {"verifier": "choice", "choice_answers": "index"},
        "has no image.*rows_without_image",
    ),
    "LLaVA-CoT": (
        {
            "image": "a.png",
            "conversations": chat("How many?", "<CAPTION> c </CAPTION>\n\n<CONCLUSION> 3 </CONCLUSION>"),
        },
        {"layout": "llava", "verifier": "number"},
        "has no answer.*add such a column",
    ),
    "IconQA": (
        {"question": "Which?", "choices": "choice_0.png,choice_1.png", "answer": "A", "query_image": IMAGE},
        {"verifier": "choice", "columns": {"images": "query_image"}},
        "choices.*no list of options",
    ),
    "MATH-Vision without its layout": (
        {"question": "<image1>?", "image": "a.png", "decoded_image": IMAGE, "answer": "3"},
        {"verifier": "math"},
        "decoded_image.*would be lost",
    ),
    "LogicVista without its column of images": (
        {"imagename": "a.png", "question": "Which?\nA. x\nB. y", "answer": "A"},
        {"verifier": "choice"},
        "has no image.*columns: {images",
    ),
    "M3CoT without its context": (
        {"question": "Which?", "choices": ["x", "y"], "context": "It rains.", "answer": "B", "image": IMAGE},
        {"verifier": "choice"},
        "context.*what a question may need",
    ),
    "several answers in one text": (
        {"question": "Which?", "answer": "['ski', 'snow']", "image": IMAGE},
        {"verifier": "text"},
        "lists 2 answers.*verifier `list`",
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("sets")
    (made / "a.png").write_bytes(encoded())
    return made


def settings_of(more: dict[str, Any], path: str = "org/name") -> FileSourceSettings:
    return FileSourceSettings(**{"name": "rows", "path": path, "modality": "real", "held_out": 0.0, **more})


@pytest.mark.parametrize("name", READ)
def test_a_row_of_a_published_set_is_read(folder, name):
    row, settings, expected = READ[name]
    problem, demonstration = RowReader(settings_of(settings), folder).problem(row, "rows, row 1")
    check_gold(problem, demonstration, "rows, row 1")
    assert problem.answer == expected["gold"]
    assert len(problem.images) == expected.get("images", 1)
    assert problem.question == expected.get("question", problem.question)
    assert problem.metadata.get("choices") == expected.get("choices", problem.metadata.get("choices"))
    assert problem.metadata.get("accepted") == expected.get("accepted")


@pytest.mark.parametrize("name", REFUSED)
def test_a_row_that_leaves_something_open_is_refused_with_a_remedy(folder, name):
    row, settings, message = REFUSED[name]
    with pytest.raises(DataError, match=f"(?s){message}"):
        RowReader(settings_of(settings), folder).problem(row, "rows, row 1")


@pytest.mark.parametrize(
    "held",
    [
        {"v1": {"question": "1 + 1?", "answer": 2.50}, "v2": {"question": "2 + 2?", "answer": "4"}},
        {"version": 1, "data": [{"question": "1 + 1?", "answer": 2.50}, {"question": "2 + 2?", "answer": "4"}]},
        [chat("1 + 1?", "<answer>2.50</answer>"), chat("2 + 2?", "<answer>4</answer>")],
    ],
)
def test_a_json_file_may_map_ids_to_rows_or_hold_its_rows_in_one_list(tmp_path, held):
    (tmp_path / "rows.json").write_text(json.dumps(held).replace("2.5,", "2.50,").replace("2.5}", "2.50}"))
    layout = {"layout": "chat"} if isinstance(held, list) else {}
    made = {"modality": "text", "verifier": "exact", **layout}
    source = RowSource(settings_of(made, str(tmp_path / "rows.json")))
    assert [source.item("train", i)[0].answer for i in range(2)] == ["2.50", "4"]
    assert source.size == 2


@pytest.mark.parametrize("held", [{"a": [{"x": 1}], "b": [{"y": 1}]}, {}, {"a": 1}, [1], "text"])
def test_a_json_file_that_holds_no_table_or_several_is_refused(tmp_path, held):
    (tmp_path / "rows.json").write_text(json.dumps(held))
    with pytest.raises(DataError, match=r"rows\.json"):
        RowSource(settings_of({"modality": "text", "verifier": "exact"}, str(tmp_path / "rows.json")))


def test_images_of_several_columns_are_read_from_a_parquet_table_and_split_by_content(tmp_path):
    def image(shade: int) -> dict:
        buffer = io.BytesIO()
        Pillow.new("RGB", (40, 40), (shade, 0, 0)).save(buffer, format="PNG")
        return {"bytes": buffer.getvalue(), "path": None}

    rows = [
        {"question": f"{i}?", "answer": str(i), "left": image(i % 40), "right": image(100 + i % 40 // 2)}
        for i in range(80)
    ]
    datasets.Dataset.from_list(rows).to_parquet(str(tmp_path / "rows.parquet"))
    made = {"verifier": "number", "columns": {"images": ["left", "right"]}, "held_out": 0.3}
    source = RowSource(settings_of(made, str(tmp_path / "rows.parquet")))
    sides = {
        split: [source.item(split, i)[0] for i in range(source.size_of(split) or 0)]
        for split in ("train", "validation", "test")
    }
    assert sum(map(len, sides.values())) == 80
    assert {len(p.images) for found in sides.values() for p in found} == {2}
    seen = [{image.digest for p in found for image in p.images} for found in sides.values()]
    assert sum(map(len, seen)) == len(set.union(*seen)) == 60
