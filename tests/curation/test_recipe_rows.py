"""What is written is read again: as a problem file, and through the recipe beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from curation_cases import ask_image, ask_text, drawn_image, encoded

from vlrl.curation.recipe_rows import write_with_recipe
from vlrl.data.fixed_sets import demonstrations
from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.mixture import Mixture
from vlrl.data.problem_files import read_problems
from vlrl.data.recipe import load_recipe
from vlrl.errors import DataError
from vlrl.types import Demonstration, Problem, Text

BUDGET = ImageBudget(min_pixels=256, max_pixels=4096)


def problems() -> list[Problem]:
    one, two = encoded(drawn_image(1)), encoded(drawn_image(2))
    choices = {"choices": ["red", "blue"]}
    return [
        ask_text("3+4=?", source="sums", tags=("plain", "x")),
        ask_text("2+5=?", source="sums", tags=("plain",), metadata={"tolerance": 0.1}),
        ask_image(one, "Which?\n(A) red\n(B) blue", "B", source="own", verifier="choice", metadata=choices),
        Problem((Text("left "), one, Text(" right "), two), "7", "number", "real", "tests", "own"),
        ask_image(two, "How many?", source="own", domain="other", modality="synthetic"),
    ]


def test_the_recipe_gives_the_same_problems(tmp_path):
    held = problems()
    assert write_with_recipe(tmp_path, "curated", held, BUDGET, 0.0) == tmp_path / "curated.jsonl"
    assert [p.id for p in read_problems(tmp_path / "curated.jsonl")] == [p.id for p in held]
    recipe = load_recipe(tmp_path / "curated_recipe.yaml")
    assert recipe.image == BUDGET
    drawn = Mixture(recipe, 0).draw(5)
    assert {p.id for p in drawn} == {p.id for p in held}
    by_id = {p.id: p for p in drawn}
    for problem in held:
        assert by_id[problem.id].modality == problem.modality
        assert by_id[problem.id].domain == problem.domain
    assert by_id[held[0].id].tags == ("plain",)  # what all of a source carry


def test_problems_with_a_system_prompt_of_their_own_keep_it(tmp_path):
    asked = [replace(problem, system="Count.") for problem in problems()[:2]]
    write_with_recipe(tmp_path, "curated", [*asked, *problems()[2:]], BUDGET, 0.0)
    drawn = Mixture(load_recipe(tmp_path / "curated_recipe.yaml"), 0).draw(5)
    assert {p.id: p.system for p in drawn} == {p.id: p.system for p in [*asked, *problems()[2:]]}
    with pytest.raises(DataError, match="different system prompts"):
        write_with_recipe(tmp_path, "curated", problems()[:1] + asked[1:], BUDGET, 0.0)


def test_the_difficulty_of_a_source_that_has_one_throughout_goes_along(tmp_path):
    """As the stage `difficulty` leaves it: 1 − pass rate. A source that has it in part has it in the problem file."""
    rated = [replace(p, difficulty=0.1 * i) for i, p in enumerate(problems())]
    write_with_recipe(tmp_path, "curated", [*rated[:3], replace(rated[3], difficulty=None)], BUDGET, 0.0)
    recipe = load_recipe(tmp_path / "curated_recipe.yaml")
    assert {source.name: source.columns.difficulty for source in recipe.sources} == {"sums": "difficulty", "own": None}
    drawn = {p.id: p.difficulty for p in Mixture(recipe, 0).draw(4)}
    assert [drawn[p.id] for p in rated[:4]] == [0.0, 0.1, None, None]


def test_demonstrations_can_be_trained_on(tmp_path):
    held = [Demonstration(p, f"<think>so</think><answer>{p.answer}</answer>") for p in problems()]
    write_with_recipe(tmp_path, "demonstrations", held, BUDGET, 0.0, written_by="big")
    assert {source.written_by for source in load_recipe(tmp_path / "demonstrations_recipe.yaml").sources} == {"big"}
    found = demonstrations(load_recipe(tmp_path / "demonstrations_recipe.yaml"), 0, 5)
    assert {(d.problem.id, d.response) for d in found} == {(d.problem.id, d.response) for d in held}


def test_a_second_writing_leaves_nothing_of_the_first(tmp_path):
    write_with_recipe(tmp_path, "curated", problems(), BUDGET, 0.0)
    write_with_recipe(tmp_path, "curated", problems()[:1], BUDGET, 0.0)
    assert [file.name for file in (tmp_path / "curated_rows").iterdir()] == ["sums.jsonl"]
    write_with_recipe(tmp_path, "curated", [], BUDGET, 0.0)
    assert (tmp_path / "curated.jsonl").read_text() == ""
    assert not (tmp_path / "curated_recipe.yaml").exists()


def test_a_text_that_a_row_would_misread_is_refused(tmp_path):
    with pytest.raises(DataError, match="<image>"):
        write_with_recipe(tmp_path, "curated", [ask_text("What does <image> mean?")], BUDGET, 0.0)
