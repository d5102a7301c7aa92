"""A chain of every kind of link, for real on a tiny model: fixed sets, curation, SFT, RL, long2short, benchmark."""

from __future__ import annotations

import json

import pytest
from untrained_world import DOMAIN, LOOP, SHAPE, write

from vlrl.experiments.pipeline.pipeline import run_pipeline


@pytest.fixture
def chain(tmp_path):
    """The chain's config. Its models need no training to be right now and then. One process has each domain once."""
    (tmp_path / "domain.py").write_text(DOMAIN.replace("even_length", "even_length_in_a_chain"))
    sources = [{"name": "even", "kind": "domain", "domain": "even_length_in_a_chain"}]
    recipe = write(tmp_path, "recipe.yaml", {"plugins": ["domain.py"], "sources": sources})
    run = {
        "name": "base",
        "data": recipe,
        "threads": 1,
        "model": {"build": "tiny-qwen3-vl", "shape": SHAPE},
        "sft": {**LOOP, "demonstrations": 8},
        "rl": {"steps": 1, "problems_per_step": 4, "rollouts_per_problem": 4, "sampling": {"max_tokens": 8}},
        "eval": {"problems": 6, "curve_problems": 6, "sampling": {"max_tokens": 8}},
    }
    asking = {"max_tokens": 12, "temperature": 1.0, "stop": [" "]}
    curation = {
        "name": "curation",
        "data": recipe,
        "problems": 100,
        "recipe_held_out": 0.25,
        "held_out": 6,
        "model": {"build": "tiny-qwen3-vl", "shape": SHAPE},
        "stages": [{"name": "difficulty", "samples": 4, "prompt": "{question}", "sampling": asking}],
        "warmup": {"samples": 8, "prompt": "{question}", "sampling": asking},
    }
    base, curate = write(tmp_path, "base.yaml", run), write(tmp_path, "curate.yaml", curation)
    short = {"name": "short", "base": base, "curate": curate, "long": ["x"], "ways": ["rl"]}
    bench = {"benchmark": "problems", "path": "x", "protocol": {"max_tokens": 8}}
    bench_config = {"name": "bench", "model": {"path": "x"}, "benchmarks": [bench]}
    by_rows = {
        "data": "{curated}/curated_recipe.yaml",
        "rl.problem_sampler.weights": [{"name": "easy_to_hard", "first": 0.9}],
    }
    links = [
        {"name": "prepared", "does": "prepare", "config": base},
        {"name": "curated", "does": "curate", "config": curate},
        {
            "name": "warm",
            "config": base,
            "set": {"stages": ["sft"], "data": "{curated}/demonstrations_recipe.yaml", "sft.demonstrations": "all"},
        },
        {
            "name": "learned",
            "config": base,
            "set": {"stages": ["rl"], "model": {"path": "{warm}/model_sft"}, **by_rows},
        },
        {
            "name": "shortened",
            "does": "long2short",
            "config": write(tmp_path, "short.yaml", short),
            "set": {"long": ["{learned}/model"]},
        },
        {
            "name": "tested",
            "does": "eval",
            "config": write(tmp_path, "bench.yaml", bench_config),
            "set": {
                "model.path": "{shortened}/0/rl/model",
                "benchmarks": [{**bench, "path": "{prepared}/data/test.jsonl"}],
            },
        },
    ]
    held = {"name": "whole", "run_folder": str(tmp_path / "out"), "pipeline": links}
    return tmp_path, write(tmp_path, "whole.yaml", held)


@pytest.mark.slow
def test_a_chain_of_all_kinds_of_links_runs_and_is_not_repeated(chain):
    folder, config = chain
    out = run_pipeline(config, [], say=lambda line: None)
    assert (out / "prepared/data/test.jsonl").is_file()
    assert "difficulty: difficulty" in (out / "curated/curated_recipe.yaml").read_text()
    assert "| rl |" in (out / "shortened/short.md").read_text()
    (benchmark,) = json.loads((out / "tested/results.json").read_text())["benchmarks"]
    assert benchmark["n"] == 6
    said: list[str] = []
    run_pipeline(config, [], say=said.append)
    assert len(said) == 6
    assert not [line for line in said if "finished earlier" not in line]
    (folder / "bench.yaml").write_text((folder / "bench.yaml").read_text() + "batch: 16\n")
    said.clear()
    run_pipeline(config, [], say=said.append)
    assert [line.partition(":")[0] for line in said if "starts again" in line] == ["tested"]
