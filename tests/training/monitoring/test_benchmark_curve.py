"""Benchmarks on the training curve: asked every so many steps, checked before a model is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from vlrl.errors import ConfigError, VlrlError
from vlrl.plan.plan import print_plan
from vlrl.report.figures.metric_charts import benchmark_charts
from vlrl.report.read_run import read_run
from vlrl.rollout.engine_registry import default_engine
from vlrl.runlog.run_folder import read_jsonl
from vlrl.training.monitoring.benchmark_curve import load_curve_benchmarks
from vlrl.training.run import start_run
from vlrl.training.session import open_session

SHAPE = {
    "text_width": 32, "text_layers": 2, "head_size": 16, "key_value_heads": 1, "mlp_width": 48, "vision_width": 32,
    "vision_layers": 2, "vision_heads": 2, "vocabulary": 300, "context": 400,
}  # fmt: skip
MODEL = {"build": "tiny-qwen3-vl", "shape": SHAPE}


def write(path: Path, values: dict) -> str:
    path.write_text(yaml.safe_dump(values))
    return str(path)


def own(folder: Path, max_tokens: int = 4) -> str:
    """An evaluation config with one benchmark of three rows."""
    rows = [{"id": str(n), "question": f"What is {n} + {n}?", "answer": f"#### {2 * n}"} for n in (1, 2, 3)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    benchmark = {"benchmark": "gsm8k", "name": "doubles", "path": str(folder / "rows.jsonl")}
    benchmark["protocol"] = {"max_tokens": max_tokens, "temperature": 1.0, "samples": 2}
    return write(folder / "doubles.yaml", {"name": "doubles", "model": MODEL, "benchmarks": [benchmark]})


def run_config(folder: Path, benchmarks: list[str], every: int | None) -> str:
    write(folder / "recipe.yaml", {"sources": [{"name": "sums", "kind": "domain", "domain": "arithmetic"}]})
    settings = {
        "name": "small",
        "run_folder": str(folder / "run"),
        "data": str(folder / "recipe.yaml"),
        "stages": ["rl"],
        "model": MODEL,
        "rl": {
            "steps": 3,
            "problems_per_step": 2,
            "rollouts_per_problem": 2,
            "validate_every": 3,
            "sampling": {"max_tokens": 4},
        },
        "eval": {
            "problems": 1,
            "curve_problems": 1,
            "sampling": {"max_tokens": 4},
            "benchmarks": benchmarks,
            "benchmarks_every": every,
        },
    }
    return write(folder / "run.yaml", settings)


def test_benchmarks_are_asked_every_so_many_steps_and_after_the_last(tmp_path):
    start_run(Path(run_config(tmp_path, [own(tmp_path)], 2)), [])
    lines = [line for line in read_jsonl(tmp_path / "run" / "metrics.jsonl") if line["phase"] == "eval"]
    assert [line["step"] for line in lines] == [2, 3]
    assert all(0 <= line["benchmark/doubles"] <= 1 for line in lines)
    assert "accuracy/mean" not in lines[0]
    assert "accuracy/mean" in lines[1]
    card = json.loads((tmp_path / "run" / "run_card.json").read_text())
    assert card["benchmarks"]["doubles"]["n"] == 3
    assert len(card["benchmarks"]["doubles"]["protocol_hash"]) >= 8


def test_the_plan_names_them_and_the_report_draws_them_with_their_protocol(tmp_path, capsys):
    config = Path(run_config(tmp_path, [own(tmp_path)], 2))
    print_plan(config, [])
    assert "doubles: 3 problems" in " ".join(capsys.readouterr().out.split())
    run = read_run(start_run(config, []))
    (chart,) = benchmark_charts(run)
    assert chart.title == "doubles"
    assert "n 3" in chart.note
    assert run.card["benchmarks"]["doubles"]["protocol_hash"] in chart.note
    assert chart.svg in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize("every", [None, 0])
def test_a_pace_is_part_of_the_settings(tmp_path, every):
    with pytest.raises(ConfigError, match="benchmarks"):
        start_run(Path(run_config(tmp_path, [own(tmp_path)], every)), [])


def test_a_benchmark_that_can_not_be_read_stops_a_run_before_a_model_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(open_session, "load_model", lambda *args: pytest.fail("the model was loaded"))
    file = own(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"id": \n')
    with pytest.raises(VlrlError, match=r"rows\.jsonl"):
        start_run(Path(run_config(tmp_path, [file], 2)), [])
    with pytest.raises(ConfigError, match="no such file"):
        start_run(Path(run_config(tmp_path, [str(tmp_path / "none.yaml")], 2)), [])
    assert not (tmp_path / "run").exists()


def test_one_benchmark_twice_under_one_protocol_is_refused(tmp_path):
    file = own(tmp_path)
    assert [one.name for one in load_curve_benchmarks([file], default_engine())] == ["doubles"]
    with pytest.raises(ConfigError, match="twice"):
        load_curve_benchmarks([file, file], default_engine())


def test_prompts_that_leave_no_room_for_a_response_are_refused_before_the_first_step(tmp_path):
    with pytest.raises(VlrlError, match="context holds 400"):
        start_run(Path(run_config(tmp_path, [own(tmp_path, max_tokens=399)], 2)), [])
