"""What a user's own file adds to vlrl, by the real commands: an engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from vlrl.commands.curate import start_curation
from vlrl.commands.evaluate import evaluate_benchmarks
from vlrl.plan.plan import make_plan
from vlrl.rollout.engine_registry import engines
from vlrl.training.run import start_run

pytest_plugins = ("small_runs",)

ENGINE = """
from vlrl.errors import ConfigError
from vlrl.rollout.engine_registry import EngineCapabilities, EngineMemory, EngineSettings, engines
from vlrl.rollout.scripted_engine import ScriptedEngine


@engines.register("parrot")
class ParrotSettings(EngineSettings):
    max_num_seqs: int = 4
    max_num_batched_tokens: int = 512
    says: str = "<answer>7</answer>"

    @property
    def capabilities(self):
        return EngineCapabilities(partial_rollouts=False, library=None)

    def check(self, config, device, context, dtype):
        if context < 32:
            raise ConfigError("model.context", f"{context}: a parrot needs 32 tokens", "raise it")

    def memory(self, load):
        return EngineMemory({**load.wave(self.max_num_seqs, self.max_num_batched_tokens), "cage": 17}, {"cage": 17}, {})

    def open(self, loaded):
        return ScriptedEngine(lambda problem_id: (self.says,), loaded.tokenizer)
"""


@pytest.fixture
def engine(tmp_path: Path):
    """A config of a run, of an evaluation and of a curation with an engine of the user's own."""
    with engines.temporarily():
        (tmp_path / "parrot.py").write_text(ENGINE)
        yield {"plugins": [str(tmp_path / "parrot.py")], "engine": {"name": "parrot"}}


def written(path: Path, **settings: object) -> Path:
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return path


def problems(folder: Path) -> Path:
    rows = [{"problem": f"{n} + {7 - n}?", "answer": "7"} for n in range(6)]
    (folder / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "sums.jsonl"


def test_an_engine_writes_for_plans_runs_and_evaluations(tmp_path, engine, model_folders):
    model = {"path": str(model_folders["tiny-qwen3-vl"])}
    recipe = written(tmp_path / "recipe.yaml", sources=[{"name": "sums", "kind": "domain", "domain": "arithmetic"}])
    run = {"stages": ["eval"], "eval": {"problems": 2, "samples": 1, "sampling": {"max_tokens": 16}}}
    config = written(tmp_path / "run.yaml", **engine, name="run", data=str(recipe), model=model, **run)
    assert make_plan(config).memory["eval"]["cage"] == 17
    start_run(config, [f"run_folder={tmp_path / 'run'}"])
    assert json.loads((tmp_path / "run" / "run_card.json").read_text())["status"] == "finished"
    asked = {"benchmark": "math", "path": str(problems(tmp_path)), "protocol": {"max_tokens": 16}}
    config = written(tmp_path / "eval.yaml", **engine, name="eval", model=model, benchmarks=[asked])
    (result,) = evaluate_benchmarks(config, [f"run_folder={tmp_path / 'eval'}"])
    assert (result["value"], result["n"]) == (1.0, 6)
    difficulty = {"name": "difficulty", "samples": 1, "sampling": {"max_tokens": 16}}
    config = written(
        tmp_path / "curate.yaml", **engine, name="c", data=str(recipe), problems=3, model=model, stages=[difficulty]
    )
    assert start_curation(config, [f"run_folder={tmp_path / 'curated'}"]).funnel.stages[0].entered == 3
