"""Sources that ask in words of their own: in training, validation and test, and as demonstrations."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from vlrl.data.fixed_sets import demonstrations, held_out_problems, ids_of
from vlrl.data.mixture import Mixture
from vlrl.data.problem_files import read_problems, write_problem_file
from vlrl.data.recipe import Recipe
from vlrl.errors import ConfigError
from vlrl.evaluation.held_out import twin_places
from vlrl.scenes.domain import domain
from vlrl.types import Draft, Problem, Text

BOXED = "{question}\nThink, then put the answer in \\boxed{}."
SUMS = {"kind": "domain", "domain": {"name": "arithmetic", "operations": "+-"}}
DRAWN = {"name": "drawn", "kind": "rendered", "of": "sums", "style": {"name": "cells", "cell": 16, "size": 48}}


@domain("prompt_template_test_numbers", family="tests", modality="text")
@dataclass(frozen=True)
class Numbers:
    """One of sixty questions."""

    verifier = "number"

    def draw(self, rng, difficulty):
        number = int(rng.integers(60))
        return Draft(f"{number}+0=?", str(number), thought=f"{number}")


def recipe(*sources: dict) -> Recipe:
    return Recipe.model_validate({"sources": sources})


def typed(problem: Problem) -> str:
    return "".join(piece.text for piece in problem.prompt if isinstance(piece, Text))


def table(folder, count: int = 60) -> dict:
    path = folder / "rows.jsonl"
    rows = [{"question": f"{i} + 1?", "answer": i + 1, "worked": f"<answer>{i + 1}</answer>"} for i in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = {"kind": "file", "path": str(path), "modality": "text", "verifier": "number", "held_out": 0.2}
    return {**made, "columns": {"response": "worked"}}


def test_each_source_asks_in_its_own_words_wherever_its_problems_are_used(tmp_path):
    made = recipe(
        {"name": "rows", **table(tmp_path), "prompt_template": BOXED, "system_prompt": "Count."},
        {"name": "sums", **SUMS, "prompt_template": "Sum: {question}", "system_prompt": ""},
        {**DRAWN, "prompt_template": "{question} Read it."},
    )
    drawn = Mixture(made, 0).draw(30)
    held = [p for split in ("validation", "test") for p in held_out_problems(made, 0, split, 20)]
    warm = [one.problem for one in demonstrations(made, 0, 30)]
    for problems in (drawn, held, warm):
        assert {p.source for p in problems} == {"rows", "sums", "drawn"}
        for problem in problems:
            text, system = {
                "rows": (typed(problem).endswith(" + 1?\nThink, then put the answer in \\boxed{}."), "Count."),
                "sums": (typed(problem).startswith("Sum: "), ""),
                "drawn": (typed(problem) == " Read it.", None),
            }[problem.source]
            assert text, problem
            assert problem.system == system
    images = [image.source_text for p in drawn for image in p.images]
    assert images
    assert not any(
        "Sum:" in source_text for source_text in images
    )  # the question is drawn, without the text source's template


def test_words_change_the_problem_and_neither_its_split_nor_what_it_asks(tmp_path):
    plain, asked = (
        recipe({"name": "rows", **table(tmp_path), **more})
        for more in ({}, {"prompt_template": BOXED, "system_prompt": "Count."})
    )
    for split in ("validation", "test"):
        first, second = (held_out_problems(one, 0, split, 50) for one in (plain, asked))
        assert len(first) == len(second) > 5
        assert {p.id for p in first}.isdisjoint(p.id for p in second)
        assert ids_of(first) == ids_of(second)


def test_a_problem_that_is_held_out_is_not_trained_on_in_other_words():
    few = {"kind": "domain", "domain": {"name": "prompt_template_test_numbers"}}
    both = recipe({"name": "one", **few}, {"name": "two", **few, "prompt_template": BOXED})
    held = held_out_problems(both, 0, "test", 8)
    assert {p.content_id for p in held} & {p.content_id for p in Mixture(both, 0).draw(200)}
    assert ids_of(held).isdisjoint(p.content_id for p in Mixture(both, 0, held).draw(200))


def test_a_text_and_its_rendered_twin_are_a_pair_though_they_are_asked_in_other_words():
    made = recipe({"name": "sums", **SUMS, "prompt_template": BOXED}, {**DRAWN, "prompt_template": "{question} Read."})
    held = held_out_problems(made, 0, "test", 10)
    pairs = twin_places(held)
    assert len(pairs) == 10
    assert all(held[text].answer == held[drawn].answer for text, drawn in pairs)


def test_a_problem_file_keeps_the_system_prompt(tmp_path):
    asked = Problem((Text("1 + 2?"),), "3", "number", "text", "sums", system="Count.")
    plain = Problem((Text("1 + 2?"),), "3", "number", "text", "sums")
    write_problem_file(tmp_path / "set.jsonl", [asked, plain])
    assert [p.system for p in read_problems(tmp_path / "set.jsonl")] == ["Count.", None]
    assert [p.id for p in read_problems(tmp_path / "set.jsonl")] == [asked.id, plain.id]
    assert asked.id != plain.id


@pytest.mark.parametrize("template", ["", "Answer it.", "{question} {question}", "{{ content | trim }}"])
def test_a_template_without_a_place_for_the_question_is_refused(template):
    with pytest.raises(ConfigError, match=r"prompt_template.*holds \{question\} once"):
        recipe({"name": "sums", **SUMS, "prompt_template": template})
