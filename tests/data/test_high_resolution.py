"""V* Bench and HR-Bench in the columns of their own files: options, gold letter, groups, image."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image as Pillow

from vlrl.data.benchmarks.benchmark_rows import read_benchmark
from vlrl.errors import DataError
from vlrl.types import Image
from vlrl.verify.judge import judge

VSTAR = {
    "image": "direct_attributes/one.png",
    "text": "What is the colour of the glove?\n(A) red\n(B) dark blue\n(C) white\n(D) green\n"
    "Answer with the option's letter from the given choices directly.",
    "category": "direct_attributes",
    "label": "B",
    "question_id": 7,
}
RELATION = {
    **VSTAR,
    "text": "Is the dog left or right of the lamp?\n(A) right\n(B) left\nAnswer with the option's letter.",
    "category": "relative_position",
    "label": "A",
}


def hr(options, answer, cycle):
    file = io.BytesIO()
    Pillow.new("RGB", (40, 20), (1, 2, 3)).save(file, "JPEG")
    image = base64.b64encode(file.getvalue()).decode()
    given = dict(zip("ABCD", options, strict=True))
    question = "Which number is on the door?"
    return {"index": cycle, "question": question, **given, "answer": answer, "category": "single", "image": image} | {
        "cycle_category": cycle
    }


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "direct_attributes").mkdir()
    Pillow.new("RGB", (40, 20)).save(tmp_path / "direct_attributes/one.png")
    return tmp_path


def test_rows_of_vstar_have_their_options_and_gold_from_text_and_label(folder):
    first, second = read_benchmark("vstar", [("one", VSTAR), ("two", RELATION)], folder)
    assert isinstance(first.problem.prompt[0], Image)
    assert first.problem.metadata["choices"] == ["red", "dark blue", "white", "green"]
    assert first.groups == {"category": ("direct_attributes",)}
    for said, right in (("B", True), ("(B) dark blue", True), ("A", False), ("A or B", False)):
        assert judge(first.problem, said).correct is right, said
    assert second.problem.metadata["choices"] == ["right", "left"]
    assert judge(second.problem, "A").correct


def test_rows_of_hr_bench_ask_a_question_in_every_order(folder):
    options = ["12", "14", "21", "41"]
    rows = [(str(c), hr(options[c:] + options[:c], "ABCD"[(1 - c) % 4], c)) for c in range(4)]
    found = read_benchmark("hr-bench", rows, folder)
    assert [judge(one.problem, "14").correct for one in found] == [True] * 4
    assert [one.problem.answer for one in found] == ["B", "A", "D", "C"]
    assert found[2].groups == {"category": ("single",), "cycle": ("2",)}
    assert "(A) 21\n(B) 41\n(C) 12\n(D) 14\nAnswer with" in found[2].problem.question
    assert isinstance(found[0].problem.prompt[0], Image)


@pytest.mark.parametrize(
    ("benchmark", "row", "said"),
    [
        ("vstar", {**VSTAR, "label": "E"}, "from A to D"),
        ("vstar", {**VSTAR, "text": "What is it?"}, "no options"),
        ("vstar", {**VSTAR, "text": "What?\n(A) x\n(C) y"}, "no options"),
        ("hr-bench", {**hr(["1", "2", "3", "4"], "A", 0), "D": None}, "'D'"),
    ],
)
def test_a_row_of_another_shape_is_refused(benchmark, row, said):
    with pytest.raises(DataError, match=said):
        read_benchmark(benchmark, [("row 1", row)])
