"""Problems as JSONL with images beside: what is written is read again, what is damaged is named."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from vlrl.data.export_problems import SetCounts, write_problems
from vlrl.data.fixed_sets import demonstrations
from vlrl.data.problem_files import read_demonstrations, read_preferences, read_problems, write_problem_file
from vlrl.data.recipe import Recipe, load_recipe
from vlrl.errors import ConfigError, DataError
from vlrl.types import Demonstration, Preference, Problem, Text


def recipe() -> Recipe:
    sums = {"name": "sums", "kind": "domain", "domain": {"name": "arithmetic", "terms": [3, 4]}, "tags": ["plain"]}
    digits = {"name": "digits", "kind": "domain", "domain": {"name": "scanned_digits", "size": 48}}
    drawn = {"name": "drawn", "kind": "rendered", "of": "sums", "style": {"name": "cells", "cell": 16, "size": 48}}
    places = {"name": "places", "kind": "domain", "domain": {"name": "spatial_relation", "size": 48}}
    return Recipe.model_validate({"sources": [sums, digits, drawn, places]})


def test_what_is_written_is_read_again(tmp_path):
    written = demonstrations(recipe(), 0, 24)
    assert write_problem_file(tmp_path / "set.jsonl", written) == 24
    read = read_demonstrations(tmp_path / "set.jsonl")
    assert [d.response for d in read] == [d.response for d in written]
    for before, after in zip(written, read, strict=True):
        assert after.problem.id == before.problem.id
        assert after.problem.twin == before.problem.twin
        assert after.problem.tags == before.problem.tags
        assert after.problem.modality == before.problem.modality
        assert after.problem.difficulty == before.problem.difficulty


def test_every_image_is_stored_once_under_its_digest(tmp_path):
    problems = [d.problem for d in demonstrations(recipe(), 0, 12)]
    write_problem_file(tmp_path / "set.jsonl", [*problems, *problems])
    names = {file.stem for file in (tmp_path / "images").iterdir()}
    assert names == {image.digest for problem in problems for image in problem.images}


def test_a_image_may_be_named_by_digest_alone(tmp_path):
    problem = next(d.problem for d in demonstrations(recipe(), 0, 12) if d.problem.images)
    write_problem_file(tmp_path / "set.jsonl", [problem])
    row = json.loads((tmp_path / "set.jsonl").read_text())
    row["prompt"] = [{"digest": p["image"][7:-4]} if "image" in p else p for p in row["prompt"]]
    (tmp_path / "set.jsonl").write_text(json.dumps(row))
    assert read_problems(tmp_path / "set.jsonl")[0].id == problem.id


GOOD = {"prompt": [{"text": "1+1?"}], "answer": "2", "verifier": "number", "modality": "text", "domain": "sums"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": None}, None),
        ({"anser": "2"}, "unknown key 'anser'"),
        ({"modality": "txt"}, "modality: got 'txt'"),
        ({"prompt": []}, "prompt: is not a list"),
        ({"prompt": ["1+1?"]}, "prompt: got '1+1?'"),
        ({"prompt": [{"image": "images/gone.png"}]}, "gone.png can't be read"),
        ({"prompt": [{"digest": "00"}]}, "no image images/00"),
    ],
)
def test_a_line_that_does_not_fit_is_named(tmp_path, change, message):
    if message is None:
        bad, message = {key: value for key, value in GOOD.items() if key != "answer"}, "has no 'answer'"
    else:
        bad = {**GOOD, **change}
    (tmp_path / "set.jsonl").write_text(json.dumps(GOOD) + "\n" + json.dumps(bad) + "\n")
    with pytest.raises(DataError, match=r"set\.jsonl, line 2") as caught:
        read_problems(tmp_path / "set.jsonl")
    assert message in str(caught.value)


def test_a_file_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_problems(tmp_path / "gone.jsonl")


def test_problems_are_no_demonstrations(tmp_path):
    (tmp_path / "set.jsonl").write_text(json.dumps(GOOD))
    with pytest.raises(DataError, match="no `response`"):
        read_demonstrations(tmp_path / "set.jsonl")


def test_facts_that_are_no_json_are_refused_and_nothing_is_written(tmp_path):
    problem = Problem((Text("?"),), "1", "number", "text", "d", metadata={"scene": np.zeros(2)})
    with pytest.raises(DataError, match="plain JSON values"):
        write_problem_file(tmp_path / "set.jsonl", [problem])
    assert not list(tmp_path.iterdir())


def test_prepared_sets_are_counted_disjoint_and_whole(tmp_path):
    counts = SetCounts(demonstrations=20, validation_per_modality=6, test_per_modality=5, train_sample=16)
    written = {item.path.name: item for item in write_problems(recipe(), 0, tmp_path, counts)}
    assert written["validation.jsonl"].by_modality == {"text": 6, "real": 6, "synthetic": 6, "rendered": 6}
    assert written["demonstrations.jsonl"].by_source == {"sums": 5, "digits": 5, "drawn": 5, "places": 5}
    assert written["train_sample.jsonl"].by_source == {"sums": 4, "digits": 4, "drawn": 4, "places": 4}
    held_out = [p for name in ("validation", "test") for p in read_problems(tmp_path / f"{name}.jsonl")]
    banned = {p.id for p in held_out}
    assert len(banned) == 44
    seen = [d.problem for d in read_demonstrations(tmp_path / "demonstrations.jsonl")]
    seen += read_problems(tmp_path / "train_sample.jsonl")
    assert not {p.id for p in seen} & banned
    assert not {p.twin for p in seen} & banned


def test_prepared_rows_without_worked_responses_have_no_demonstrations(tmp_path):
    """`vlrl prepare` on rows with question and answer alone, and beside a source that has some."""
    rows = "".join(json.dumps({"question": f"{i}?", "answer": "2"}) + "\n" for i in range(60))
    (tmp_path / "rows.jsonl").write_text(rows)
    own = {"name": "own", "kind": "file", "path": "rows.jsonl", "modality": "text", "verifier": "number"}
    sums = {"name": "sums", "kind": "domain", "domain": "arithmetic"}
    counts = SetCounts(demonstrations=20, validation_per_modality=3, test_per_modality=3, train_sample=10)
    for number, sources in enumerate(([own], [own, sums])):
        (tmp_path / "recipe.yaml").write_text(json.dumps({"sources": sources}))
        held = load_recipe(tmp_path / "recipe.yaml")
        written = {one.path.stem: one for one in write_problems(held, 0, tmp_path / str(number), counts)}
        assert sum(written["train_sample"].by_source.values()) == 10
        assert written["demonstrations"].by_source == {"sums": 10} if number else "demonstrations" not in written
    with pytest.raises(ConfigError, match="source 'own': has no demonstrations"):  # counted by name, they are wanted
        write_problems(held, 0, tmp_path / "2", counts.model_copy(update={"demonstrations": {"own": 5}}))


def test_sets_of_size_zero_are_left_out(tmp_path):
    counts = SetCounts(demonstrations=0, validation_per_modality=0, test_per_modality=0, train_sample=4)
    assert [item.path.name for item in write_problems(recipe(), 0, tmp_path, counts)] == ["train_sample.jsonl"]


@pytest.mark.parametrize("text", ["a\x00b", "\x00"])
def test_what_a_policy_wrote_may_hold_any_character_and_the_rest_may_not(tmp_path, text):
    asked = Problem((Text("1 + 2?"),), "3", "number", "text", "sums")
    write_problem_file(tmp_path / "d.jsonl", [Demonstration(asked, text)])
    assert read_demonstrations(tmp_path / "d.jsonl")[0].response == text
    write_problem_file(tmp_path / "p.jsonl", [Preference(asked, text, "3")])
    assert read_preferences(tmp_path / "p.jsonl")[0].chosen == text
    write_problem_file(tmp_path / "q.jsonl", [replace(asked, answer=text)])
    with pytest.raises(DataError, match="NUL"):
        read_problems(tmp_path / "q.jsonl")


def test_a_demonstration_keeps_the_turns_before_its_response(tmp_path):
    problem = Problem((Text("How many?"),), "3", "number", "text", "tests")
    items = [Demonstration(problem, "3", ("<tool_call>{}</tool_call>", "so")), Demonstration(problem, "4")]
    write_problem_file(tmp_path / "demos.jsonl", items)
    assert read_demonstrations(tmp_path / "demos.jsonl") == items
    written = (tmp_path / "demos.jsonl").read_text()
    (tmp_path / "demos.jsonl").write_text(written.replace('"so"]', "3]"))
    with pytest.raises(DataError, match=r"line 1, turns: is \['<tool_call>"):
        read_demonstrations(tmp_path / "demos.jsonl")


def test_a_preference_keeps_that_a_side_was_cut(tmp_path):
    asked = Problem((Text("1 + 2?"),), "3", "number", "text", "sums")
    pairs = [Preference(asked, "3", f"long {ended}", True, ended) for ended in (True, False)]
    write_problem_file(tmp_path / "p.jsonl", pairs)
    assert read_preferences(tmp_path / "p.jsonl") == pairs
    text = (tmp_path / "p.jsonl").read_text()
    assert text.count("rejected_ended") == 1
    (tmp_path / "p.jsonl").write_text(text.replace('"rejected_ended": false', '"rejected_ended": "no"'))
    with pytest.raises(DataError, match=r"rejected_ended: is 'no'"):
        read_preferences(tmp_path / "p.jsonl")
