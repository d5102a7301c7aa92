"""An evaluation set is not trained on; where that is forced, the run card says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from vlrl.data.benchmarks.benchmark_definition import benchmark_named, benchmarks
from vlrl.errors import ConfigError
from vlrl.training.run import start_run

SHAPE = {
    "text_width": 32, "text_layers": 2, "head_size": 16, "key_value_heads": 1, "mlp_width": 48, "vision_width": 32,
    "vision_layers": 2, "vision_heads": 2, "vocabulary": 300, "context": 400,
}  # fmt: skip


def config(folder: Path, **more) -> Path:
    rows = [{"question": f"{n}+{n}?", "answer": str(2 * n)} for n in range(30)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = {"name": "exam", "kind": "file", "path": "rows.jsonl", "modality": "text", "verifier": "number", **more}
    (folder / "recipe.yaml").write_text(yaml.safe_dump({"sources": [source]}))
    settings = {
        "name": "exam",
        "run_folder": str(folder / "run"),
        "data": str(folder / "recipe.yaml"),
        "stages": ["rl"],
        "model": {"build": "tiny-qwen3-vl", "shape": SHAPE},
        "rl": {"steps": 1, "problems_per_step": 2, "rollouts_per_problem": 2, "sampling": {"max_tokens": 3}},
        "eval": {"problems": 1, "curve_problems": 1, "sampling": {"max_tokens": 3}},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(settings))
    return folder / "run.yaml"


def test_training_on_an_evaluation_set_is_refused_before_the_run_folder_is_made(tmp_path):
    with pytest.raises(ConfigError, match="exam"):
        start_run(config(tmp_path, evaluation_only=True), [])
    assert not (tmp_path / "run").exists()


def test_where_it_is_forced_the_run_card_says_so(tmp_path):
    start_run(config(tmp_path, evaluation_only=True, force=True), [])
    assert json.loads((tmp_path / "run" / "run_card.json").read_text())["forced_evaluation_sets"] == ["exam"]
    assert "exam" in (tmp_path / "run" / "run_card.md").read_text()


def test_other_runs_say_nothing_of_it(tmp_path):
    start_run(config(tmp_path), [])
    assert "forced_evaluation_sets" not in json.loads((tmp_path / "run" / "run_card.json").read_text())


def test_only_benchmarks_that_come_with_training_rows_may_be_trained_on():
    trained_on = {name for name in benchmarks if not benchmark_named(name).evaluation_only}
    assert trained_on == {
        "dynamath", "math", "aime", "gsm8k", "tabmwp", "mbpp", "apps", "taco", "code_contests",
    }  # fmt: skip
