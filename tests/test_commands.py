"""Every command on a config of every shape: it does its work, or names the command that takes such a config."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import vlrl.plan.plan as planning
import vlrl.training.run as running
from vlrl.cli import main
from vlrl.report.figures import svg_charts
from vlrl.training.session import open_session

TINY = {"max_tokens": 4}
STAGE = {"steps": 1, "batch": 2, "policy": {"optimizer": {"lr": 1.0e-4}}}
RUN: dict[str, Any] = {
    "data": "recipe.yaml",
    "threads": 1,
    "model": {"path": "first/model_sft"},
    "sft": {**STAGE, "demonstrations": 8, "validate_every": 1},
    "rl": {"steps": 1, "problems_per_step": 2, "rollouts_per_problem": 2, "sampling": TINY, "log_every": 1},
    "eval": {"problems": 2, "curve_problems": 2, "sampling": TINY},
}
RUNS: dict[str, dict[str, Any]] = {  # shapes of a run, by what differs from RUN
    "sft": {"stages": ["sft"]},
    "rl": {"stages": ["rl"]},
    "rl_eval": {"stages": ["rl", "eval"]},
    "sft_rl_eval": {"stages": ["sft", "rl", "eval"], "model": {"build": "tiny-qwen3-vl"}},
    "eval": {"stages": ["eval"]},
    "dpo": {"stages": ["dpo", "eval"], "dpo": {**STAGE, "pairs": "pairs.jsonl"}},
    "record_distil": {
        "stages": ["record", "distil", "eval"],
        "record": {"teacher": RUN["model"], "problems": 2, "sampling": TINY},
        "distil": STAGE,
    },
}
OTHERS: dict[str, dict[str, Any]] = {
    "chain": {
        "pipeline": [
            {"name": "prepared", "does": "prepare", "config": "rl.yaml"},
            {"name": "learned", "config": "rl.yaml", "set": {"rl.steps": 1}},
        ]
    },
    "ablation": {
        "base": "rl_eval.yaml",
        "arms": {"kimi": {"rl.loss": "kimi"}, "grpo": {"rl.loss": "grpo"}},
        "share": "nothing",
        "seeds": [1],
        "processes": 1,
    },
    "curation": {"data": "recipe.yaml", "problems": 12, "stages": [{"name": "formats"}], "held_out": 2},
    "benchmarks": {
        "model": {"path": "first/model_sft"},
        "benchmarks": [{"benchmark": "problems", "name": "own", "path": "problems.jsonl", "protocol": TINY}],
    },
    "long2short": {
        "base": "rl.yaml",
        "curate": "curation.yaml",
        "long": ["first/model_sft"],
        "short": "first/model_sft",
        "ways": ["merge"],
    },
    "rewards": {"model": {"build": "tiny-qwen3-vl"}, "make": {"rewriting": {"problems": 100}}},
}
SHAPES = {name: {**RUN, **more} for name, more in RUNS.items()} | OTHERS
REWARD_COMMANDS = ("reward-model make", "reward-model train", "reward-model eval")
COMMANDS = (
    *("run", "prepare", "sft", "rl", "eval", "plan", "curate", "ablate", "long2short", "report", "data stats"),
    *REWARD_COMMANDS,
)
WORKS_ON = {
    **{key: set(RUNS) for key in ("run", "eval")},
    **{key: set(RUNS) for key in ("prepare", "sft", "rl", "plan")},
    "curate": {"curation"},
    "ablate": {"ablation", "sft", *(name for name, more in RUNS.items() if "rl" in more["stages"])},
    "long2short": {"long2short"},
    "report": set(RUNS),
    "data stats": set(),
    **{key: {"rewards"} for key in REWARD_COMMANDS},
}
WORKS_ON["run"] = WORKS_ON["run"] | {"chain"}
WORKS_ON["eval"] = WORKS_ON["eval"] | {"benchmarks"}
MORE = {"ablate": ["--vary", "rl.loss=kimi,grpo", "--seeds", "1"], "data stats": ["--count", "8"]}

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True, scope="module")
def small_runs_are_quick() -> Iterator[None]:
    """What takes their time and isn't looked at is left out: a tokenizer's texts, drawn charts, waits for the disk."""
    with pytest.MonkeyPatch.context() as patched:
        for module in (open_session, planning):
            patched.setattr(module, "TOKENIZER_TEXTS", 100)
        patched.setattr(svg_charts, "_finish", lambda figure, name: f'<svg class="chart" id="{name}"></svg>')
        patched.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture
def vlrl(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """`vlrl("plan", "x.yaml")` runs the command in this process: (exit code, stdout, stderr)."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vlrl", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config of each shape, a recipe, a model, pairs and problems; the working directory."""
    monkeypatch.chdir(tmp_path)
    sources = [{"name": "sums", "kind": "domain", "domain": "arithmetic"}]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({"sources": sources}))
    for name, values in SHAPES.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({"name": name, **values}, sort_keys=False))
    return tmp_path


@pytest.fixture
def whole(folder: Path, model_folders: dict[str, Path]) -> Path:
    """The same with what the configs read: a model, preferences, problems."""
    (folder / "first").mkdir()
    (folder / "first" / "model_sft").symlink_to(model_folders["tiny-qwen3-vl"])
    problem = {"prompt": [{"text": "1+1=?"}], "answer": "2", "verifier": "number", "modality": "text", "domain": "d"}
    (folder / "problems.jsonl").write_text(json.dumps(problem) + "\n")
    pair = {**problem, "chosen": "<answer>2</answer>", "rejected": "<answer>3</answer>"}
    (folder / "pairs.jsonl").write_text((json.dumps(pair) + "\n") * 4)
    return folder


@pytest.fixture
def nothing_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings, recipe and inputs are checked as in a run, and the run folder is written; no stage does its work."""
    monkeypatch.setattr(running, "_run_stages", lambda *arguments: None)
    for target in ("vlrl.experiments.ablation.ablate.start_ablation", "vlrl.commands.curate.start_curation"):
        monkeypatch.setattr(target, lambda *arguments: "ended")
    for target in (
        "vlrl.commands.evaluate.evaluate_benchmarks",
        "vlrl.experiments.long2short.long2short.start_long2short",
        *(f"vlrl.commands.reward_models.reward_model_commands.{name}_command" for name in ("make", "train", "eval")),
    ):
        monkeypatch.setattr(target, lambda *arguments: "ended")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_a_config_of_this_shape_or_names_the_one_that_does(
    vlrl: Call, whole: Path, nothing_is_learned: None, command: str, shape: str
):
    more = MORE.get(command, []) if not (command == "ablate" and shape == "ablation") else ["--seeds", "1"]
    if command == "report" and shape in WORKS_ON["report"]:
        assert vlrl("run", f"{shape}.yaml")[0] == 0
    code, out, error = vlrl(*command.split(), f"{shape}.yaml", *more)
    assert "Traceback" not in error
    if shape in WORKS_ON[command]:
        assert code == 0, out + error
        assert "error" not in error
        return
    assert code == 2, out + error
    assert error.count("error: ") == 1
    assert "→" in error
    if not (command == "ablate" and shape in RUNS) and not (command == "report" and shape == "benchmarks"):
        assert f"`vlrl {command}` doesn't take" in error
        assert error.count("vlrl ") >= 2  # the command that does


