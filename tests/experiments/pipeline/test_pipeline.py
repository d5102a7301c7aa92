"""Chains of stages: in order, each once, again only where what it reads has changed, and on from where it broke off."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from vlrl.config import load_settings
from vlrl.errors import ConfigError, RunError
from vlrl.experiments.pipeline import pipeline
from vlrl.experiments.pipeline.pipeline import PipelineSettings, is_pipeline, run_pipeline

LINKS = [
    {"name": "curated", "does": "curate", "config": "curate.yaml"},
    {"name": "warm", "config": "run.yaml", "set": {"data": "{curated}/recipe.yaml", "stages": ["sft"]}},
    {"name": "learned", "config": "run.yaml", "set": {"model.path": "{warm}/model_sft"}},
    {"name": "other", "config": "run.yaml"},
]


@pytest.fixture
def story(tmp_path, monkeypatch, model_folders) -> Path:
    """A chain over real files whose commands only say what they were called with."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model_folders["tiny-qwen3-vl"], tmp_path / "base")
    (tmp_path / "rows.jsonl").write_text("{}\n")
    recipe = {"sources": [{"name": "rows", "kind": "file", "path": "rows.jsonl"}]}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    write_curation(tmp_path, 4)
    (tmp_path / "run.yaml").write_text("name: run\ndata: recipe.yaml\nmodel: {path: base}\n")
    (tmp_path / "story.yaml").write_text(yaml.safe_dump({"name": "story", "pipeline": LINKS}))
    return tmp_path


def write_curation(folder, problems):
    (folder / "curate.yaml").write_text(f"name: c\ndata: recipe.yaml\nproblems: {problems}\nstages: [formats]\n")


class Calls(list[tuple[str, str, list[str]]]):
    """(command, config, overrides) of every call; `fresh` says which of them started again."""

    def __init__(self) -> None:
        super().__init__()
        self.fresh: list[bool] = []


@pytest.fixture
def calls(monkeypatch) -> Calls:
    made = Calls()

    def command(does):
        def call(config, overrides, fresh):
            made.append((does, str(config), list(overrides)))
            made.fresh.append(fresh)

        return call

    monkeypatch.setattr(pipeline, "COMMANDS", {does: command(does) for does in pipeline.COMMANDS})
    monkeypatch.setattr(pipeline, "merge_with_card", lambda *given, **_: made.append(("merge", "", [f"={given[-1]}"])))
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


READERS = {  # settings of a link, and a file that is read because of them
    "model": ({"config": "run.yaml", "set": {"model.path": "other/model"}}, "other/model/README.md"),
    "pairs": (
        {"config": "run.yaml", "set": {"stages": ["dpo"], "dpo.pairs": "other/pairs.jsonl"}},
        "other/pairs.jsonl",
    ),
    "teacher": (
        {
            "config": "run.yaml",
            "set": {"rl.teacher.path": "other/model", "rl.credit.token_credit": ["opd"]},
        },
        "other/model/README.md",
    ),
    "records": (
        {"config": "run.yaml", "set": {"stages": ["distil"], "distil.records": "other/records"}},
        "other/records/teacher.json",
    ),
    "curve": (
        {"config": "run.yaml", "set": {"eval.benchmarks": ["bench.yaml"], "eval.benchmarks_every": 5}},
        "other/bench.jsonl",
    ),
    "benchmark": ({"does": "eval", "config": "bench.yaml"}, "other/bench.jsonl"),
    "folder of rows": ({"config": "run.yaml", "set": {"data": "other/recipe.yaml"}}, "other/rows/part.jsonl"),
    "plugin": ({"config": "run.yaml", "set": {"data": "other/recipe.yaml"}}, "other/plugin.py"),
    "merge": ({"does": "merge", "set": {"first": "other/model", "second": "other/model"}}, "other/model/README.md"),
    "long2short": ({"does": "long2short", "config": "short.yaml"}, "rows.jsonl"),
    "long2short's model": ({"does": "long2short", "config": "short.yaml"}, "other/model/README.md"),
    "long2short's base": ({"does": "long2short", "config": "short.yaml"}, "run.yaml"),
}


