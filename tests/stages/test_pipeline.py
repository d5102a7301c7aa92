"""Chains of stages: in order, each once, again only where what it reads has changed, and on from where it broke off."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vlrl.config import load_settings
from vlrl.errors import ConfigError, RunError
from vlrl.stages import pipeline
from vlrl.stages.pipeline import PipelineSettings, is_pipeline, run_pipeline

LINKS = [
    {"name": "curated", "does": "curate", "config": "curate.yaml"},
    {"name": "warm", "config": "run.yaml", "set": {"data": "{curated}/recipe.yaml", "stages": ["sft"]}},
    {"name": "learned", "config": "run.yaml", "set": {"model.path": "{warm}/model_sft"}},
    {"name": "other", "config": "run.yaml"},
]


@pytest.fixture
def story(tmp_path, monkeypatch) -> Path:
    """A chain over real files whose commands only say what they were called with."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text("{}\n")
    recipe = {"sources": [{"name": "rows", "kind": "file", "path": "rows.jsonl"}]}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    write_curation(tmp_path, 4)
    (tmp_path / "run.yaml").write_text("name: run\ndata: recipe.yaml\nmodel: {path: base}\n")
    (tmp_path / "story.yaml").write_text(yaml.safe_dump({"name": "story", "pipeline": LINKS}))
    return tmp_path


def write_curation(folder, problems):
    (folder / "curate.yaml").write_text(f"name: c\ndata: recipe.yaml\nproblems: {problems}\nstages: [formats]\n")


@pytest.fixture
def calls(monkeypatch) -> list[tuple[str, str, list[str]]]:
    made: list[tuple[str, str, list[str]]] = []

    def command(does):
        def call(config, overrides):
            made.append((does, str(config), list(overrides)))

        return call

    monkeypatch.setattr(pipeline, "COMMANDS", {does: command(does) for does in ("run", "curate")})
    return made


def names(calls):
    return [overrides[-1].rpartition("/")[2] for _, _, overrides in calls]


def run(story, *overrides, fresh=False):
    return run_pipeline(story / "story.yaml", overrides, fresh, say=lambda line: None)


def test_links_run_in_order_in_folders_of_their_own_and_find_earlier_ones(story, calls):
    assert is_pipeline(story / "story.yaml")
    assert not is_pipeline(story / "run.yaml")
    run(story)
    assert [(does, config) for does, config, _ in calls] == [("curate", "curate.yaml"), *[("run", "run.yaml")] * 3]
    assert calls[1][2] == ['data="runs/story/curated/recipe.yaml"', 'stages=["sft"]', "run_folder=runs/story/warm"]
    assert calls[2][2] == ['model.path="runs/story/warm/model_sft"', "run_folder=runs/story/learned"]


def test_a_second_call_repeats_nothing_and_fresh_repeats_all(story, calls):
    run(story)
    run(story)
    assert len(calls) == 4
    run(story, fresh=True)
    assert len(calls) == 8


def test_a_changed_config_repeats_its_links_and_those_that_build_on_them(story, calls):
    run(story)
    calls.clear()
    write_curation(story, 5)
    run(story)
    assert names(calls) == ["curated", "warm", "learned"]  # not `other`, which reads none of it


def test_changed_rows_of_the_recipe_count_as_a_change(story, calls):
    run(story)
    calls.clear()
    (story / "rows.jsonl").write_text("{}\n{}\n")
    run(story)
    assert names(calls) == ["curated", "warm", "learned", "other"]


def test_what_is_stale_is_deleted_before_it_starts_anew_and_an_unbroken_start_is_kept(story, calls, monkeypatch):
    def stop(config, overrides):
        place = Path(overrides[-1].partition("=")[2])
        place.mkdir(parents=True)
        (place / "half").touch()
        raise RunError("run", "was stopped")

    working = pipeline.COMMANDS["run"]
    monkeypatch.setitem(pipeline.COMMANDS, "run", stop)
    with pytest.raises(RunError, match="was stopped"):
        run(story)
    assert names(calls) == ["curated"]
    monkeypatch.setitem(pipeline.COMMANDS, "run", working)
    run(story)
    assert names(calls) == ["curated", "warm", "learned", "other"]  # curated once
    assert (story / "runs/story/warm/half").is_file()  # it went on in its folder
    write_curation(story, 6)
    run(story)
    assert not (story / "runs/story/warm/half").exists()


@pytest.mark.parametrize(
    ("links", "said"),
    [
        ([{"name": "a", "config": "run.yaml", "set": {"model.path": "{b}/model"}}], "no earlier link"),
        ([{"name": "a", "config": "run.yaml"}, {"name": "a", "config": "run.yaml"}], "two links"),
        ([{"name": "a", "config": "run.yaml", "does": "rnu"}], "does"),
        ([], "pipeline"),
        ([{"name": "a", "config": "run.yaml"}, {"name": "b", "config": "run.yaml", "set": {"sede": 1}}], "'b'.*sede"),
    ],
)
def test_a_chain_that_makes_no_sense_is_refused_before_anything_runs(story, calls, links, said):
    (story / "story.yaml").write_text(yaml.safe_dump({"name": "story", "pipeline": links}))
    with pytest.raises(ConfigError, match=said):
        run(story)
    assert calls == []


def test_a_shipped_chain_can_be_run_from_its_first_link_to_its_last(monkeypatch, calls, tmp_path):
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    shipped = sorted((root / "configs/pipelines").glob("*.yaml"))
    assert shipped
    for config in shipped:
        run_pipeline(config, [f"run_folder={tmp_path / config.stem}"], say=lambda line: None)
        assert names(calls)[-1] == load_settings(PipelineSettings, config).pipeline[-1].name