@pytest.mark.slow
@pytest.mark.parametrize("shape", RUNS)
def test_a_run_of_every_shape_runs_to_its_end_by_every_command_that_takes_it(vlrl: Call, whole: Path, shape: str):
    for command in ("prepare", "sft", "rl", "eval", "run"):
        code, out, error = vlrl(command, f"{shape}.yaml", f"run_folder=runs/{command}")
        assert code == 0, f"{command}: {out}{error}"
    assert vlrl("report", "runs/run")[0] == 0
    assert (whole / "runs/run/report.html").is_file()
    assert (whole / "runs/prepare/data/test.jsonl").is_file()
    assert (whole / "runs/sft/model_sft").is_dir()
    assert (whole / "runs/rl/model").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "shape", "leaves"),
    [
        ("run", "chain", "runs/chain/learned/report.html"),
        ("curate", "curation", "runs/curation/curated.jsonl"),
        ("eval", "benchmarks", "runs/benchmarks/results.json"),
        ("long2short", "long2short", "runs/long2short/0/pipeline.json"),
    ],
)
def test_what_is_no_run_is_done_by_its_command(vlrl: Call, whole: Path, command: str, shape: str, leaves: str):
    code, out, error = vlrl(command, f"{shape}.yaml")
    assert code == 0, out + error
    assert (whole / leaves).is_file()


def test_every_command_explains_itself(vlrl: Call):
    for command in (
        *COMMANDS,
        "merge",
        "score",
        "verify",
        "configs",
        "recipes",
        "copy",
        "data preview",
        "data domains",
    ):
        code, out, _ = vlrl(*command.split(), "--help")
        assert code == 0
        assert len(out.split()) > 20
