"""Long2short: the chain that every way is made of, the start on the front, and all ways for real on tiny models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from untrained_world import DOMAIN, LOOP, SHAPE, write

from vlrl.config import as_arguments, build_settings, load_settings
from vlrl.errors import ConfigError
from vlrl.experiments.long2short import long2short, long2short_page
from vlrl.experiments.long2short.long2short import (
    Long2ShortSettings,
    choose_start,
    found_by,
    links_of,
    start_long2short,
)
from vlrl.experiments.long2short.long2short_page import read_findings, write_page
from vlrl.experiments.pipeline.pipeline import PipelineSettings, check_link
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.training.run import start_run
from vlrl.training.run_settings import RunSettings


@pytest.fixture
def world(tmp_path) -> dict:
    """Base config, curation and settings of a long2short whose models are untrained."""
    (tmp_path / "domain.py").write_text(DOMAIN)
    sources = [{"name": "even", "kind": "domain", "domain": "even_length", "weight": 1}]
    recipe = write(tmp_path, "recipe.yaml", {"plugins": ["domain.py"], "sources": sources})
    base = {
        "name": "base",
        "data": recipe,
        "model": {"build": "tiny-qwen3-vl", "shape": SHAPE},
        "sft": {**LOOP, "demonstrations": 8},
        "dpo": LOOP,
        "rl": {"steps": 1, "problems_per_step": 4, "rollouts_per_problem": 4, "sampling": {"max_tokens": 8}},
        "eval": {"problems": 12, "curve_problems": 8, "sampling": {"max_tokens": 12}},
    }
    curation = {
        "name": "curation",
        "data": recipe,
        "problems": 60,
        "recipe_held_out": 0.25,
        "held_out": 12,
        "model": {"path": "base"},
        "warmup": {
            "samples": 8,
            "pairs": 1.5,
            "prompt": "{question}",
            "sampling": {"max_tokens": 12, "temperature": 1.0, "stop": [" "]},
        },
    }
    return {
        "name": "short",
        "run_folder": str(tmp_path / "out"),
        "base": write(tmp_path, "base.yaml", base),
        "curate": write(tmp_path, "curate.yaml", curation),
        "long": [str(tmp_path / "long" / "model_sft")],
        "short": str(tmp_path / "brief" / "model_sft"),
    }


def settings(held, **more) -> Long2ShortSettings:
    return build_settings(Long2ShortSettings, {**held, **more}, "long2short.yaml")


def test_each_way_is_a_few_links_and_every_model_is_tested_on_the_base(world):
    links = {link.name: link for link in links_of(settings(world), "L", 0)}
    assert set(links) == {
        "merged", "sampled", "merged_sampled", "shortest", "dpo", "rl", "merge_rs",
        *(f"test_{name}" for name in ("long", "short", "merge", "shortest", "dpo", "rl", "merge_rs")),
    }  # fmt: skip
    assert links["merged"].set == {"first": "L", "second": world["short"], "weight": 0.5}
    assert links["shortest"].set["data"] == "{sampled}/demonstrations_recipe.yaml"
    assert links["dpo"].set["dpo.pairs"] == "{sampled}/preferences.jsonl"
    assert links["merge_rs"].set["model.path"] == "{merged}"
    assert links["test_rl"].set["model.path"] == "{rl}/model"
    PipelineSettings(name="x", pipeline=tuple(links_of(settings(world), "L", 0)))  # refers backwards only


def test_a_way_learns_from_responses_that_are_cut_behind_their_right_answer(world):
    links = {one.name: one for one in links_of(settings(world, ways=["trimmed"], trim={"pairs": True}), "L", 0)}
    assert list(links) == ["trimmed_sampled", "trimmed", "test_long", "test_trimmed"]
    assert links["trimmed_sampled"].set["warmup.trim"] == {"concludes": "statement", "separators": [], "pairs": True}
    assert links["trimmed"].set["data"] == "{trimmed_sampled}/demonstrations_recipe.yaml"


def test_only_what_the_chosen_ways_need_is_run(world):
    assert [link.name for link in links_of(settings(world, ways=["rl"]), "L", 0)] == ["rl", "test_long", "test_rl"]
    only = links_of(settings(world, ways=["rl"], set={"rl": {"rl.sampling.max_tokens": 4}}), "L", 0)
    assert only[0].set["rl.sampling.max_tokens"] == 4


def test_a_merge_without_a_second_model_is_refused(world):
    with pytest.raises(ConfigError, match="a merge needs two models"):
        settings({**world, "short": None})
    assert settings({**world, "short": None}, ways=["rl", "dpo"])


def test_models_can_be_made_by_links_of_the_same_chain_once_a_seed(world):
    made = {"name": "longer", "config": world["base"], "set": {"stages": ["sft"]}}
    more = {"overrides": {"data": "other.yaml"}, "before": [made], "long": ["{longer}/model_sft"], "seeds": [3, 4]}
    plan = settings(world, **more)
    links = links_of(plan, choose_start(plan, 4), 4)
    assert (links[0].name, links[0].set) == ("longer", {"seed": 4, "stages": ["sft"]})
    by_name = {link.name: link for link in links}
    assert by_name["rl"].set["model.path"] == "{longer}/model_sft"
    assert {by_name[name].set["data"] for name in ("rl", "dpo", "test_long")} == {"other.yaml"}
    assert "data" not in by_name["sampled"].set  # the curation's config says what it asks
    assert plan.place(3) != plan.place(4)


def test_the_start_may_be_one_of_the_exports_of_a_run_that_is_made_first(world, monkeypatch):
    made = {"name": "longer", "config": world["base"], "set": {"stages": ["rl"], "rl.export_every": 1}}
    exports = ["{longer}/model_step_1", "{longer}/model"]
    plan = settings(world, before=[made], long=exports, ways=["rl"])
    chains = []

    def answer(chain):
        chains.append(chain)
        for i, tokens in enumerate((20, 40)):
            folder = chain.folder / f"look_{i}"
            folder.mkdir(parents=True)
            row = {"sampled": {"correct": [True], "tokens": [tokens]}}
            (folder / "answers_model.jsonl").write_text(json.dumps(row) + "\n")

    monkeypatch.setattr(long2short, "run_links", answer)
    assert choose_start(plan, 0) == exports[0]
    (chain,) = chains
    assert [link.name for link in chain.pipeline] == ["longer", "look_0", "look_1"]
    assert [link.set["model.path"] for link in chain.pipeline[1:]] == exports
    after = links_of(plan, exports[0], 0)
    assert after[0] == chain.pipeline[0]  # in one folder, so that it is made once
    assert chain.folder == plan.place(0)
    assert after[1].set["model.path"] == exports[0]


def answer(plan, right, tokens):
    """Answers to the test as its runs leave them: by seed and model, verdicts and tokens of every problem."""
    for seed in plan.seeds:
        for name, values in right[seed].items():
            folder = plan.place(seed) / f"test_{name}"
            folder.mkdir(parents=True)
            rows = [{"sampled": {"correct": [bool(v)], "tokens": [tokens(seed, name)]}} for v in values]
            (folder / "answers_model.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def page_of(plan) -> tuple[str, list[str]]:
    """The page, and the cells of its line of RL."""
    text = write_page(found_by(plan, ["L"], "vlrl long2short x.yaml"), plan.folder).read_text()
    assert long2short_page.page_of(read_findings(plan.folder / f"{plan.name}.json"))[0] == text
    (row,) = [line for line in text.splitlines() if line.startswith("| rl |")]
    return text, [cell.strip() for cell in row.strip("|").split("|")]


def test_the_page_is_over_all_seeds_and_pairs_each_with_its_own_long_model(world):
    plan = settings({**world, "short": None}, ways=["rl"], seeds=[1, 2], expected="fewer tokens")
    right = {1: {"long": [1, 1], "rl": [1, 0]}, 2: {"long": [0, 0], "rl": [0, 1]}}
    answer(plan, right, lambda seed, name: 8 if name == "rl" else 10 * seed)
    text, cells = page_of(plan)
    assert "2 seeds (1, 2), 2 problems each" in text
    assert "Expected before it was run: fewer tokens" in text
    assert cells[1].startswith("0.500 (")
    assert cells[2].startswith("+0.000 (")
    assert cells[4] == "8.0 (8.0 … 8.0)"
    assert cells[5] == "-7.0 (-12.0 … -2.0)"  # −2 and −12, by resampling the seeds
    assert cells[3] == cells[6] == "no difference shown"  # Student's interval of two such seeds spans zero
    assert cells[7] == "0.60"  # 8 of 10 and 8 of 20


def test_a_difference_in_tokens_is_called_lower_where_all_seeds_agree_and_never_with_one(world):
    plan = settings({**world, "short": None}, ways=["rl"], seeds=[1, 2, 3])
    answer(plan, {seed: {"long": [1, 0], "rl": [1, 0]} for seed in plan.seeds}, lambda seed, n: 9 if n == "rl" else 20)
    assert page_of(plan)[1][3::3] == ["no difference shown", "lower"]
    text, cells = page_of(plan.model_copy(update={"seeds": (1,)}))
    assert cells[3::3] == ["one seed: nothing shown"] * 2
    assert "nothing about other seeds" in text


LEAD = {"name": "lead_length", "weight": 1.0}


def rl_of(world, **more) -> RlSettings:
    plan = settings(world, ways=["rl"], **more)
    link = links_of(plan, "L", 0)[0]
    return load_settings(RunSettings, link.config, as_arguments(link.set)).rl


def test_rl_has_a_length_reward_half_of_the_budget_and_no_score_beyond_it_unless_said_otherwise(world):
    rl = rl_of(world)
    assert [(type(part).__name__, part.weight) for part in rl.credit.shape] == [("LengthReward", 0.3)]
    assert rl.sampling.max_tokens == 4  # half of 8
    assert rl.cut_scores_zero
    assert rl_of(world, rl_budget=0.25).sampling.max_tokens == 2
    own = {"rl.cut_scores_zero": False, "rl.sampling.max_tokens": 5, "rl.credit.shape": [LEAD]}
    own["rl.credit.advantage"] = "lead"
    said = rl_of(world, set={"rl": own})
    assert (said.cut_scores_zero, said.sampling.max_tokens) == (False, 5)
    assert [type(part).__name__ for part in said.credit.shape] == ["LeadLength"]


def test_reward_parts_of_the_base_stay_beside_the_length_reward(world):
    repeat = {"rl.credit.shape": [{"name": "repeat", "weight": 0.5}], "rl.sampling.repetition": {"tokens": 8}}
    rl = rl_of(world, overrides=repeat)
    assert [part.weight for part in rl.credit.shape] == [0.5, 0.3]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"rl.sampling.max_tokens": 8}, "is 8, and the base config has 8"),
        ({"rl.credit.shape": [{**LEAD, "weight": 0.0}]}, "has no length reward"),
        ({"rl.credit.shape": []}, "has no length reward, without which it is plain RL"),
    ],
)
def test_plain_rl_is_refused_as_a_way(world, said, problem):
    with pytest.raises(ConfigError, match=problem):
        rl_of(world, set={"rl": said})


def test_of_several_long_models_the_best_balance_is_the_start(world, monkeypatch):
    plan = settings(world, long=["a", "b", "c"])
    table = {"a": ([1, 1, 0, 0], 50), "b": ([1, 1, 1, 0], 60), "c": ([1, 1, 1, 0], 90)}
    monkeypatch.setattr(long2short, "run_links", lambda chain: None)
    for i, (right, tokens) in enumerate(table.values()):
        folder = plan.place(0) / f"look_{i}"
        folder.mkdir(parents=True)
        rows = [{"sampled": {"correct": [bool(r)], "tokens": [tokens]}} for r in right]
        (folder / "answers_model.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert choose_start(plan, 0) == "b"  # as right as c and shorter; a is shorter still, and less often right


def test_every_link_of_a_shipped_config_has_settings_that_hold(monkeypatch):
    root = Path(__file__).parents[3]
    monkeypatch.chdir(root)
    shipped = sorted((root / "configs/long2short").glob("*.yaml"))
    assert shipped
    for config in shipped:
        plan = load_settings(Long2ShortSettings, config)
        for link in links_of(plan, plan.long[0], plan.seeds[0]):
            check_link(link, link.set)


@pytest.mark.slow
def test_all_ways_run_for_real_from_one_long_model_to_one_image(world, tmp_path):
    for name, seed in (("long", 1), ("brief", 1)):
        more = ["stages=[sft]", f"seed={seed}", f"sft.steps={2 if name == 'long' else 4}"]
        start_run(world["base"], [*more, f"run_folder={tmp_path / name}"])
    config = Path(write(tmp_path, "long2short.yaml", world))
    page = start_long2short(config, [])
    table = page.read_text()
    for way in ("long", "short", "merge", "shortest", "dpo", "rl", "merge_rs"):
        assert f"| {way} |" in table
    assert (page.parent / "short.svg").read_text().count("<text") > 6
    stamps = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("*.safetensors")}
    assert start_long2short(config, []).read_text() == table
    assert stamps == {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("*.safetensors")}
