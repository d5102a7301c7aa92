"""Rows of judgements: balanced, no two alike, held out by problem, from rewriting and from rollouts; and on disk."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import as_image, pixels

from vlrl.data.fixed_sets import demonstrations, usable_items
from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.recipe import load_recipe
from vlrl.data.rows.bad_rows import SkippedRows
from vlrl.data.sources import build_sources
from vlrl.errors import ConfigError, DataError
from vlrl.reward_models.judged_row import JudgedRow, as_judged, group_of, row_of
from vlrl.reward_models.make_rows import (
    MakeSettings,
    balanced,
    deduplicated,
    make_rows,
    refuse_shared_problems,
    split_by_problem,
)
from vlrl.reward_models.rollout_rows import rollout_rows
from vlrl.reward_models.row_files import read_row_folder, write_rows
from vlrl.runlog.run_folder import RunFolder
from vlrl.training.reward_models.train_chain_of_thought import all_reasoned
from vlrl.types import Group, Image, Problem, Rollout, ScoredGroup, Segment, Text, Verdict
from vlrl.verify.learned.asked_answer import tame

MAKE = MakeSettings.model_validate({"rewriting": {"problems": 200, "answers": 2}, "held_out": 0.2})


@pytest.fixture(scope="module")
def made():
    return make_rows(MAKE, 3)


def row(
    answer: str, correct: bool, question: str = "How much?", group: str = "", origin: str = "numbers/x"
) -> JudgedRow:
    problem = Problem((Text(question),), "5", "number", "text", "numbers")
    return JudgedRow(problem, answer, correct, origin, group or group_of(problem), "5; 5; same")


def test_half_of_each_kind_of_row_is_right_in_every_split(made):
    for of_split in made.splits.values():
        labels = Counter((one.origin.partition("/")[0], one.correct) for one in of_split)
        for kind in {kind for kind, _ in labels}:
            assert labels[kind, True] == labels[kind, False]


def test_no_two_rows_are_alike_and_no_problem_is_on_two_sides(made):
    everything = [one for of_split in made.splits.values() for one in of_split]
    assert len({one.content for one in everything}) == len(everything)
    groups = [{one.group for one in made.splits[name]} for name in ("train", "validation", "test")]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    refuse_shared_problems(made.splits["train"], made.splits["test"])


def test_a_planted_leak_into_the_test_is_refused(made):
    leaked = made.splits["train"][0]
    with pytest.raises(DataError, match="1 of them are of problems that are trained on"):
        refuse_shared_problems(made.splits["train"], [*made.splits["test"], leaked])
    elsewhere = replace(leaked, group="another")
    with pytest.raises(DataError, match="trained on"):
        refuse_shared_problems(made.splits["train"], [*made.splits["test"], elsewhere])


def test_the_same_seed_makes_the_same_rows_and_another_seed_others(made):
    assert make_rows(MAKE, 3).splits == made.splits
    assert make_rows(MAKE, 4).splits["test"] != made.splits["test"]


def test_answers_that_talk_to_their_judge_are_wrong_and_about_as_many_as_asked(made):
    everything = [one for of_split in made.splits.values() for one in of_split]
    talks = [one for one in everything if one.origin.endswith("/injection")]
    wrong = sum(not one.correct for one in everything)
    assert not any(one.correct for one in talks)
    assert 0.03 < len(talks) / wrong < 0.2
    assert all(tame(one.answer) == one.answer for one in everything)


def test_what_two_rows_contradict_each_other_about_is_left_out():
    kept, removed = deduplicated([row("5", True), row("6", False), row("5", False), row("6", False), row("7", False)])
    assert [one.answer for one in kept] == ["6", "7"]
    assert removed == {"labelled both right and wrong": 2, "given twice": 1}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["a", "b"])), max_size=30), st.integers(0, 9))
def test_balancing_keeps_as_many_of_each_label_and_never_adds(labels, seed):
    rows = [row(str(i), label, origin=f"{kind}/x") for i, (label, kind) in enumerate(labels)]
    kept = balanced(rows, np.random.default_rng(seed))
    assert [one for one in rows if one in kept] == kept
    for kind in ("a", "b"):
        of_kind = [one.correct for one in rows if one.origin == f"{kind}/x"]
        chosen = [one.correct for one in kept if one.origin == f"{kind}/x"]
        assert sum(chosen) == len(chosen) - sum(chosen) == min(sum(of_kind), len(of_kind) - sum(of_kind))


def test_about_the_share_that_was_asked_for_is_held_out():
    splits = split_by_problem([row("5", True, group=str(i)) for i in range(2000)], 0.1, 0)
    assert 150 < len(splits["test"]) < 250
    assert 150 < len(splits["validation"]) < 250


def test_too_few_problems_for_a_test_are_an_error_that_says_what_to_do():
    few = MakeSettings.model_validate({"rewriting": {"problems": 2}})
    with pytest.raises(DataError, match="ask for more problems"):
        make_rows(few, 0)
    with pytest.raises(ConfigError, match="names no rows"):
        MakeSettings(rewriting=None)
    with pytest.raises(ConfigError, match="unknown family 'number'"):
        MakeSettings.model_validate({"rewriting": {"families": ["number"]}})


def test_rows_come_back_from_disk_as_they_were_and_a_changed_file_is_refused(made, tmp_path: Path):
    write_rows(tmp_path / "rows", made, "Judge. ", "salt", ImageBudget(), {"seed": 3})
    held = read_row_folder(tmp_path / "rows")
    for name in ("train", "validation", "test"):
        assert held.rows(name) == list(made.splits[name])
    with open(tmp_path / "rows" / "test.jsonl", "a") as file:
        file.write("\n")
    with pytest.raises(DataError, match="isn't what"):
        held.rows("test")
    with pytest.raises(DataError, match="holds no rows"):
        read_row_folder(tmp_path)


def test_the_recipe_of_the_rows_asks_what_the_judge_is_asked(made, tmp_path: Path):
    held = write_rows(tmp_path / "rows", made, "Judge. ", "salt", ImageBudget(), {})
    by_recipe = demonstrations(load_recipe(held.recipe), 0, "all", [], None)
    assert {(one.problem.prompt, one.response) for one in by_recipe} == {
        (one.problem.prompt, one.response) for one in held.demonstrations("train")
    }


def test_an_answer_can_not_know_the_mark_around_it_and_another_salt_has_others():
    one, other = row("5", True), row("5 and more", False)
    asked = [as_judged(some.asked, "", salt) for some, salt in ((one, "a"), (one, "b"), (other, "a"))]
    lines = [problem.question.rsplit("\n", 1)[1] for problem in asked]
    marks = [line.split(" ")[0] for line in lines]
    assert lines[0] == f"{marks[0]} 5 {marks[0]}"
    assert len(set(marks)) == 3
    assert asked[0].question.startswith("Question: How much?\nReference: 5\n")


def group(problem: Problem, *said: tuple[str, Verdict]) -> ScoredGroup:
    rollouts = tuple(Rollout((Segment((1,), (0.0,), 0),), text, "stop") for text, _ in said)
    return ScoredGroup.of(Group(problem, rollouts), [verdict for _, verdict in said])


def test_rollouts_of_a_run_become_rows_with_its_verdicts_as_labels(tmp_path: Path):
    image = as_image(pixels(1))
    seen = Problem((image, Text("How many?")), "3", "number", "real", "cards", "own")
    run = RunFolder(tmp_path / "run", {})
    said = [
        ("<answer>3</answer>", Verdict.right("3")),
        ("so <answer>4</answer>", Verdict.wrong("another", "4")),
        ("<answer>5</answer>", Verdict.broken("the worker died")),
        ("<think>3", Verdict.wrong("no answer")),
        ("<answer>6</answer>", Verdict(0.5, False, "6")),
    ]
    run.rollouts("rl", 1, [group(seen, *said)])
    rows, left = rollout_rows(tmp_path / "run")
    assert [(one.answer, one.correct, one.rule) for one in rows] == [("3", True, False), ("4", False, False)]
    assert left["the verifier failed"] == left["a part of the score"] == 1
    assert sum(left.values()) == 3
    asked = as_judged(rows[0].asked, "", "")
    assert [piece.digest for piece in asked.prompt if isinstance(piece, Image)] == [image.digest]
    assert row_of(rows[0].demonstration("", "")) == replace(
        rows[0], problem=row_of(rows[0].demonstration("", "")).problem
    )
    (tmp_path / "run" / "images" / f"{image.digest}.png").unlink()
    with pytest.raises(DataError, match="is gone"):
        rollout_rows(tmp_path / "run")
    with pytest.raises(DataError, match="no such file"):
        rollout_rows(tmp_path)


def test_rows_without_a_reasoning_demonstrate_nothing_in_the_recipe(made, tmp_path: Path):
    silent = {name: [replace(one, thought="") for one in rows] for name, rows in made.splits.items()}
    held = write_rows(tmp_path / "rows", replace(made, splits=silent), "", "", ImageBudget(), {})
    rows = [json.loads(line) for line in (tmp_path / "rows/recipe_rows/text_train.jsonl").read_text().splitlines()]
    assert {one["response"] for one in rows} == {None}
    assert held.rows("train")[0].thought == ""
    recipe = load_recipe(held.recipe)
    problems = list(usable_items(build_sources(recipe, 0)[0], "train", SkippedRows(recipe)))
    assert len(problems) == len(rows)
    with pytest.raises(ConfigError, match="has no demonstrations"):
        demonstrations(recipe, 0, "all")


def test_rows_with_a_reasoning_demonstrate_beside_those_without(made, tmp_path: Path):
    mixed = {
        name: [replace(one, thought=one.thought if at % 2 else "") for at, one in enumerate(rows)]
        for name, rows in made.splits.items()
    }
    held = write_rows(tmp_path / "rows", replace(made, splits=mixed), "", "", ImageBudget(), {})
    drawn = demonstrations(load_recipe(held.recipe), 0, "all")
    assert len(drawn) == len(mixed["train"]) // 2
    assert all(one.response.startswith("<think>") for one in drawn)
    assert all_reasoned(held) == "all"


def test_a_source_without_any_reasoning_is_asked_for_none(made, tmp_path: Path):
    image = as_image(pixels(1))
    seen = [
        replace(one, problem=replace(one.problem, modality="real", prompt=(image, *one.problem.prompt)), thought="")
        if at % 3 == 0
        else one
        for at, one in enumerate(made.splits["train"])
    ]
    splits = {**made.splits, "train": seen}
    held = write_rows(tmp_path / "rows", replace(made, splits=splits), "", "", ImageBudget(), {})
    asked = all_reasoned(held)
    assert asked == {"judgements_text": sum(bool(one.thought) for one in seen)}
    assert len(demonstrations(load_recipe(held.recipe), 0, asked)) == asked["judgements_text"]
