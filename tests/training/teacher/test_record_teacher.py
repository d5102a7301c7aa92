"""Recording a teacher: broken off in the middle it goes on, and what was recorded otherwise is not taken."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from small_models import fresh

from vlrl.data.mixture import Mixture
from vlrl.data.recipe import load_recipe
from vlrl.data.teacher.teacher_records import read_records
from vlrl.model.load import save_model
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.backends import TorchBackend
from vlrl.rollout.engine import Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.training.fixed_set_settings import RecordSettings
from vlrl.training.monitoring.progress import Progress
from vlrl.training.run import start_run
from vlrl.training.session.model_runtime import ModelRuntime
from vlrl.training.session.open_session import Session
from vlrl.training.session.run_context import RunContext
from vlrl.training.teacher.record_teacher import run_record

RECIPE = """
image: {min_pixels: 256, max_pixels: 1024}
sources:
  - {name: texts, kind: domain, domain: arithmetic, weight: 1}
  - {name: images, kind: domain, domain: dice, weight: 1}
"""
PROBLEMS, BATCH = 9, 2
FILES = ("problems.jsonl", "teacher.jsonl", "teacher.json", "recording.json")


class Killed(Exception):
    """What ends a run in the middle of a piece."""


class Watched(TransformersEngine):
    """Counts its calls, and is killed before one of them."""

    def __init__(self, loaded, killed_at):
        super().__init__(loaded)
        self.calls, self._killed_at = 0, killed_at

    def generate(self, requests):
        if self.calls == self._killed_at:
            raise Killed
        self.calls += 1
        return super().generate(requests)


@pytest.fixture(scope="module")
def folders(model_folders, tmp_path_factory):
    """The model that writes, two teachers, and a recipe of texts and images."""
    held = {"writer": model_folders["tiny-qwen3-vl"]}
    for name, factor in (("teacher", 0.9), ("other teacher", 0.8)):
        loaded = fresh(held["writer"])
        with torch.no_grad():
            for parameter in loaded.model.parameters():
                parameter *= factor
        held[name] = tmp_path_factory.mktemp("models") / name
        save_model(loaded, held[name])
    held["recipe"] = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    held["recipe"].write_text(RECIPE)
    return held


def record(folders, path, killed_at=None, teacher="teacher", seed=3, system=None, **settings):
    """Record into path/records; how many batches the engine was asked."""
    loaded = fresh(folders["writer"])
    recipe = load_recipe(folders["recipe"])
    engine = Watched(loaded, killed_at)
    sampling = Sampling(max_tokens=6, temperature=settings.pop("temperature", 1.0))
    asked = {"rollouts": 2, "problems": PROBLEMS, "batch": BATCH, **settings}
    settings = SimpleNamespace(
        record=RecordSettings(teacher={"path": str(folders[teacher])}, sampling=sampling, **asked),
        seed=seed,
        system_prompt=system,
    )
    context = RunContext(settings, SimpleNamespace(path=path, note=lambda **_: None), Progress({}))
    model = ModelRuntime(loaded, Encoder(loaded, recipe.image, system), engine, TorchBackend())
    session = Session(context, recipe, Mixture(recipe, seed), None, model, None, None)
    with suppress(Killed):
        run_record(session)
    return engine.calls


def contents(path):
    return [(path / "records" / name).read_bytes() for name in FILES]


@pytest.fixture(scope="module")
def whole(folders, tmp_path_factory):
    """Five batches without a break."""
    path = tmp_path_factory.mktemp("whole")
    assert record(folders, path) == 5
    return path


def test_a_recording_that_was_killed_goes_on_and_its_files_are_those_of_a_whole_one(folders, whole, tmp_path):
    assert record(folders, tmp_path, killed_at=2) == 2
    assert not (tmp_path / "records" / "teacher.json").exists()
    assert record(folders, tmp_path) == 3
    assert contents(tmp_path) == contents(whole)
    _, found = read_records(tmp_path / "records")
    assert len({one.problem.id for one in found}) == PROBLEMS
    assert any(one.problem.images for one in found)


@pytest.mark.parametrize(
    "other",
    [
        {"teacher": "other teacher"},
        {"temperature": 0.7},
        {"rollouts": 1},
        {"seed": 4},
        {"system": "Answer."},
        {"batch": 3},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_was_recorded_otherwise_is_not_taken(folders, tmp_path, other):
    record(folders, tmp_path / "one", killed_at=1, problems=4)
    fresh_ones = record(folders, tmp_path / "fresh", problems=4, **other)
    assert record(folders, tmp_path / "one", problems=4, **other) == fresh_ones == 2
    assert contents(tmp_path / "one") == contents(tmp_path / "fresh")


def test_rl_after_a_recording_gets_the_same_problems_with_a_break_between_and_without(folders, tmp_path):
    def run(folder, *stages):
        start_run(
            Path("configs/quickstart.yaml"),
            [
                f"model={{path: {folders['writer']}}}", f"data={folders['recipe']}", f"stages=[{', '.join(stages)}]",
                f"record={{problems: 5, batch: 2, rollouts: 2, teacher: {{path: '{folders['teacher']}'}}}}",
                "record.sampling.max_tokens=4", f"run_folder={tmp_path / folder}", "rl.steps=1",
                "rl.problems_per_step=4", "rl.rollouts_per_problem=2", "rl.sampling.max_tokens=4", "rl.log_groups=4",
                "eval={problems: 4, curve_problems: 4}",
            ],
        )  # fmt: skip
        rollouts = tmp_path / folder / "rollouts.jsonl"
        return [json.loads(line)["problem"]["id"] for line in rollouts.open()] if rollouts.is_file() else []

    at_once = run("at_once", "record", "rl")
    assert run("broken", "record") == []
    assert len(at_once) == 4
    assert run("broken", "record", "rl") == at_once
