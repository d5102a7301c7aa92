"""Held-out problems, demonstrations and tokenizer texts."""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction

import pytest

from vlrl.data.fixed_sets import demonstrations, held_out_problems, recipe_texts, whole_shares
from vlrl.data.recipe import Recipe
from vlrl.errors import ConfigError, DataError

CELLS = {"name": "cells", "cell": 16, "size": 48}


def made(*more: dict) -> Recipe:
    sums = {"name": "sums", "kind": "domain", "domain": {"name": "arithmetic", "terms": [3, 4]}, "weight": 2}
    digits = {"name": "digits", "kind": "domain", "domain": {"name": "scanned_digits", "size": 48}, "weight": 1}
    photos = {"name": "photos", "kind": "domain", "domain": {"name": "photo_mosaic", "size": 48}, "weight": 3}
    drawn = {"name": "drawn", "kind": "rendered", "of": "sums", "style": CELLS, "weight": 2}
    return Recipe.model_validate({"sources": [sums, digits, photos, drawn, *more]})


def test_whole_shares_by_largest_remainder():
    thirds = {name: Fraction(1, 3) for name in "abc"}
    assert whole_shares(10, thirds) == {"a": 4, "b": 3, "c": 3}
    assert whole_shares(7, {"a": Fraction(1, 10), "b": Fraction(1, 2)}) == {"a": 1, "b": 6}


def test_held_out_problems_are_shared_by_weight_inside_a_modality():
    problems = held_out_problems(made(), 0, "validation", 8)
    assert Counter(p.modality for p in problems) == {"text": 8, "real": 8, "rendered": 8}
    assert Counter(p.source for p in problems) == {"sums": 8, "digits": 2, "photos": 6, "drawn": 8}


def test_rendered_held_out_problems_are_the_twins_of_the_text_ones():
    problems = held_out_problems(made(), 0, "test", 12)
    text = [p for p in problems if p.modality == "text"]
    rendered = [p for p in problems if p.modality == "rendered"]
    assert [p.twin for p in rendered] == [p.id for p in text]
    assert [(p.answer, p.verifier, p.domain) for p in rendered] == [(p.answer, p.verifier, p.domain) for p in text]


def test_held_out_sets_have_no_problem_twice_and_none_in_common():
    validation, test = (held_out_problems(made(), 0, split, 60) for split in ("validation", "test"))
    for problems in (validation, test):
        assert len({p.id for p in problems}) == len(problems)
    assert not {p.id for p in validation} & {p.id for p in test}


def test_held_out_images_come_from_the_held_out_part_of_the_pool(monkeypatch):
    from vlrl.scenes.scanned_digits import ScannedDigits

    asked = []
    draw = ScannedDigits.draw
    monkeypatch.setattr(ScannedDigits, "draw", lambda self, *a: (asked.append(self.split), draw(self, *a))[1])
    held_out_problems(made(), 0, "test", 8)
    demonstrations(made(), 0, 8)
    assert Counter(asked)["train"] == 1
    assert set(asked) == {"train", "held_out"}


def test_demonstrations_have_exact_weights_and_working_responses():
    found = demonstrations(made(), 0, 80)
    assert Counter(d.problem.source for d in found) == {"sums": 20, "digits": 10, "photos": 30, "drawn": 20}
    assert all(d.response.endswith(f"<answer>{d.problem.answer}</answer>") for d in found)
    assert len({d.problem.twin or d.problem.id for d in found if d.problem.source == "sums"}) == 20


def test_demonstrations_are_not_held_out_and_stay_the_same():
    held_out = held_out_problems(made(), 0, "validation", 50)
    banned = {p.id for p in held_out}
    found = demonstrations(made(), 0, 200, held_out)
    assert not {d.problem.id for d in found} & banned
    assert not {d.problem.twin for d in found} & banned
    assert [d.problem.id for d in found] == [d.problem.id for d in demonstrations(made(), 0, 200, held_out)]


