"""Every recipe that is shipped loads, draws, and its gold answers are right by their own verifiers."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from vlrl.data.benchmarks.benchmark_rows import read_benchmark
from vlrl.data.images.open_images import BadImageError, open_image
from vlrl.data.mixture import Mixture, demonstrations, held_out_problems
from vlrl.data.recipe import load_recipe
from vlrl.data.rows.row_to_problem import RowReader
from vlrl.data.source_settings import FileSourceSettings
from vlrl.data.sources import build_sources
from vlrl.data.tables.records import read_records
from vlrl.data.tables.table_files import JsonLines
from vlrl.errors import ConfigError
from vlrl.verify.judge import judge

FOLDER = Path(__file__).parents[2] / "data_recipes"
GENERATED = ["quickstart", "text_only", "vision_only", "charts_tables", "puzzles", "plugin_domain", "small_glyph"]
GENERATED += sorted(file.stem for file in FOLDER.glob("ring_walk*.yaml"))
WITH_DATA = ["real_images", "k15_mix", "documents", "evaluation_sets"]
needs_data = pytest.mark.skipif("VLRL_DATA" not in os.environ, reason="VLRL_DATA names no folder of problem sets")


def test_every_shipped_recipe_is_tested_here():
    elsewhere = {
        "image_maze",  # its environment shows the images: tests/rollout/environments
        "own_jsonl",  # it reads what a variable names: tests/test_configs.py
        "tiny_programs",  # what it judges runs in the sandbox: tests/test_examples.py
        "drawn_figures",
    }
    assert {file.stem for file in FOLDER.glob("*.yaml")} == {*GENERATED, *WITH_DATA, *elsewhere}


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_recipe_draws_problems_that_open_and_are_judged_right(name):
    recipe = load_recipe(FOLDER / f"{name}.yaml")
    held_out = held_out_problems(recipe, 0, "validation", 10)
    drawn = Mixture(recipe, 0, held_out).draw(60)
    worked = demonstrations(recipe, 0, 60, held_out)
    for problem, response in [
        *((problem, f"<answer>{problem.answer}</answer>") for problem in drawn + held_out),
        *((demonstration.problem, demonstration.response) for demonstration in worked),
    ]:
        assert judge(problem, response).score == 1.0, (problem, response)
        for image in problem.images:
            opened = open_image(image, recipe.image)
            assert recipe.image.min_pixels <= opened.width * opened.height <= recipe.image.max_pixels
            assert np.asarray(opened).std() > 2


def test_the_quickstart_draws_its_four_modalities_by_exact_weight():
    recipe = load_recipe(FOLDER / "quickstart.yaml")
    for problems in (Mixture(recipe, 0).draw(400), [d.problem for d in demonstrations(recipe, 0, 400)]):
        assert Counter(p.modality for p in problems) == {"text": 40, "real": 120, "synthetic": 190, "rendered": 50}


def test_modalities_name_where_the_content_comes_from():
    modalities = {
        name: {p.modality for p in Mixture(load_recipe(FOLDER / f"{name}.yaml"), 0).draw(40)} for name in GENERATED
    }
    assert modalities["text_only"] == {"text"}
    assert modalities["vision_only"] == {"real", "synthetic"}
    assert modalities["plugin_domain"] == {"synthetic"}


def test_without_its_variable_the_recipe_of_real_images_says_what_to_export(monkeypatch):
    monkeypatch.delenv("VLRL_DATA", raising=False)
    with pytest.raises(ConfigError, match="VLRL_DATA is not set") as caught:
        load_recipe(FOLDER / "real_images.yaml")
    assert "export VLRL_DATA" in caught.value.remedy


@pytest.mark.real_data
@needs_data
def test_all_rows_of_the_nine_sets_load_and_their_gold_answers_are_right():
    rows, right, splits_of = Counter(), Counter(), defaultdict(set)
    for name in ("real_images", "evaluation_sets"):
        for source in build_sources(load_recipe(FOLDER / f"{name}.yaml"), 0):
            splits = ("test",) if name == "evaluation_sets" else ("train", "validation", "test")
            for split in splits:
                for index in range(source.size_of(split)):
                    problem, _ = source.item(split, index)
                    rows[source.name] += 1
                    splits_of[problem.id].add(split)
                    right[source.name] += judge(problem, f"<answer>{problem.answer}</answer>").score == 1
    assert rows == {
        "blood_cells": 190,
        "playing_cards": 210,
        "receipts_sroie": 200,
        "puzzlevqa": 388,
        "dynamath": 330,
        "tabmwp": 400,
        "gsm8k": 1300,
        "mathvision": 304,
        "bjj_vqa": 57,
    }
    assert right == rows  # no exceptions to list
    assert all(len(splits) == 1 for splits in splits_of.values())  # a row that is there twice stays on one side


@pytest.mark.real_data
@needs_data
@pytest.mark.parametrize("name", ["k15_mix", "documents"])
def test_a_recipe_with_public_sets_draws_its_shares_and_its_gold_answers_are_right(name):
    recipe = load_recipe(FOLDER / f"{name}.yaml")
    drawn = Mixture(recipe, 0).draw(100)
    for problem in drawn:
        assert judge(problem, f"<answer>{problem.answer}</answer>").score == 1.0, problem.question
    shares = Counter(problem.modality for problem in drawn)
    expected = {"k15_mix": {"text": 40, "real": 20, "synthetic": 25, "rendered": 15}}.get(name)
    assert expected is None or shares == expected
    assert name != "documents" or shares["rendered"] in (55, 56)


@pytest.mark.real_data
@needs_data
def test_a_set_to_evaluate_on_is_not_trained_on():
    recipe = load_recipe(FOLDER / "evaluation_sets.yaml")
    assert len(held_out_problems(recipe, 0, "test", 1000)) == 361
    with pytest.raises(ConfigError, match=r"'mathvision'.*is an evaluation set"):
        recipe.refuse_evaluation_sets()
    with pytest.raises(ConfigError, match="is an evaluation set"):
        Mixture(recipe, 0).draw(1)
    forced = load_recipe(
        FOLDER / "evaluation_sets.yaml", ["sources.mathvision.force=true", "sources.bjj_vqa.force=true"]
    )
    assert forced.forced_evaluation_sets == ("mathvision", "bjj_vqa")
    assert len(Mixture(forced, 0).draw(20)) == 20


@pytest.mark.real_data
@needs_data
@pytest.mark.parametrize(
    ("layout", "file"),
    [
        ("mathvista", "mathvista/testmini.jsonl"),
        ("mmmu", "mmmu/outputs_llava1.5_13b_val.jsonl"),
        ("mmmu-pro", "mmmu_pro/outputs_gpt-4o_standard10_direct.jsonl"),
    ],
)
def test_the_rows_of_sets_without_images_parse_and_a_missing_image_is_named(layout, file):
    path = Path(os.environ["VLRL_DATA"]) / file
    source = FileSourceSettings(name="set", path=str(path), layout=layout, modality="real")
    assert source.is_evaluation_set
    problems = read_benchmark(layout, read_records(str(path), "--problems"))
    assert all(row.problem.answer for row in problems)
    named = {"image_1": "nowhere.png"} if layout != "mathvista" else {}
    table = JsonLines(path)
    with pytest.raises(BadImageError) as caught:
        RowReader(source, table.folder).problem({**table.row(3), **named}, table.place(3))
    assert "line 4" in caught.value.place
    assert "is not there" in caught.value.problem


@pytest.mark.real_data
@needs_data
def test_real_images_open_inside_the_budget_and_choices_are_shown():
    recipe = load_recipe(FOLDER / "real_images.yaml")
    for problem in Mixture(recipe, 0).draw(70):
        assert len(problem.images) == (0 if problem.source == "gsm8k" else 1)
        for image in problem.images:
            opened = open_image(image, recipe.image)
            assert opened.width * opened.height <= recipe.image.max_pixels
        for choice in problem.metadata.get("choices", ()):
            assert re.search(rf"\([A-Z]\) {re.escape(choice)}(\n|$)", problem.question)


@pytest.mark.real_data
@needs_data
def test_a_real_word_problem_has_a_rendered_twin():
    from vlrl.data.recipe import Recipe

    path = f"{os.environ['VLRL_DATA']}/gsm8k/train.jsonl"
    text = {"name": "gsm8k", "kind": "file", "path": path, "modality": "text", "verifier": "number"}
    drawn = {"name": "drawn", "kind": "rendered", "of": "gsm8k", "style": "plain", "distortion": {}}
    problems = held_out_problems(Recipe.model_validate({"sources": [text, drawn]}), 0, "test", 40)
    twins = {p.twin: p for p in problems if p.modality == "rendered"}
    for problem in problems[:40]:
        assert twins[problem.id].answer == problem.answer
        assert open_image(twins[problem.id].images[0]).width == 448
