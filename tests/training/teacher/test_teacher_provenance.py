"""Records of another teacher than that of SFT are refused without anything typed in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vlrl.data.recipe import Recipe
from vlrl.data.teacher.teacher_records import RecordsHead
from vlrl.errors import DataError
from vlrl.training.teacher.teacher_provenance import FILE, check_teacher, keep_teachers, teachers_of, writers_of

HEAD = RecordsHead(tokenizer="t", teacher="big", writer="small", temperature=1.0)
RECORDS = Path("records")


def source(name: str, **more) -> dict:
    return {"name": name, "kind": "file", "path": "org/name", "modality": "text", "verifier": "number", **more}


def test_the_writers_are_those_of_the_sources_that_were_learned_from():
    sources = [source("a", written_by="big"), source("b", written_by="small"), source("c")]
    recipe = Recipe.model_validate({"sources": [*sources, {"name": "d", "kind": "domain", "domain": "arithmetic"}]})
    assert writers_of(recipe, ["a", "c", "d"]) == ("big",)
    assert writers_of(recipe, ["a", "b", "a"]) == ("big", "small")
    assert writers_of(recipe, ["c", "d"]) == ()


def test_they_lie_beside_the_weights(tmp_path):
    keep_teachers(tmp_path, ())
    assert not (tmp_path / FILE).exists()
    assert teachers_of(tmp_path) == teachers_of("owner/name") == teachers_of(None) == ()
    keep_teachers(tmp_path, ("big",))
    assert teachers_of(str(tmp_path)) == ("big",)
    assert json.loads((tmp_path / FILE).read_text()) == {"teachers": ["big"]}


@pytest.mark.parametrize(
    ("named", "taught_by"),
    [(None, ()), (None, ("big",)), (None, ("other", "big")), ("any", ("other",)), ("big", ("x",))],
)
def test_a_teacher_that_fits_is_taken(named, taught_by):
    check_teacher(HEAD, RECORDS, named, taught_by)


@pytest.mark.parametrize(
    ("named", "taught_by", "said"),
    [(None, ("other",), "supervised on responses of other"), ("else", ("big",), r"distil\.teacher is else")],
)
def test_another_teacher_is_refused(named, taught_by, said):
    with pytest.raises(DataError, match=said) as caught:
        check_teacher(HEAD, RECORDS, named, taught_by)
    assert "big" in caught.value.problem
    assert "any" in caught.value.remedy
