"""Rows as problems: columns, placeholders, choices, verifiers, and what is wrong with a row."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image as Pillow

from vlrl.data.mixture import Mixture
from vlrl.data.recipe import Recipe
from vlrl.data.rows.row_to_problem import RowReader
from vlrl.data.source_settings import Columns, FileSourceSettings, VerifierByColumn
from vlrl.errors import DataError, VlrlError
from vlrl.types import Image, Problem, Text


def image_bytes(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (8, 8), colour).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, colour in (("a.png", "red"), ("b.png", "blue")):
        (tmp_path / name).write_bytes(image_bytes(colour))
    return tmp_path


def read(folder: Path, row: dict, **settings) -> Problem:
    made = {"name": "rows", "path": "org/name", "modality": "real", "verifier": "number", **settings}
    return RowReader(FileSourceSettings(**made), folder).problem(row, "rows.jsonl, line 7")[0]


def shape(problem: Problem, folder: Path) -> list[str]:
    names = {Image.from_file(str(folder / name)).digest: name for name in ("a.png", "b.png")}
    return [piece.text if isinstance(piece, Text) else names[piece.digest] for piece in problem.prompt]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How many?", ["a.png", "b.png", "How many?"]),
        ("See <image> and <image>: how many?", ["See ", "a.png", " and ", "b.png", ": how many?"]),
        ("See <image 2> after <image 1>.", ["See ", "b.png", " after ", "a.png", "."]),
        ("<image2><image1>", ["b.png", "a.png"]),
        ("<image 1>, <image 2>, <image 1> again", ["a.png", ", ", "b.png", ", ", "a.png", " again"]),
    ],
)
def test_images_stand_where_the_question_puts_them(folder, question, expected):
    row = {"question": question, "answer": 3, "images": ["a.png", "b.png"]}
    assert shape(read(folder, row), folder) == expected


@pytest.mark.parametrize(
    ("question", "images", "message"),
    [
        ("<image> or <image>", ["a.png"], "2 × <image> but 1 images"),
        ("<image>", ["a.png", "b.png"], "1 × <image> but 2 images"),
        ("<image>", [], "1 × <image> but 0 images"),
        ("<image 3>", ["a.png", "b.png"], "names <image 3> but has 2"),
        ("<image 0>", ["a.png"], "number images from 1"),
        ("only <image 1>", ["a.png", "b.png"], "doesn't name image 2"),
        ("<image> and <image 2>", ["a.png", "b.png"], "mixes"),
    ],
)
def test_placeholders_and_images_must_agree(folder, question, images, message):
    with pytest.raises(DataError) as caught:
        read(folder, {"question": question, "answer": "3", "images": images})
    assert message in str(caught.value)
    assert "rows.jsonl, line 7" in caught.value.place
    assert caught.value.remedy


def test_a_image_may_be_bytes_or_a_single_path(folder):
    by_path = read(folder, {"question": "?", "answer": "1", "images": "a.png"})
    by_bytes = read(folder, {"question": "?", "answer": "1", "images": [{"bytes": image_bytes(), "path": None}]})
    assert by_path.images[0].digest == by_bytes.images[0].digest


def test_choices_are_shown_with_letters_and_kept_as_a_fact(folder):
    row = {"question": "Which?", "choices": ["four", "six"], "answer": "six", "images": ["a.png"]}
    problem = read(folder, row, verifier="choice")
    assert shape(problem, folder) == ["a.png", "Which?\n(A) four\n(B) six"]
    assert problem.metadata == {"choices": ["four", "six"]}


@pytest.mark.parametrize("shown", ["Which? (A) four (B) six", "Which?\nA. four\nB. six", "Which? A) four B) six"])
def test_choices_that_the_question_shows_are_not_shown_twice(folder, shown):
    problem = read(
        folder, {"question": shown, "choices": ["four", "six"], "answer": "B"}, verifier="choice", modality="text"
    )
    assert problem.question == shown


def test_a_placeholder_inside_a_choice_shows_the_image_there(folder):
    row = {
        "question": "Which is red?",
        "choices": ["<image 1>", "<image 2>"],
        "answer": "A",
        "images": ["a.png", "b.png"],
    }
    expected = ["Which is red?\n(A) ", "a.png", "\n(B) ", "b.png"]
    assert shape(read(folder, row, verifier="choice"), folder) == expected


def test_columns_are_mapped_and_facts_come_along(folder):
    columns = Columns(question="q", answer="gold", images="pics", metadata={"precision": "digits", "unit": "u"})
    row = {"q": "Total?", "gold": [65.2, "65"], "pics": ["a.png"], "digits": 2, "u": None}
    problem = read(folder, row, columns=columns, metadata={"tolerance": 0.5})
    assert problem.answer == "65.2"
    assert problem.metadata == {"precision": 2, "tolerance": 0.5, "accepted": ["65"]}


def test_a_verifier_may_depend_on_a_column(folder):
    by_type = VerifierByColumn(column="type", values={"int": "number"}, otherwise="text")
    row = {"question": "?", "answer": "7", "type": "int"}
    assert read(folder, row, verifier=by_type, modality="text").verifier == "number"
    assert read(folder, {**row, "type": "word"}, verifier=by_type, modality="text").verifier == "text"
    strict = VerifierByColumn(column="type", values={"int": "number"})
    with pytest.raises(DataError, match="'word'"):
        read(folder, {**row, "type": "word"}, verifier=strict)


def test_a_column_may_name_the_verifier(folder):
    columns = Columns(verifier="judge")
    row = {"question": "?", "answer": "7", "judge": "text"}
    assert read(folder, row, verifier=None, columns=columns, modality="text").verifier == "text"
    with pytest.raises(VlrlError, match="unknown verifier 'txt'"):
        read(folder, {**row, "judge": "txt"}, verifier=None, columns=columns)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"questions": "?", "answer": "1"}, "did you mean 'questions'"),
        ({"question": "?", "answer": None}, "answer: is empty"),
        ({"question": "?", "answer": " "}, "answer is empty"),
        ({"question": "?", "answer": []}, "answer is empty"),
        ({"question": "?", "answer": "1", "images": ["gone.png"]}, "'gone.png' is not there"),
        ({"question": "?", "answer": "1", "images": [3]}, "given as int"),
    ],
)
def test_a_row_that_does_not_fit_is_named(folder, row, message):
    with pytest.raises(DataError, match="line 7") as caught:
        read(folder, row)
    assert message in str(caught.value)


def test_a_column_that_was_named_must_be_there(folder):
    with pytest.raises(DataError, match="no column 'pics'"):
        read(folder, {"question": "?", "answer": "1"}, columns=Columns(images="pics"))


def test_images_in_a_text_source_are_an_error(folder):
    with pytest.raises(DataError, match="modality 'text'"):
        read(folder, {"question": "?", "answer": "1", "images": ["a.png"]}, modality="text")


def recipe_of(folder: Path, rows: list[dict], **settings) -> Recipe:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = {"name": "rows", "kind": "file", "path": str(file), "modality": "real", "verifier": "number"}
    return Recipe.model_validate({"sources": [{**source, "held_out": 0.0, **settings}]})


def three_rows_one_damaged(folder: Path) -> list[dict]:
    (folder / "broken.png").write_bytes(image_bytes()[:40])
    return [{"question": "?", "answer": str(i), "images": [n]} for i, n in enumerate(["a.png", "broken.png", "b.png"])]


def test_a_broken_image_is_named_with_its_row_when_the_table_or_the_row_is_read(folder):
    with pytest.raises(DataError, match=r"rows\.jsonl, line 2, image .*broken\.png"):
        Mixture(recipe_of(folder, three_rows_one_damaged(folder)), 0)
    Pillow.effect_noise((64, 64), 60).save(folder / "cut.png")
    data = (folder / "cut.png").read_bytes()
    (folder / "cut.png").write_bytes(data[: len(data) // 2])  # its header says nothing
    mixture = Mixture(recipe_of(folder, [{"question": "?", "answer": "1", "images": ["cut.png"]}]), 0)
    with pytest.raises(DataError, match=r"rows\.jsonl, line 1, image .*cut\.png"):
        mixture.draw(1)


def test_a_broken_image_is_skipped_and_counted_where_that_was_chosen(folder):
    mixture = Mixture(recipe_of(folder, three_rows_one_damaged(folder), on_bad_image="skip"), 0)
    assert sorted(problem.answer for problem in mixture.draw(4)) == ["0", "0", "2", "2"]
    assert mixture.counts["bad_images"]["rows"] == 2


def test_a_missing_image_is_skipped_and_counted_too(folder):
    rows = [{"question": "?", "answer": str(i), "images": [name]} for i, name in enumerate(["a.png", "gone.png"])]
    mixture = Mixture(recipe_of(folder, rows, on_bad_image="skip"), 0)
    assert [problem.answer for problem in mixture.draw(2)] == ["0", "0"]
    assert mixture.counts["bad_images"]["rows"] >= 1


def test_a_missing_image_is_found_before_anything_is_drawn(folder):
    rows = [{"question": "?", "answer": "1", "images": ["gone.png"]}]
    with pytest.raises(DataError, match=r"line 1: the image 'gone\.png'"):
        Mixture(recipe_of(folder, rows), 0)


def test_a_line_that_is_no_json_is_named(folder):
    recipe = recipe_of(folder, [{"question": "?", "answer": "1"}], modality="text")
    (folder / "rows.jsonl").write_text('{"question": "?", "answer": "1"}\n\n{"question": \n')
    with pytest.raises(DataError, match=r"rows\.jsonl, line 3: is not valid JSON"):
        Mixture(recipe, 0)


def test_rows_with_one_image_or_one_group_are_held_out_together(folder):
    rows = [{"question": f"{i}?", "answer": str(i), "seed": i // 5} for i in range(200)]
    recipe = recipe_of(folder, rows, held_out=0.2, columns={"group": "seed"}, modality="text")
    (source,) = Mixture(recipe, 0).sources
    sides = {
        split: {int(source.item(split, i)[0].answer) // 5 for i in range(source.size_of(split))}
        for split in ("train", "validation", "test")
    }
    assert all(sides.values())
    assert sum(map(len, sides.values())) == 40
    assert set.union(*sides.values()) == set(range(40))


def test_a_column_may_hold_the_difficulty(folder):
    columns = Columns(difficulty="hard")
    row = {"question": "?", "answer": "1", "images": ["a.png"], "hard": 0.25}
    assert read(folder, row, columns=columns).difficulty == 0.25
    assert read(folder, row).difficulty is None
    benchmark = {"problem": "1+1", "answer": "2", "images": ["a.png"], "hard": 1}
    assert read(folder, benchmark, layout="easyr1", columns=columns).difficulty == 1.0
    for wrong in (1.5, -0.1, "easy", True, None):
        with pytest.raises(DataError, match=r"line 7, hard"):
            read(folder, {"question": "?", "answer": "1", "hard": wrong}, columns=columns)


ENCODED = base64.b64encode(image_bytes()).decode()


@pytest.mark.parametrize(
    "lost",
    [
        {"meta": {"thumb": "b.png"}},
        {"meta": {"views": [{"left": {"file": "views/b.png"}}]}},
        {"pages": [["b.png"], ["b.png"]]},
        {"meta": {"raw": image_bytes()}},
        {"thumb": ENCODED},
        {"meta": {"thumb": f"data:image/png;base64,{ENCODED}"}},
        {"multi_modal_data": {"image": ["b.png"]}},
    ],
)
def test_an_image_at_any_depth_of_a_column_that_is_not_read_is_refused(folder, lost):
    with pytest.raises(DataError, match="would be lost") as caught:
        read(folder, {"question": "How many?", "answer": "3", "images": ["a.png"], **lost})
    assert next(iter(lost)) in str(caught.value)
    read(folder, {"question": "How many?", "answer": "3", "images": ["a.png"], **lost}, columns={"ignored": list(lost)})


def test_facts_about_an_image_that_is_read_are_no_loss(folder):
    about = {"meta": {"file": "old/a.png", "source": "coco/1.jpg", "url": "https://example.org/1.jpg", "size": [8, 8]}}
    read(folder, {"question": "How many?", "answer": "3", "images": ["a.png"], "hash": "9j" * 40, **about})


@pytest.mark.parametrize("key", ["source", "annotations", "name"])
def test_an_image_beside_a_message_is_refused(folder, key):
    said = [
        {"role": "user", "content": "How many?", key: [{"image": "b.png"}]},
        {"role": "assistant", "content": r"\boxed{3}"},
    ]
    with pytest.raises(DataError, match="would be lost"):
        read(folder, {"messages": said, "images": ["a.png"]}, layout="chat")


@pytest.mark.parametrize("question", ["", "  ", "\n"])
def test_an_empty_question_without_an_image_is_refused(folder, question):
    for modality in ("text", "real"):
        with pytest.raises(DataError, match="line 7: the question is empty"):
            read(folder, {"question": question, "answer": "3"}, modality=modality)
    assert shape(read(folder, {"question": question, "answer": "3", "images": ["a.png"]}), folder)[0] == "a.png"


def test_a_list_over_several_lines_in_a_file_of_lines_is_named(folder):
    recipe = recipe_of(folder, [{"question": "?", "answer": "1"}])
    for rows in ([{"question": "?", "answer": "1"}], {"question": "?", "answer": "1"}):
        (folder / "rows.jsonl").write_text(json.dumps(rows, indent=1))
        with pytest.raises(DataError, match=r"line 1.*\n?.*belongs in a \.json file"):
            Mixture(recipe, 0)


@pytest.mark.parametrize("where", ["extra_info", "rejected_images", "rejected_messages", "system"])
def test_an_image_in_a_column_that_a_trainer_leaves_out_is_refused(folder, where):
    row = {"prompt": "<image>How many?", "images": ["a.png"], "answer": "3"}
    for lost in ({"image": "b.png"}, json.dumps({"images": ["b.png"]}), [{"role": "user", "images": ["b.png"]}]):
        with pytest.raises(DataError, match=f"{where}.*would be lost"):
            read(folder, {**row, where: lost}, layout="trl")
        read(folder, {**row, where: lost}, layout="trl", columns={"ignored": [where]})
    read(folder, {**row, where: {"images": ["a.png"], "question": "<image>How many?", "index": 3}}, layout="trl")


@pytest.mark.parametrize("empty", [{}, {"images": []}, {"images": None}, {"image": ""}])
def test_a_row_without_an_image_in_a_source_of_images_is_refused_unless_the_source_has_such_rows(folder, empty):
    row = {"question": "How many?", "answer": "3", **empty}
    with pytest.raises(DataError, match=r"line 7: has no image.*modality of source 'rows' is 'real'"):
        read(folder, row)
    assert read(folder, row, rows_without_image="read").modality == "text"
    assert read(folder, {**row, "images": ["a.png"]}, rows_without_image="read").modality == "real"


def test_images_beside_the_content_of_a_message_fill_its_placeholders(folder):
    said = [{"role": "user", "content": "Is <image> or <image> red?", "images": ["a.png", "b.png"]}]
    found = read(folder, {"messages": said, "answer": "1"}, layout="chat")
    assert shape(found, folder) == ["Is ", "a.png", " or ", "b.png", " red?"]


@pytest.mark.parametrize("column", [{}, {"images": ["a.png"]}])
@pytest.mark.parametrize("part", [{"type": "image", "image": "a.png"}, {"type": "image_url", "image_url": "a.png"}])
def test_an_image_part_and_a_placeholder_for_it_are_refused(folder, part, column):
    said = [{"role": "user", "content": [part, {"type": "text", "text": "<image>How many?"}]}]
    with pytest.raises(DataError, match="<image> beside them"):
        read(folder, {"messages": said, "answer": "1", **column}, layout="chat")
