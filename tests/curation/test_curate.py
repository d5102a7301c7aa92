"""A whole curation: files, report, and what a kill costs."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from curation_cases import ask_image, ask_text, asking, drawn_image, encoded

from vlrl.config import build_settings, load_settings
from vlrl.curation.curation_run import curate
from vlrl.curation.curation_settings import CurateSettings
from vlrl.curation.selection.difficulty import Difficulty
from vlrl.curation.stage import Context
from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.mixture import Mixture
from vlrl.data.problem_files import read_demonstrations, read_problems
from vlrl.data.recipe import load_recipe
from vlrl.errors import ConfigError
from vlrl.runlog.run_folder import RunFolder
from vlrl.types import Problem

ROOT = Path(__file__).parents[2]
RIGHT, WRONG = "<think>so</think><answer>7</answer>", "<answer>8</answer>"


def problems() -> list[Problem]:
    image = encoded(drawn_image(1))
    return [
        *(ask_text(f"{k} of ten are right, {{{{ 7*7 }}}} <script>alert(1)</script>") for k in range(11)),
        ask_text("Is 7 prime?", "yes", "text"),
        ask_image(image, "5 of ten, how many?"),
        ask_image(encoded(drawn_image(1), "JPEG", quality=80), "5 of ten, how many?"),
        ask_text("0 of ten are right, {{ 7*7 }} <script>alert(1)</script>"),
    ]


def source_text(problem):
    rights = int(problem.question.removeprefix("<image>").split()[0])
    return [RIGHT] * rights + [WRONG] * (10 - rights)


def settings(**more) -> CurateSettings:
    given = {
        "name": "tests",
        "data": "problems.jsonl",
        "model": {"path": "unused"},
        "stages": [
            "formats",
            "near_duplicates",
            {"name": "difficulty", "never_solved": "pool"},
            {"name": "balance", "caps": {"modality:text": 0.9}},
        ],
        "warmup": {"prompt": "{question}", "samples": 10},
        **more,
    }
    return build_settings(CurateSettings, given, "tests")


@pytest.fixture
def curated(tmp_path):
    ask, engine = asking(source_text, tmp_path)
    run = RunFolder(tmp_path, {})
    made = curate(problems(), settings(), run, ask, ImageBudget(min_pixels=256, max_pixels=4096))
    return tmp_path, made, engine


def test_the_funnel_and_the_files_agree(curated):
    folder, made, _ = curated
    results = json.loads((folder / "results.json").read_text())
    stages = {stage["stage"]: stage for stage in results["stages"]}
    assert stages["read"]["dropped"] == {"the same problem again": 1}
    assert stages["formats"]["dropped"] == {"true/false": 1}
    assert stages["near_duplicates"]["dropped"] == {"near-duplicate": 1}
    assert stages["difficulty"]["dropped"] == {"never solved: in hard.jsonl": 1, "too easy": 1}
    assert all(s["in"] == s["out"] + sum(s["dropped"].values()) + sum(s["faults"].values()) for s in stages.values())
    kept = read_problems(folder / "curated.jsonl")
    assert [p.id for p in kept] == [p.id for p in made.funnel.kept]
    assert len(kept) == results["kept"] == 10
    assert kept[0].difficulty == pytest.approx(0.9)
    assert [p.question[0] for p in read_problems(folder / "hard.jsonl")] == ["0"]
    dropped = [json.loads(line) for line in (folder / "dropped.jsonl").read_text().splitlines()]
    assert len(dropped) + len(kept) == len(problems())
    rates = [json.loads(line) for line in (folder / "pass_rates.jsonl").read_text().splitlines()]
    assert len(rates) == 12
    assert {"model_hash", "temperature", "seed", "sampling", "pass_rate", "judged", "correct"} <= set(rates[0])
    assert not (folder / "faults.jsonl").exists()


def test_the_set_loads_through_its_recipe(curated):
    folder, made, _ = curated
    drawn = {p.id for p in Mixture(load_recipe(folder / "curated_recipe.yaml", []), 0).draw(20)}
    assert drawn <= {p.id for p in made.funnel.kept}


def test_demonstrations_are_verified_and_one_a_problem(curated):
    folder, made, _ = curated
    found = read_demonstrations(folder / "demonstrations.jsonl")
    assert len(found) == len(made.funnel.kept)
    assert {d.response for d in found} == {RIGHT}
    assert len((folder / "demonstrations_provenance.jsonl").read_text().splitlines()) == len(found)


def test_the_report_is_one_file_that_shows_what_went_and_runs_nothing(curated):
    page = (curated[0] / "curation.html").read_text()
    for said in ("near-duplicate", "true/false", "too easy", "data:image/jpeg;base64,", "{{ 7*7 }}"):
        assert said in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_second_call_asks_nothing_and_writes_the_same(curated):
    folder, _, first = curated
    before = (folder / "curated.jsonl").read_bytes()
    ask, engine = asking(source_text, folder)
    curate(problems(), settings(), RunFolder(folder, {}), ask, ImageBudget(min_pixels=256, max_pixels=4096))
    assert engine.requests == []
    assert (ask.asked, ask.reused) == (0, len(first.requests))
    assert (folder / "curated.jsonl").read_bytes() == before


def test_a_killed_run_asks_nothing_twice(tmp_path):
    """Processes that end by SIGKILL in the middle of a line of answers.jsonl; the last one comes to its end."""

    def decide(batches):
        def source_text(problem):
            with open(tmp_path / "calls.txt", "a") as file:
                file.write(problem.question + "\n")
            return ["<answer>7</answer>", "<answer>8</answer>"]

        ask, engine = asking(source_text, tmp_path, batch=3)
        generate = engine.generate

        def generate_or_die(requests):
            if len(engine.requests) == 3 * batches:
                with open(tmp_path / "answers.jsonl", "a") as file:
                    file.write('{"schema": 1, "stage": "diff')
                os.kill(os.getpid(), signal.SIGKILL)
            return generate(requests)

        engine.generate = generate_or_die
        return Difficulty().decide([ask_text(f"problem {i}") for i in range(12)], Context(0, ask))

    for batches in (1, 2):
        child = os.fork()
        if not child:
            try:
                decide(batches)
            finally:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    decisions = decide(99)
    assert [decision.measured["pass_rate"] for decision in decisions] == [0.5] * 12
    calls = Counter((tmp_path / "calls.txt").read_text().splitlines())
    assert calls == {f"problem {i}": 1 for i in range(12)}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"model": None}, "difficulty asks one"),
        ({"stages": [], "warmup": None}, "nothing is to be done"),
        ({"stages": ["formats", "formats"]}, "give one of them a `label:`"),
        ({"stages": ["format"]}, "did you mean 'formats'"),
        ({"stages": [{"name": "difficulty", "sample": 3}]}, "did you mean 'samples'"),
    ],
)
def test_a_mistake_in_the_settings_is_named(more, message):
    with pytest.raises(ConfigError, match=message):
        settings(**more)


@pytest.mark.parametrize("config", sorted((ROOT / "configs" / "curate").iterdir()), ids=lambda file: file.stem)
def test_a_shipped_config_loads_and_is_named_like_its_file(config):
    loaded = load_settings(CurateSettings, config)
    assert loaded.name == f"curate_{config.stem}"
    assert build_settings(CurateSettings, loaded.as_written(), "run.yaml") == loaded  # what run.yaml holds loads again
