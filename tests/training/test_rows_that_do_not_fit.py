"""Rows whose prompt is too long for the run are left out by name, or end it at its start, as their source says."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from vlrl.commands.curate import read_input, that_can_be_asked
from vlrl.config import build_settings, load_settings
from vlrl.curation.curation_settings import CurateSettings
from vlrl.data.recipe import load_recipe
from vlrl.errors import DataError
from vlrl.model.load import load_model
from vlrl.runlog.run_folder import RunFolder
from vlrl.training.fixed_set_settings import SftPhase
from vlrl.training.monitoring.progress import Progress
from vlrl.training.run_settings import RunSettings
from vlrl.training.session.open_session import Session, open_session
from vlrl.training.sft import Phase, sft_phase

LONG = (3, 7, 20)
SHAPE = {"context": 160, "text_layers": 1, "vision_layers": 1}


def session_of(folder: Path, on_bad_row: str, rows: int = 24, held_out: float = 0.3) -> Session:
    """A session over rows of which those of LONG are too long for a context of 160 tokens."""
    texts = [f"How many of {n}?" + " red and green" * (80 if n in LONG else 0) for n in range(rows)]
    lines = [json.dumps({"question": text, "answer": "1"}) + "\n" for text in texts]
    (folder / "rows.jsonl").write_text("".join(lines))
    (folder / "recipe.yaml").write_text(
        f"sources:\n- {{name: own, kind: file, path: rows.jsonl, modality: text, verifier: number, "
        f"held_out: {held_out}, on_bad_row: {on_bad_row}}}\n"
    )
    (folder / "run.yaml").write_text(
        f"name: rows\ndata: {folder / 'recipe.yaml'}\nstages: [rl]\nrun_folder: {folder / 'run'}\n"
        "model: {build: tiny-qwen3-vl, device: cpu, shape: {context: 160, text_layers: 1, vision_layers: 1}}\n"
        "eval: {curve_problems: 8, problems: 8, sampling: {max_tokens: 16}}\n"
        "rl: {sampling: {max_tokens: 16}}\n"
    )
    settings = load_settings(RunSettings, folder / "run.yaml", [])
    with Progress({}) as progress:
        return open_session(settings, RunFolder(folder / "run", settings.model_dump(mode="json")), progress)


def test_rows_too_long_are_left_out_named_and_counted(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        session = session_of(tmp_path, "skip")
    drawn = session.mixture.draw(40)
    asked = [problem.question for problem in [*drawn, *session.held_out.problems.all]]
    assert not any("red and green" in text for text in asked)
    assert "rows.jsonl, line" in caplog.text
    assert "its prompt takes" in caplog.text
    assert session.runtime.encoder.encode(drawn)


def test_a_row_too_long_ends_the_run_by_file_and_line(tmp_path):
    with pytest.raises(DataError, match=r"its prompt takes \d+ tokens") as told:
        session_of(tmp_path, "error").mixture.draw(40)
    assert "rows.jsonl, line" in told.value.place


def test_a_demonstration_too_long_is_left_out_or_ends_the_run_as_its_source_says(tmp_path, caplog):
    def stretch(on_bad_row: str, **more: int) -> Phase:
        session = session_of(tmp_path, on_bad_row, held_out=0.0)
        lines = [
            json.dumps({"question": f"How many of {n}?", "answer": "1", "worked": "red " * (200 * (n in LONG) + 1)})
            for n in range(24)
        ]
        (tmp_path / "rows.jsonl").write_text("\n".join(lines) + "\n")
        recipe = (tmp_path / "recipe.yaml").read_text().replace("}", ", columns: {response: worked}}")
        (tmp_path / "recipe.yaml").write_text(recipe)
        session = replace(session, recipe=load_recipe(tmp_path / "recipe.yaml"))
        return sft_phase(session, SftPhase(demonstrations="all", steps=1, **more), "sft")

    with caplog.at_level(logging.WARNING):
        assert len(stretch("skip").examples) == 24 - len(LONG)
    assert "rows.jsonl, line 4" in caplog.text
    with pytest.raises(DataError, match=r"its response \d+, the context holds 160") as told:
        stretch("error")
    assert "rows.jsonl, line 4" in told.value.place
    assert "sft.max_tokens" in told.value.remedy
    assert len(stretch("error", max_tokens=160).examples) == 24 - len(LONG)


def test_a_row_that_the_curating_model_can_not_be_asked_is_a_bad_row_of_its_source(tmp_path, caplog):
    session_of(tmp_path, "skip", held_out=0.0)
    caplog.clear()

    def asked(on_bad_row: str, **more: int) -> list[str]:
        recipe_file = tmp_path / "recipe.yaml"
        recipe_file.write_text(recipe_file.read_text().replace("on_bad_row: skip", f"on_bad_row: {on_bad_row}"))
        curate = {
            "name": "c",
            "data": str(recipe_file),
            "held_out": 0,
            "stages": [{"name": "difficulty", "sampling": {"max_tokens": 16}}],
            "model": {"build": "tiny-qwen3-vl", "device": "cpu", "shape": SHAPE},
        }
        settings = build_settings(CurateSettings, {**curate, **more}, "tests")
        problems, budget, recipe = read_input(settings)
        loaded = load_model(settings.model, 0, lambda: ["How many red, green?"], tmp_path / f"b{len(more)}")
        return [p.question for p in that_can_be_asked(problems, settings, loaded, budget, recipe)]

    with caplog.at_level(logging.WARNING):
        found = asked("skip", problems=40)
    assert len(found) == 40
    assert not any("red and green" in text for text in found)
    assert "its prompt takes" in caplog.text
    with pytest.raises(DataError, match=r"its prompt takes \d+ tokens") as told:
        asked("error")
    assert "rows.jsonl, line" in told.value.place
