"""What a user's own file adds to vlrl, by the real commands: an engine, a family of models, a benchmark."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml
from small_runs import charts_are_not_drawn, nobody_waits_for_the_disk, tokenizer_from_few_texts  # noqa: F401

from vlrl.cli import main
from vlrl.commands.curate import start_curation
from vlrl.commands.evaluate import evaluate_benchmarks
from vlrl.data.benchmarks.benchmark_definition import benchmarks
from vlrl.data.recipe import load_recipe
from vlrl.errors import ConfigError
from vlrl.model.families.family import families
from vlrl.plan.plan import make_plan
from vlrl.rollout.engine_registry import engines
from vlrl.training.run import start_run
from vlrl.verify.judge import verifiers

ENGINE = """
from vlrl.data.benchmarks.benchmark_definition import benchmarks
from vlrl.data.recipe import load_recipe
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


FAMILY = Path(__file__).parent.parent / "examples/llava_family.py"


BENCHMARK = """
from vlrl.data.benchmarks.benchmark_definition import BenchmarkDefinition, RowDraft, benchmarks, verdict
from vlrl.data.benchmarks.row_cells import cell, values
from vlrl.verify.judge import verifier


@verifier("last_word")
def last_word(problem, response):
    word = response.split()[-1].strip(".") if response.split() else None
    return verdict(word == problem.answer, word)


@benchmarks.register("zoo")
class Zoo(BenchmarkDefinition):
    also_called = ("zoobench",)

    def draft(self, row, place):
        groups = {"animal": values(row.get("animal"))}
        question, gold = str(cell(row, place, "question")), str(cell(row, place, "gold"))
        return RowDraft(question, gold, "last_word", {}, groups, False)

    def official(self, problem, answer, draws, integer_rule):
        return verdict(problem.answer in answer.said, None, "anywhere")

    def sets(self, problems, rights):
        return {"all": {"every row": [all(rights)]}}
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


def test_a_family_is_planned_trained_and_evaluated(tmp_path):
    shape = {"text_width": 32, "text_layers": 2, "head_size": 16, "key_value_heads": 1, "mlp_width": 48}
    shape |= {"vision_width": 32, "vocabulary": 320, "context": 256}
    model = {"build": "tiny-llava", "shape": shape}
    source = {"name": "bars", "kind": "domain", "domain": "bars"}
    recipe = written(tmp_path / "recipe.yaml", sources=[source], image={"min_pixels": 256, "max_pixels": 16384})
    sampling = {"max_tokens": 6}
    rl = {"steps": 1, "problems_per_step": 2, "rollouts_per_problem": 2, "sampling": sampling}
    stages = {"stages": ["sft", "rl", "eval"], "sft": {"steps": 1, "batch": 2, "demonstrations": 8}, "rl": rl}
    held = {"eval": {"problems": 2, "curve_problems": 2, "samples": 1, "sampling": sampling}}
    settings = {"name": "llava", "data": str(recipe), "model": model, **stages, **held}
    with pytest.raises(ConfigError, match="unknown small architecture 'tiny-llava'"):
        make_plan(written(tmp_path / "without.yaml", **settings))
    with families.temporarily():
        config = written(tmp_path / "run.yaml", plugins=[str(FAMILY)], **settings)
        assert make_plan(config).image_bounds == (16, 16)
        start_run(config, [f"run_folder={tmp_path / 'run'}"])
        assert json.loads((tmp_path / "run" / "run_card.json").read_text())["status"] == "finished"
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    (step,) = [one for one in metrics if "rollout/logprob_gap_mean" in one or one["phase"] == "rl"]
    assert step["step"] == 1
    again = written(tmp_path / "again.yaml", **{**settings, "model": {"path": str(tmp_path / "run" / "model")}})
    assert make_plan(again).image_bounds == (16, 16)  # without the plugin, in the generic way


def test_a_benchmark_is_evaluated_scored_kept_out_of_training_and_of_curated_sets(
    tmp_path, engine, model_folders, monkeypatch, capsys
):
    (tmp_path / "zoo.py").write_text(BENCHMARK)
    plugins = [*engine["plugins"], str(tmp_path / "zoo.py")]
    parrot = {"name": "parrot", "says": "It says moo."}
    rows = [{"id": n, "question": f"What does cow {n} say?", "gold": "moo", "animal": "cow"} for n in range(3)]
    rows += [{"id": 3, "question": "And a moody dog?", "gold": "woof", "animal": "dog"}]
    zoo = tmp_path / "rows.jsonl"
    zoo.write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = {"path": str(model_folders["tiny-qwen3-vl"])}
    with benchmarks.temporarily(), verifiers.temporarily():
        asked = {"benchmark": "zoo", "path": str(zoo), "protocol": {"max_tokens": 16}}
        settings = {"plugins": plugins, "engine": parrot, "name": "zoo", "model": model, "benchmarks": [asked]}
        (result,) = evaluate_benchmarks(written(tmp_path / "eval.yaml", **settings), [f"run_folder={tmp_path / 'e'}"])
        assert (result["value"], result["n"]) == (0.75, 4)
        assert [result["groups"]["animal"][kind]["accuracy"] for kind in ("cow", "dog")] == [1.0, 0.0]
        assert result["groups"]["all"]["every row"]["correct"] == 0

        given = tmp_path / "responses.jsonl"
        given.write_text("".join(json.dumps({"id": n, "response": "moo, woof it goes"}) + "\n" for n in range(4)))
        for mode, right in (("reward", 0), ("official", 4)):
            files = ["--problems", str(zoo), "--responses", str(given), "--plugin", plugins[1]]
            monkeypatch.setattr(sys, "argv", ["vlrl", "score", "zoo", *files, "--mode", mode, "--json"])
            assert not main()
            assert json.loads(capsys.readouterr().out.strip().splitlines()[-1])["correct"] == right

        source = {"name": "zoo", "kind": "file", "path": str(zoo), "layout": "zoo", "modality": "text"}
        recipe = written(tmp_path / "zoo.yaml", plugins=[plugins[1]], sources=[source])
        with pytest.raises(ConfigError, match="is an evaluation set"):
            load_recipe(recipe).refuse_evaluation_sets()
        mine = [{"question": "What does cow 1 say?", "answer": "moo"}, {"question": "What is 3+4?", "answer": "7"}]
        (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in mine))
        own = {"name": "own", "kind": "file", "path": "mine.jsonl", "modality": "text", "verifier": "text"}
        recipe = written(tmp_path / "own.yaml", sources=[{**own, "held_out": 0}])
        stage = {"name": "contamination", "benchmarks": [{"benchmark": "zoo", "path": str(zoo)}]}
        kept = {"plugins": plugins, "name": "kept", "data": str(recipe), "held_out": 0, "stages": [stage]}
        curated = start_curation(written(tmp_path / "curate.yaml", **kept), [f"run_folder={tmp_path / 'c'}"])
        assert [problem.answer for problem in curated.funnel.kept] == ["7"]