@pytest.fixture
def elsewhere(story) -> Path:
    """What links may read that no link makes."""
    shutil.copytree(story / "base", story / "other/model")
    for file in (
        "model/README.md",
        "records/teacher.json",
        "pairs.jsonl",
        "bench.jsonl",
        "rows/part.jsonl",
        "plugin.py",
    ):
        (story / "other" / file).parent.mkdir(parents=True, exist_ok=True)
        (story / "other" / file).write_text("1")
    source = {"name": "rows", "kind": "file", "path": "rows"}
    (story / "other/recipe.yaml").write_text(yaml.safe_dump({"plugins": ["plugin.py"], "sources": [source]}))
    bench = {"benchmark": "problems", "path": "other/bench.jsonl"}
    bench_config = {"name": "bench", "model": {"path": "other/model"}, "benchmarks": [bench]}
    (story / "bench.yaml").write_text(yaml.safe_dump(bench_config))
    short = {"name": "s", "base": "run.yaml", "curate": "curate.yaml", "long": ["other/model"], "ways": ["rl"]}
    (story / "short.yaml").write_text(yaml.safe_dump(short))
    return story


@pytest.mark.parametrize("reader", READERS)
def test_a_file_that_a_link_reads_from_elsewhere_counts_when_it_changes_and_must_be_there(elsewhere, calls, reader):
    link, file = READERS[reader]
    (elsewhere / "story.yaml").write_text(yaml.safe_dump({"name": "story", "pipeline": [{"name": "one", **link}]}))
    run(elsewhere)
    for _ in range(2):
        run(elsewhere)
    assert names(calls) == ["one"]
    (elsewhere / "pipeline_is_no_reason.txt").touch()
    (elsewhere / "runs/story/one").mkdir(parents=True, exist_ok=True)
    (elsewhere / "runs/story/one/more").touch()
    (elsewhere / "other/.cache").touch()
    run(elsewhere)
    assert names(calls) == ["one"]
    held = (elsewhere / file).read_text()
    (elsewhere / file).write_text(held + "\n# more\n")
    run(elsewhere)
    assert names(calls) == ["one", "one"]
    place = elsewhere / file
    if reader not in ("long2short", "folder of rows", "plugin", "curve"):  # rows are looked for when a recipe is read
        shutil.rmtree(place.parent) if "model" in file else place.unlink()
        with pytest.raises(ConfigError, match=r"pipeline, 'one'"):
            run(elsewhere)
        assert names(calls) == ["one", "one"]


def test_the_folder_around_the_chain_is_no_input(elsewhere, calls):
    (elsewhere / "other/recipe.yaml").write_text(
        yaml.safe_dump({"sources": [{"name": "rows", "kind": "file", "path": "rows", "image_folder": "../"}]})
    )
    link = {"name": "one", "config": "run.yaml", "set": {"data": "other/recipe.yaml"}}
    (elsewhere / "story.yaml").write_text(yaml.safe_dump({"name": "story", "pipeline": [link]}))
    run(elsewhere)
    (elsewhere / "changed.txt").touch()
    run(elsewhere)
    assert names(calls) == ["one"]


def test_what_is_stale_starts_anew_and_what_was_broken_off_goes_on(story, calls, monkeypatch):
    def stop(config, overrides, fresh):
        raise RunError("run", "was stopped")

    working = pipeline.COMMANDS["run"]
    monkeypatch.setitem(pipeline.COMMANDS, "run", stop)
    with pytest.raises(RunError, match="was stopped"):
        run(story)
    assert names(calls) == ["curated"]
    monkeypatch.setitem(pipeline.COMMANDS, "run", working)
    run(story)
    assert names(calls) == ["curated", "warm", "learned", "other"]  # curated once
    assert not any(calls.fresh)  # it went on in its folder
    write_curation(story, 6)
    run(story)
    assert calls.fresh[4:] == [True] * 3  # `other` reads none of it


@pytest.mark.parametrize(
    ("links", "said"),
    [
        ([{"name": "a", "config": "run.yaml", "set": {"model.path": "{b}/model"}}], "no earlier link"),
        ([{"name": "a", "config": "run.yaml"}, {"name": "a", "config": "run.yaml"}], "two links"),
        ([{"name": "a", "config": "run.yaml", "does": "rnu"}], "does"),
        ([{"name": "a", "config": "run.yaml", "set": {"data": "gone.yaml"}}], "'a'.*gone"),
        ([{"name": "a", "does": "merge", "set": {"first": "x"}}], "'a'.*second"),
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
    root = Path(__file__).parents[3]
    monkeypatch.chdir(root)
    shipped = sorted((root / "configs/pipelines").glob("*.yaml"))
    assert shipped
    for config in shipped:
        run_pipeline(config, [f"run_folder={tmp_path / config.stem}"], say=lambda line: None)
        assert names(calls)[-1] == load_settings(PipelineSettings, config).pipeline[-1].name
    assert [does for does, _, _ in calls[-7:]] == ["prepare", "run", "curate", "run", "run", "long2short", "eval"]
