"""A row that can't be used ends the run by name, or is left out, named and counted, within a bound."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from vlrl.data.fixed_sets import held_out_problems
from vlrl.data.inspection.recipe_sample import draw_sample
from vlrl.data.mixture import Mixture
from vlrl.data.recipe import Recipe
from vlrl.errors import BadRowError, DataError
from vlrl.types import Problem


def recipe_of(folder: Path, rows: list[dict | str], *more: dict, **settings) -> Recipe:
    file = folder / "rows.jsonl"
    file.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    source = {"name": "rows", "kind": "file", "path": str(file), "modality": "text", "verifier": "number"}
    return Recipe.model_validate({"sources": [{**source, "held_out": 0.0, **settings}, *more]})


def rows_with(*bad: dict | str, good: int = 8) -> list[dict | str]:
    rows: list[dict | str] = [{"question": f"{i} + 1?", "answer": str(i + 1)} for i in range(good)]
    for number, row in enumerate(bad):
        rows.insert(2 * number + 1, row)
    return rows


BAD = [{"question": "?", "answer": None}, {"question": "no answer"}, "{not json", "[1, 2]", "{}"]


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_row_is_an_error_unless_it_is_to_be_skipped(tmp_path, bad):
    with pytest.raises(DataError, match=r"rows\.jsonl, line 2"):
        Mixture(recipe_of(tmp_path, rows_with(bad)), 0).draw(8)


def test_skipped_rows_are_named_and_counted_by_reason_and_the_others_drawn(tmp_path, caplog):
    recipe = recipe_of(tmp_path, rows_with(*BAD), on_bad_row="skip")
    mixture = Mixture(recipe, 0)
    with caplog.at_level(logging.WARNING):
        drawn = mixture.draw(16)
    assert sorted(int(problem.answer) for problem in drawn) == sorted(2 * list(range(1, 9)))
    assert mixture.counts["bad_rows"]["rows"] >= len(BAD)
    assert sum(mixture.skipped.reasons["rows"].values()) == mixture.counts["bad_rows"]["rows"]
    assert len(mixture.skipped.reasons["rows"]) >= 4  # by what is wrong, not by row
    assert "rows.jsonl, line 2" in caplog.text
    sample = draw_sample(recipe, 0, 100)
    assert len(sample.items) == 8
    assert sum(sample.bad["rows"].values()) == len(BAD)


def test_more_bad_rows_than_the_bound_are_an_error_that_counts_and_names_one(tmp_path):
    rows = rows_with(*BAD, good=20)
    assert Mixture(recipe_of(tmp_path, rows, on_bad_row="skip", max_bad_rows_rate=0.2), 0).draw(1)
    with pytest.raises(DataError, match=r"5 of 25 rows.*line 10"):
        Mixture(recipe_of(tmp_path, rows, on_bad_row="skip", max_bad_rows_rate=0.1), 0)


def test_where_only_images_may_be_skipped_other_faults_stop(tmp_path):
    with pytest.raises(DataError, match="line 2"):
        Mixture(recipe_of(tmp_path, rows_with(BAD[0]), on_bad_image="skip"), 0)
    missing = {"question": "?", "answer": "1", "images": ["gone.png"]}
    apart = {"modality": "real", "on_bad_row": "skip", "on_bad_image": "error"}
    with pytest.raises(DataError, match=r"gone\.png"):
        Mixture(recipe_of(tmp_path, [missing], **apart), 0)


def test_a_check_of_the_run_makes_bad_rows_too(tmp_path):
    def short_enough(problem: Problem) -> None:
        if "3 +" in problem.question:
            raise DataError("prompt", "has 900 tokens, 800 fit", "raise the context")

    rows = rows_with()
    with pytest.raises(BadRowError, match=r"rows\.jsonl, line 4, prompt: has 900 tokens"):
        Mixture(recipe_of(tmp_path, rows), 0, check=short_enough).draw(8)
    mixture = Mixture(recipe_of(tmp_path, rows, on_bad_row="skip"), 0, check=short_enough)
    assert sorted(problem.answer for problem in mixture.draw(7)) == ["1", "2", "3", "5", "6", "7", "8"]
    held = recipe_of(tmp_path, rows, on_bad_row="skip", validation_path=str(tmp_path / "rows.jsonl"))
    assert len(held_out_problems(held, 0, "validation", 10, check=short_enough)) == 7


def test_a_text_that_can_not_be_drawn_is_a_bad_row_of_its_source(tmp_path, monkeypatch):
    from vlrl.data import sources

    def picky(text, *args, **settings):
        if "3 +" in text.question:
            raise DataError("style plain", "can't draw '🍎'", "choose another font")
        return draw(text, *args, **settings)

    draw = sources.rendered_twin
    monkeypatch.setattr(sources, "rendered_twin", picky)
    drawn = {"name": "drawn", "kind": "rendered", "of": "rows", "style": "plain"}
    with pytest.raises(BadRowError, match=r"source 'drawn', .*rows\.jsonl, line 4, style plain: can't draw"):
        Mixture(recipe_of(tmp_path, rows_with(), drawn), 0).draw(16)
    mixture = Mixture(recipe_of(tmp_path, rows_with(), drawn, on_bad_row="skip"), 0)
    problems = mixture.draw(16)
    assert sum(problem.source == "rows" for problem in problems) == 8
    assert "4" not in [problem.answer for problem in problems if problem.source == "drawn"]
    assert mixture.counts["bad_rows"] == {"rows": 0, "drawn": 1}


def test_a_stream_goes_on_behind_a_bad_row(tmp_path):
    rows = rows_with({"question": "?", "answer": None}, good=30)
    recipe = recipe_of(tmp_path, rows, on_bad_row="skip", streaming=True, held_out=0.1)
    mixture = Mixture(recipe, 0)
    assert len(mixture.draw(60)) == 60
    assert mixture.counts["bad_rows"]["rows"] >= 1
