"""A folder keeps the plan of its ablation and what its runs read; another plan or other contents are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from vlrl.errors import RunError
from vlrl.experiments.ablation.ablation_plan import inputs_of, keep_plan
from vlrl.experiments.ablation.ablation_settings import AblationSettings

BASE = {"name": "base", "model": {"build": "tiny-qwen3-vl"}, "rl": {"steps": 2}}
CURATION = {"name": "curation", "problems": 8, "stages": ["formats"], "model": {"path": "base"}}
ARMS = {"plain": {}, "pulled": {"rl.loss.tau": 2.0}}


@pytest.fixture
def place(tmp_path) -> Path:
    (tmp_path / "rows.jsonl").write_text("{}\n")
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({"sources": [{"kind": "file", "path": "rows.jsonl"}]}))
    (tmp_path / "other.yaml").write_text(yaml.safe_dump({"sources": []}))
    write(tmp_path, "base.yaml", {**BASE, "data": str(tmp_path / "recipe.yaml")})
    write(tmp_path, "curation.yaml", {**CURATION, "data": str(tmp_path / "recipe.yaml")})
    return tmp_path


def write(place, name, held):
    (place / name).write_text(yaml.safe_dump(held))


def plan(place, **more) -> AblationSettings:
    held = {"name": "tau", "base": str(place / "base.yaml"), "arms": ARMS, "seeds": [1], "folder": str(place / "out")}
    return AblationSettings.model_validate({**held, **more})


def test_another_plan_is_refused_and_more_seeds_are_not(place):
    keep_plan(plan(place))
    keep_plan(plan(place, seeds=[1, 2]))
    with pytest.raises(RunError, match="holds an ablation with"):
        keep_plan(plan(place, arms={**ARMS, "pulled": {"rl.loss.tau": 3.0}}))


def test_a_base_config_that_was_edited_is_refused_unless_it_comes_to_the_same(place):
    keep_plan(plan(place))
    held = {**BASE, "data": str(place / "recipe.yaml")}
    write(place, "base.yaml", {**held, "name": "renamed", "rl": {"steps": 2, "preset": None}})
    keep_plan(plan(place))
    write(place, "base.yaml", {**held, "rl": {"steps": 3}})
    with pytest.raises(RunError, match=r"out, arm plain: isn't what it was.*\n.*undo the change"):
        keep_plan(plan(place))


@pytest.mark.parametrize(
    ("file", "more"),
    [
        ("recipe.yaml", {}),
        ("rows.jsonl", {}),  # which the recipe names
        ("other.yaml", {"test": "other.yaml"}),
        ("recipe.yaml", {"arms": {"here": {}, "there": {"data": "other.yaml"}}}),  # the warm-up's, too
        ("other.yaml", {"arms": {"here": {}, "there": {"data": "other.yaml"}}}),
    ],
)
def test_a_recipe_that_was_edited_is_refused(place, file, more, monkeypatch):
    monkeypatch.chdir(place)
    keep_plan(plan(place, **more))
    with open(place / file, "a") as held:
        held.write("\n\n" if file == "rows.jsonl" else "\nimage: {max_pixels: 4096}\n")
    with pytest.raises(RunError, match=r"out, recipe .*\.yaml: isn't what it was"):
        keep_plan(plan(place, **more))


def test_a_link_before_the_arms_counts_by_its_settings(place):
    link = {"name": "kept", "does": "curate", "config": str(place / "curation.yaml"), "set": {"model.path": "{start}"}}
    settings = plan(place, before=[link])
    first = inputs_of(settings)
    write(place, "curation.yaml", {**CURATION, "data": str(place / "recipe.yaml"), "problems": 9})
    again = inputs_of(settings)
    assert {name for name in first if first[name] != again[name]} == {"link kept"}


def test_a_plan_without_digests_is_refused_and_said_how_to_keep_its_runs(place):
    settings = plan(place)
    keep_plan(settings)
    file = settings.place / "ablation.json"
    held = json.loads(file.read_text())
    del held["inputs"]
    file.write_text(json.dumps(held))
    with pytest.raises(RunError, match=r"keeps no digests.*\n.*delete this file: finished runs are kept"):
        keep_plan(settings)
    file.unlink()
    keep_plan(settings)
    assert json.loads(file.read_text())["inputs"]["arm plain"]
