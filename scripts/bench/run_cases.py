"""Small runs of every kind, each a command in a fork of this process, which has loaded the libraries."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from faults import Faults, install

import vlrl.cli
from vlrl.commands import curate
from vlrl.data.mixture import Mixture
from vlrl.data.problem_files import write_problem_file
from vlrl.data.recipe import load_recipe
from vlrl.experiments.pipeline import pipeline
from vlrl.report.figures import svg_charts
from vlrl.training import run
from vlrl.training.session import open_session
from vlrl.types import Preference

LOADED = (curate, pipeline, run)  # before the first fork

PATIENCE_SECONDS = 600
CHOICES = [(a, b) for a in range(1, 7) for b in range(1, 7) if a != b]
RL = {
    "steps": 5,
    "problems_per_step": 4,
    "rollouts_per_problem": 4,
    "validate_every": 2,
    "checkpoint_every": 2,
    "log_every": 1,
    "skip_uninformative": False,
    "sampling": {"max_tokens": 6},
    "policy": {"optimizer": {"lr": 1e-3}},
}
FIXED = {"steps": 4, "batch": 4, "validate_every": 2, "checkpoint_every": 2}
STAGES: dict[str, dict[str, Any]] = {
    "sft + rl": {"stages": ["sft", "rl", "eval"], "sft": {**FIXED, "demonstrations": 16}},
    "over-sampling": {
        "rl": {
            **RL,
            "export_every": 3,
            "skip_uninformative": True,
            "over_sampling": {"informative": 3, "max_rounds": 3},
            "problem_sampler": {"weights": ["prioritised"]},
        }
    },
    "partial rollouts": {"rl": {**RL, "partial": {"budget": 3, "early_exit_below": 0.5}}},
    "dpo": {"stages": ["dpo", "eval"], "dpo": {**FIXED, "pairs": "pairs.jsonl"}},
}


@dataclass
class Case:
    """One kind of run: its config, and the undisturbed run with the number of its writes and its seconds."""

    name: str
    config: Path
    command: str
    whole: Path
    events: int = 0
    seconds: float = 0.0


@dataclass
class Ended:
    """How a command ended, and what it said."""

    code: int
    said: str
    seconds: float


def call(
    case: Case, folder: Path, watch: Callable[[int, float], bool] | None = None, faults: Faults | None = None
) -> Ended:
    """The command of a case in a fork of this process. `watch` is asked every 5 ms whether it has done its deed."""
    with tempfile.TemporaryFile("w+") as log:
        began = time.monotonic()
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            _become(case, folder, log.fileno(), faults)
        done = False
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            seconds = time.monotonic() - began
            if ended:
                log.seek(0)
                return Ended(os.waitstatus_to_exitcode(status), log.read(), seconds)
            if watch is not None and not done:
                done = watch(child, seconds)
            if seconds > PATIENCE_SECONDS:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.005)


def _become(case: Case, folder: Path, log: int, faults: Faults | None) -> None:
    """The child: never returns."""
    code = 1
    try:
        os.setsid()
        for descriptor in (1, 2):
            os.dup2(log, descriptor)
        sys.argv = ["vlrl", case.command, str(case.config), f"run_folder={folder}"]
        if faults is not None:
            install(faults)
        try:
            vlrl.cli.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        except BaseException:
            traceback.print_exc()
        if faults is not None and not faults.at:
            print(f"\nevents: {faults.events}")
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def prepare(work: Path, names: list[str]) -> list[Case]:
    """Recipe, a model that gets some answers right, and the undisturbed runs."""
    work.mkdir(parents=True, exist_ok=True)
    for left in ("whole", "disturbed", "taught"):
        shutil.rmtree(work / left, ignore_errors=True)
    open_session.TOKENIZER_TEXTS = 200
    svg_charts._finish = lambda figure, name: f'<svg id="{name}"></svg>'  # to draw charts is half of such a run
    rows = [
        {
            "question": f"Which is more? (A) {a} (B) {b}",
            "answer": "A" if a > b else "B",
            "response": f"<answer>{'A' if a > b else 'B'}</answer>",
        }
        for a, b in CHOICES
    ]
    (work / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = {"name": "more", "kind": "file", "path": "rows.jsonl", "modality": "text", "verifier": "choice"}
    text |= {"columns": {"response": "response"}, "held_out": 0.2}
    shapes = {"name": "shapes", "kind": "domain", "domain": {"name": "grid_compare", "size": 48}}
    recipe = {"image": {"min_pixels": 1024, "max_pixels": 4096}, "sources": [text, shapes]}
    (work / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    base = {
        "data": str(work / "recipe.yaml"),
        "threads": 1,
        "eval": {"problems": 4, "curve_problems": 4, "sampling": {"max_tokens": 6}},
    }
    shape = {
        "text_width": 32,
        "text_layers": 2,
        "vision_width": 32,
        "head_size": 16,
        "key_value_heads": 1,
        "mlp_width": 48,
    }
    taught = {**base, "name": "taught", "stages": ["sft"], "model": {"build": "tiny-qwen3-vl", "shape": shape}}
    taught["sft"] = {
        "steps": 120,
        "batch": 16,
        "demonstrations": 32,
        "validate_every": 120,
        "policy": {"optimizer": {"lr": 3e-3}},
    }
    teacher = Case("the model", write(work / "taught.yaml", taught), "run", work / "taught")
    finish(teacher, teacher.whole)
    base["model"] = {"path": str(work / "taught/model_sft")}
    cases = []
    for name in names:
        settings = {**base, "name": "disturbed", "stages": ["rl", "eval"], "rl": RL, **STAGES.get(name, {})}
        config, command = work / f"{name.replace(' ', '_')}.yaml", "run"
        if name == "dpo":
            settings["dpo"] = {**settings["dpo"], "pairs": str(_pairs(work))}
        if name == "curation":
            settings, command = _curation(base), "curate"
        if name == "chain":
            config = _chain(work, base)
        else:
            write(config, settings)
        case = Case(name, config, command, work / "whole" / config.stem)
        ended = finish(case, case.whole, Faults(case.whole))
        case.seconds, case.events = ended.seconds, int(ended.said.rsplit("events: ", 1)[1])
        print(f"{name}: {case.seconds:.1f} s, {case.events} writes", flush=True)
        cases.append(case)
    return cases


def write(path: Path, settings: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return path


def _pairs(work: Path) -> Path:
    problems = Mixture(load_recipe(str(work / "recipe.yaml")), 1, []).draw(8)
    pairs = [Preference(one, "<answer>A</answer>", f"<answer>{i}</answer>") for i, one in enumerate(problems)]
    write_problem_file(work / "pairs.jsonl", pairs)
    return work / "pairs.jsonl"


def _curation(base: dict[str, Any]) -> dict[str, Any]:
    ask = {
        "name": "difficulty",
        "samples": 2,
        "sampling": {"temperature": 1.0, "max_tokens": 6},
    }
    return {
        **{key: base[key] for key in ("data", "threads", "model")},
        "name": "curated",
        "problems": 48,
        "recipe_held_out": 0.2,
        "batch": 6,
        "held_out": 4,
        "stages": [{"name": "formats", "multiple_choice": "keep"}, ask],
        "warmup": {"samples": 2, "sampling": {"temperature": 1.0, "max_tokens": 6}},
    }


def _chain(work: Path, base: dict[str, Any]) -> Path:
    curation = write(work / "chain_curate.yaml", _curation(base))
    learned = write(
        work / "chain_run.yaml", {**base, "name": "learned", "stages": ["rl", "eval"], "rl": {**RL, "steps": 3}}
    )
    links = [
        {"name": "curated", "does": "curate", "config": str(curation)},
        {"name": "learned", "config": str(learned), "set": {"data": "{curated}/curated_recipe.yaml"}},
    ]
    return write(work / "chain.yaml", {"name": "chain", "pipeline": links})


def finish(case: Case, folder: Path, faults: Faults | None = None) -> Ended:
    """The command, undisturbed, to its end. Exits where it fails."""
    ended = call(case, folder, faults=faults)
    if ended.code:
        sys.exit(f"{case.name} ended with {ended.code} though nothing happened to it:\n{ended.said[-3000:]}")
    return ended
