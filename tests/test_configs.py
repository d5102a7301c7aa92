"""Every shipped config and recipe loads, with all its mistakes found, and `vlrl plan` has something to say about it."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import vlrl.plan.plan as planning
from vlrl.config import load_settings
from vlrl.data.recipe import load_recipe
from vlrl.plan.plan import make_plan, show_plan
from vlrl.rollout.ray.ray_settings import RayPoolSettings
from vlrl.training.run_settings import RunSettings

ROOT = Path(__file__).parents[1]
OTHER = (
    "eval",
    "curate",
    "pipelines",
    "ablations",
    "long2short",
    "reward_models",
)  # folders of configs that are no training runs
CONFIGS = sorted(str(f.relative_to(ROOT)) for f in (ROOT / "configs").rglob("*.yaml") if f.parent.name not in OTHER)
RECIPES = sorted(str(file.relative_to(ROOT)) for file in (ROOT / "data_recipes").glob("*.yaml"))
PROBLEM_SETS = (
    "blood_cells",
    "playing_cards",
    "receipts_sroie",
    "puzzlevqa",
    "dynamath",
    "tabmwp",
    "gsm8k",
    "bjj_vqa",
    "mathvision",
)


@pytest.fixture(scope="module")
def folder_of_sets(tmp_path_factory) -> Path:
    """A folder as VLRL_DATA names it: real files of the shape that each set has, a few rows each."""
    folder = tmp_path_factory.mktemp("sets")
    for name in PROBLEM_SETS:
        (folder / name / "images").mkdir(parents=True)
        rows = []
        for number in range(12):
            pixels = np.random.default_rng(number).integers(0, 255, (90, 120, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / "images" / f"{number}.png")
            row = {
                "question": f"What is in image {number}?",
                "answer": "2",
                "choices": ["2", "3"] if name == "puzzlevqa" else None,
                "answer_type": {"playing_cards": "integer"}.get(name, "float"),
                "question_type": "free_text",
                "precision": 2,
                "unit": "",
                "seed_question": number,
            }
            if name != "gsm8k":
                row["images"] = [f"images/{number}.png"]
            rows.append(row)
        for split in ("train", "test", "testmini"):
            (folder / name / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(autouse=True)
def from_the_checkout(monkeypatch, folder_of_sets):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("VLRL_DATA", str(folder_of_sets))
    monkeypatch.setenv("VLRL_TRAIN", str(folder_of_sets / "blood_cells" / "train.jsonl"))
    monkeypatch.setattr(planning, "TOKENIZER_TEXTS", 300)  # enough for a tokenizer, in a moment


def test_there_is_something_to_test():
    assert "configs/quickstart.yaml" in CONFIGS
    assert {"configs/rl/qwen2_5_vl_3b.yaml", "configs/rl/qwen2_5_vl_7b.yaml", "configs/rl/qwen3_vl_4b.yaml"} <= set(
        CONFIGS
    )
    assert "data_recipes/quickstart.yaml" in RECIPES


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_shipped_recipe_loads(recipe):
    assert load_recipe(recipe).sources


@pytest.mark.parametrize("config", CONFIGS)
def test_a_shipped_config_loads_with_its_recipe_and_is_named_like_its_file(config):
    settings = load_settings(RunSettings, config)
    assert load_recipe(settings.data).sources
    assert settings.name == Path(config).stem


@pytest.mark.parametrize("config", CONFIGS)
def test_a_shipped_config_can_be_planned(config):
    plan = make_plan(Path(config))
    assert plan.counts.total == sum(plan.counts.by_part.values()) > 0
    assert {source.name for source in plan.sources} == set(plan.recipe.shares)
    assert not [warning for warning in planning.warnings_of(plan) if "context" in warning]
    said = io.StringIO()
    show_plan(plan, Console(file=said, width=72, highlight=False))
    lines = said.getvalue().splitlines()
    tables = [line for line in lines if line.startswith(("│", "┃", "┏", "└"))]
    assert len(tables) > 20
    assert max(map(len, tables)) <= 72


@pytest.mark.parametrize("config", [config for config in CONFIGS if config.startswith("configs/rl/")])
def test_a_shipped_rl_config_checks_that_engine_and_trainer_agree(config):
    settings = load_settings(RunSettings, config)
    bound = settings.rl.agreement.max_gap
    assert bound is not None
    assert bound <= (0.01 if settings.model.dtype == "float32" else 0.05)
    if "sft" in settings.stages or settings.model.path:  # a model that can read images
        assert settings.rl.agreement.probe_every == 50


def test_the_long_preset_needs_the_memory_that_its_comment_says():
    """On a device of 16 bits: by `vlrl plan`, within 3 % over the prompts that one may bring."""
    config = Path("configs/rl/long_context.yaml")
    said = float(re.search(r"about (\d+) GiB on one device", config.read_text()).group(1))
    plan = make_plan(config, gpu_gib=141)
    assert plan.context == 131_072
    assert plan.obstacles == ()
    assert plan.peak_bytes / 2**30 == pytest.approx(said, rel=0.03)


def test_one_real_model_is_set_up_for_vllm_that_sleeps_while_the_policy_trains():
    engine = load_settings(RunSettings, "configs/rl/qwen3_vl_4b.yaml").engine
    assert type(engine).__name__ == "VllmEngineSettings"
    assert engine.sleep == "release"
    plan = make_plan(Path("configs/rl/qwen3_vl_4b.yaml"))
    assert "engine's weights" in plan.memory["rl rollout"]
    assert "engine's weights" not in plan.memory["rl update"]


def test_the_run_on_a_cluster_is_that_of_the_same_model_but_for_its_engine():
    alone, cluster = (load_settings(RunSettings, f"configs/rl/{name}.yaml") for name in ("qwen3_vl_4b", "ray_cluster"))
    pool = cluster.engine
    assert isinstance(pool, RayPoolSettings)
    assert (pool.address, pool.gpus_per_actor, type(pool.engine).__name__) == ("auto", 1, "VllmEngineSettings")
    assert cluster.model_copy(update={"name": alone.name, "engine": alone.engine}) == alone


@pytest.mark.parametrize("config", ["configs/rl/qwen3_vl_4b.yaml", "configs/rl/qwen2_5_vl_7b.yaml"])
@pytest.mark.parametrize("place", ["docs/ray.md", "scripts/launch/ray_slurm.sh"])
def test_the_pool_goes_onto_any_config_as_it_is_written(place, config):
    text = Path(place).read_text()
    commands = [line for line in text.splitlines() if re.search(r"CONFIG\b.*engine\.", line)]
    assert not commands, "key by key a config's own engine settings would stay"
    written = re.findall(r"'(engine=\{.*\})'", text)
    assert written
    for override in written:
        pool = load_settings(RunSettings, config, [override]).engine
        assert isinstance(pool, RayPoolSettings)
        assert pool.address
        assert pool.gpus_per_actor == 1


def test_the_k1_5_settings_are_the_papers():
    for config in ("rl/k1_5", "rl/k1_5_7b", "rl/k1_5_32b", "rl/qwen2_5_vl_3b", "rl/qwen2_5_vl_7b", "rl/qwen3_vl_4b"):
        rl = load_settings(RunSettings, f"configs/{config}.yaml").rl
        assert type(rl.loss).__name__ == "KimiLoss"
        assert rl.loss.logratio_norm == "none"  # the log ratio of the whole sequence
        assert type(rl.credit.advantage).__name__ == "MeanBaseline"
        assert rl.policy.reset_optimizer == "each_iteration"
        assert rl.updates_per_step > 1
        length = rl.credit.shape[0]
        assert type(length).__name__ == "LengthReward"
        assert length.weight > 0
        assert 0 < length.start_step < rl.steps
        assert not rl.skip_uninformative
        assert rl.rollouts_per_problem == 8


NAMED = [config for config in CONFIGS if Path(config).name.startswith("k1_5")]


@pytest.mark.parametrize("config", NAMED)
def test_a_config_that_bears_the_papers_name_has_every_part_of_its_rl_on(config):
    """Curriculum, prioritised sampling, length reward, repetition stop, partial rollouts (§2.3.3, §2.3.4, §2.6.2)."""
    rl = load_settings(RunSettings, config).rl
    assert rl.loss.tau > 0
    assert rl.updates_per_step > 1
    assert rl.policy.reset_optimizer == "each_iteration"
    assert [type(part).__name__ for part in rl.problem_sampler.weights] == ["EasyToHard", "Prioritised"]
    assert [type(part).__name__ for part in rl.credit.shape] == ["LengthReward", "RepeatPenalty"]
    assert rl.sampling.repetition is not None
    assert rl.partial is not None
    assert rl.partial.budget < rl.sampling.max_tokens


@pytest.mark.parametrize(("config", "ranks", "gib"), [("k1_5_7b", 8, 80), ("k1_5_32b", 16, 80), ("k1_5_32b", 8, 141)])
def test_the_papers_recipe_fits_where_its_comment_says(config, ranks, gib):
    assert f"{gib} GB" in Path(f"configs/rl/{config}.yaml").read_text()
    plan = make_plan(Path(f"configs/rl/{config}.yaml"), ranks=ranks, gpu_gib=gib)
    assert plan.fits, plan.obstacles
    assert "engine's weights" not in plan.memory["rl update"]
