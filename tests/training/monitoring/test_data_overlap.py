"""Overlap of training problems with evaluation sets: planted copies are found and named, the rest isn't."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image as Pillow

from vlrl.report.run_card import overlap_table
from vlrl.runlog.log_lines import SCHEMA
from vlrl.training.monitoring.data_overlap import NEAR, RATE, SECONDS, DataOverlap, drawn_again, overlap_account
from vlrl.types import Image, Problem, Text

TULIPS = "A gardener plants 12 rows of tulips along the northern fence and sells 5 of them; how many rows remain"
CYCLISTS = "Two cyclists leave Bristol at noon and ride 30 miles toward Bath; when do they meet their friend"
PLANETS = "Which planet of the solar system has the largest number of known moons"


def ask(text, *images, answer="7", source="rows", **fields):
    return Problem((*images, Text(text)), answer, "number", "text", "tests", source, **fields)


def image(seed, form="PNG"):
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Pillow.fromarray(small).resize((96, 64), Pillow.Resampling.BICUBIC).save(file, form)
    return Image.from_bytes(file.getvalue())


class Run:
    """A run folder as far as problems go."""

    def __init__(self, path):
        self.path = path

    def problems(self, phase, step, line):
        with open(self.path / "problems.jsonl", "a") as file:
            file.write(json.dumps({"schema": SCHEMA, "phase": phase, "step": step, **line}) + "\n")


class Clock:
    """Goes on by `tick` at every look."""

    def __init__(self, tick=0.0):
        self.now, self.tick = 0.0, tick

    def __call__(self):
        self.now += self.tick
        return self.now


def noted(folder, sets, training, **options):
    found = DataOverlap(sets, clock=options.pop("clock", Clock()), **options)
    found.note(Run(folder), "rl", 1, training)
    return overlap_account(folder)


def test_what_is_asked_again_is_counted_for_the_sets_that_have_it_and_named(tmp_path):
    sets = {"validation": [ask(CYCLISTS)], "test": [ask(CYCLISTS), ask(TULIPS), ask("3+4=?")], "benchmark": []}
    edited = ask(TULIPS.replace("gardener", "farmer").replace("northern", "southern"))
    training = [ask(TULIPS.upper() + "?"), edited, ask("3 + 4 = ?"), ask(PLANETS), ask("3+5=?", answer="8")]
    account = noted(tmp_path, sets, training)
    assert account["problems"] == {"rl": 5}
    assert account["compared"] == {"for near-duplicates": 5}
    near = account["near"]
    assert set(near) == {"test"}
    assert [near["test"][name] for name in ("problems", "same question", "near text")] == [3, 2, 1]
    assert near["test"]["first"] == [
        f"{training[0].id}: same question, {sets['test'][1].id}",
        f"{edited.id}: near text, {sets['test'][1].id}",
        f"{training[2].id}: same question, {sets['test'][2].id}",
    ]


def test_a_question_is_known_in_another_form_and_wording(tmp_path):
    page = Image(image(3).digest, data=image(3).read_bytes(), source_text="3+4=?")
    held = ask("3+4=?")
    training = [
        Problem((page,), "7", "number", "rendered", "tests"),  # drawn on a page
        ask("Read and answer.", image(4), twin=held.id),
        ask("Think, then answer: 3+4=?", untemplated_id=held.id),
    ]
    assert noted(tmp_path, {"test": [held]}, training)["near"]["test"]["same question"] == 3


def test_images_count_byte_for_byte_wherever_and_by_their_looks_where_a_file_has_them(tmp_path):
    """The edited copy of a source that draws its problems isn't looked for: its ids keep them apart."""
    held = [
        ask("How many of the shapes are red in it?", image(1)),
        ask("How many of the dots are blue in it?", image(2)),
    ]
    again = ask("Which of the four corners is darkest?", image(1))
    edited = ask("How many of the shapes are red in it?", image(1, "JPEG"))
    other = ask("How many of the shapes are red in it?", image(5))
    near = noted(tmp_path, {"test": held}, [again, edited, other])["near"]["test"]
    assert near == {
        "problems": 2,
        "image under another question": 1,
        "near image and text": 1,
        "first": [
            f"{again.id}: image under another question, {held[0].id}",
            f"{edited.id}: near image and text, {held[0].id}",
        ],
    }
    (tmp_path / "problems.jsonl").unlink()
    of_domain = [replace(one, source="drawn") for one in (again, edited, other)]
    account = noted(tmp_path, {"test": held}, of_domain, drawn={"drawn"})
    assert account["compared"] == {"for near-duplicates of text, images byte for byte": 3}
    assert account["near"]["test"]["problems"] == 1


def test_near_duplicates_take_their_share_of_the_time_and_what_was_not_looked_at_is_counted(tmp_path):
    """Every look at the clock takes two seconds: after the first problem the time is spent, until more has gone by."""
    sets, clock = {"test": [ask(TULIPS), ask(CYCLISTS)]}, Clock(2 * SECONDS)
    edited, exact = ask(TULIPS.replace("gardener", "farmer")), ask(CYCLISTS)
    overlap = DataOverlap(sets, clock=clock)
    overlap.note(Run(tmp_path), "rl", 1, [ask(PLANETS), edited, exact])
    account = overlap_account(tmp_path)
    assert account["compared"] == {"for near-duplicates": 1, "by content alone, since the time for more was spent": 2}
    assert account["near"]["test"]["first"] == [f"{exact.id}: same question, {sets['test'][1].id}"]
    clock.now += 4 * SECONDS / RATE
    overlap.note(Run(tmp_path), "rl", 2, [edited, exact])
    account = overlap_account(tmp_path)
    assert account["problems"] == {"rl": 3}  # each once, as far as it was ever compared
    assert account["compared"][f"for {NEAR}-duplicates"] == 3
    assert account["near"]["test"]["near text"] == 1


def test_the_card_names_each_set_and_what_a_log_hides_is_seen(tmp_path):
    sets = {"validation": [ask(CYCLISTS)], "test": [ask(TULIPS)]}
    overlap = DataOverlap(sets, clock=Clock())
    overlap.note(Run(tmp_path), "sft", 0, [ask(TULIPS), ask(PLANETS)])
    card = overlap.described(tmp_path, ["lmms-eval mmmu_val"])
    table = "\n".join(overlap_table(card))
    assert f"| test | 1 | 1 | same question 1 | {ask(TULIPS).id}: same question, {ask(TULIPS).id} |" in table
    assert "| validation | 1 | 0 | – | – |" in table
    assert "Not compared: lmms-eval mmmu_val." in table
    assert "problems trained on: sft 2." in table
    assert drawn_again(tmp_path, sets) == {}
    (line,) = (tmp_path / "problems.jsonl").read_text().splitlines()
    (tmp_path / "problems.jsonl").write_text(json.dumps({**json.loads(line), "near": []}) + "\n")
    assert drawn_again(tmp_path, sets) == {"test": {ask(TULIPS).id}}


@pytest.mark.parametrize("sets", [{}, {"test": []}])
def test_without_an_evaluation_set_nothing_is_written(tmp_path, sets):
    DataOverlap(sets).note(SimpleNamespace(path=tmp_path), "rl", 1, [ask(PLANETS)])
    assert overlap_account(tmp_path) == {"problems": {}, "compared": {}, "near": {}}