def test_demonstrations_avoid_held_out_problems_and_their_twins_where_problems_are_few():
    sums = {"name": "sums", "kind": "domain", "domain": {"name": "arithmetic", "terms": [2, 2]}}  # about 110 problems
    drawn = {"name": "drawn", "kind": "rendered", "of": "sums", "style": CELLS}
    recipe = Recipe.model_validate({"sources": [sums, drawn]})
    held_out = [p for p in held_out_problems(recipe, 0, "test", 15) if p.modality == "text"]
    found = demonstrations(recipe, 0, 120, held_out)
    assert not {d.problem.twin or d.problem.id for d in found} & {p.id for p in held_out}


def rows(tmp_path, count: int, **columns: str) -> dict:
    file = tmp_path / "rows.jsonl"
    lines = [{"question": f"What is {i}?", "answer": str(i), "solution": f"it is {i}"} for i in range(count)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    settings = {"name": "rows", "kind": "file", "path": str(file), "modality": "text", "verifier": "number"}
    return {**settings, "columns": columns}


def test_a_source_without_demonstrations_is_an_error_that_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"'rows'.*has no demonstrations"):
        demonstrations(made(rows(tmp_path, 40)), 0, 80)


def test_a_column_of_thoughts_makes_demonstrations(tmp_path):
    recipe = Recipe.model_validate({"sources": [rows(tmp_path, 40, thought="solution")]})
    found = demonstrations(recipe, 0, 3)
    assert (
        found[0].response == f"<think>it is {found[0].problem.answer}</think><answer>{found[0].problem.answer}</answer>"
    )


def test_too_few_demonstrations_are_an_error(tmp_path):
    recipe = Recipe.model_validate({"sources": [rows(tmp_path, 10, thought="solution")]})
    with pytest.raises(DataError, match="of the 500"):
        demonstrations(recipe, 0, 500)


def test_a_finite_source_leaves_its_part_to_the_others_of_its_modality(tmp_path, caplog):
    short = rows(tmp_path, 50)
    both = made({**short, "weight": 2})
    problems = [p for p in held_out_problems(both, 0, "validation", 60) if p.modality == "text"]
    counts = Counter(p.source for p in problems)
    assert len(problems) == 60
    assert 1 <= counts["rows"] <= 12
    alone = Recipe.model_validate({"sources": [short]})
    few = held_out_problems(alone, 0, "validation", 60)
    assert [p.id for p in few] == [p.id for p in problems if p.source == "rows"]
    assert f"have {len(few)} problems, 60 were asked for" in caplog.text


def test_texts_hold_questions_and_worked_responses():
    texts = recipe_texts(made(), 0, 8)
    assert any(text.endswith("=?") for text in texts)
    assert sum("<think>" in text for text in texts) == 8


def test_a_source_of_few_problems_gives_the_tokenizer_all_its_texts():
    walks = {"name": "walks", "kind": "domain", "domain": {"name": "ring_walk", "moves": [1, 2], "kinds": "+-"}}
    texts = recipe_texts(Recipe.model_validate({"sources": [{**walks, "weight": 1}]}), 0, 4000)
    assert len(texts) == len(set(texts)) == 2 * (10 * 2 + 10 * 4)  # every question and how it is worked out


def test_all_demonstrations_are_every_one_of_a_file_and_no_number_for_an_endless_source(tmp_path):
    rows = [{"question": f"{i}+1=?", "answer": str(i + 1), "thought": f"{i}+1={i + 1}"} for i in range(20)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = {"name": "rows", "kind": "file", "path": str(tmp_path / "rows.jsonl"), "modality": "text"}
    columns = {"question": "question", "answer": "answer", "thought": "thought"}
    source = {**file, "verifier": "number", "columns": columns, "held_out": 0.1}
    recipe = Recipe.model_validate({"sources": [source]})
    found = {d.problem.id for d in demonstrations(recipe, 0, "all")}
    held = {p.id for split in ("validation", "test") for p in held_out_problems(recipe, 0, split, 20)}
    assert held
    assert len(found | held) == len(found) + len(held) == 20
    with pytest.raises(ConfigError, match="endless"):
        demonstrations(made(), 0, "all")
