"""Ablations: rates chosen per arm, paired outcomes, honest words; real runs in processes of their own, none twice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from vlrl import interrupts
from vlrl.errors import ConfigError, RunError
from vlrl.experiments.ablation import ablate
from vlrl.experiments.ablation.ablate import Cell, cell_of, outcome_of, run_ablation, start_ablation
from vlrl.experiments.ablation.ablation_curves import curve_of
from vlrl.experiments.ablation.ablation_settings import AblationSettings, Outcome

RECIPE = {
    "image": {"min_pixels": 2304, "max_pixels": 2304},
    "sources": [{"name": "sums", "kind": "domain", "domain": {"name": "arithmetic", "terms": [3, 4]}, "weight": 1}],
}
BASE = {
    "name": "base",
    "model": {
        "build": "tiny-qwen3-vl",
        "shape": {"text_width": 32, "text_layers": 1, "mlp_width": 48, "head_size": 16, "key_value_heads": 1},
    },
    "sft": {"demonstrations": 16, "steps": 2, "batch": 8, "validate_every": 2},
    "rl": {"steps": 2, "problems_per_step": 4, "rollouts_per_problem": 2, "sampling": {"max_tokens": 6}},
    "eval": {"problems": 8, "curve_problems": 4, "sampling": {"max_tokens": 6}},
}
ARMS = {"plain": {}, "pulled": {"rl.loss.tau": 2.0}}


@pytest.fixture
def base(tmp_path) -> Path:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    (tmp_path / "base.yaml").write_text(yaml.safe_dump({**BASE, "data": str(tmp_path / "recipe.yaml")}))
    return tmp_path / "base.yaml"


def settings(base, **more) -> AblationSettings:
    held = {"name": "tau", "base": str(base), "arms": ARMS, "seeds": [1, 2, 3], "folder": str(base.parent / "out")}
    return AblationSettings.model_validate({**held, **more})


def pretend(folder, correct, curve=((1, 10.0, 0.2), (2, 30.0, 0.6))):
    """A finished run as `vlrl run` leaves it: verdicts of a test; (step, response tokens, accuracy) of its curve."""
    folder.mkdir(parents=True)
    (folder / "run_card.json").write_text(json.dumps({"status": "finished"}))
    rows = [
        {
            "modality": "text",
            "sampled": {"correct": [c], "tokens": [5 + i]},
            "greedy": {"correct": [True], "tokens": [9]},
        }
        for i, c in enumerate(correct)
    ]
    (folder / "answers_rl.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = []
    for step, tokens, accuracy in curve:
        lines.append({"schema": 2, "phase": "rl", "step": step, "tokens/written": tokens})
        lines.append({"schema": 2, "phase": "eval", "step": step, "accuracy/mean": accuracy, "length/mean": tokens})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_every_arm_gets_the_rate_that_was_best_for_it_on_the_sweeps_seeds(base):
    plan = settings(base, share="nothing", sweep={"values": [0.1, 0.2], "seeds": [900]})
    best = {"plain": 0.2, "pulled": 0.1}
    for arm, good in best.items():
        for rate in (0.1, 0.2):
            pretend(cell_of(plan, arm, rate, 900).folder, [rate == good, rate == good, False, True])
        for seed in plan.seeds:
            right = [True, arm == "plain", False, arm == "plain"]
            pretend(cell_of(plan, arm, good, seed).folder, right)
    found = run_ablation(plan, say=lambda line: None)
    assert found.rates == best
    assert found.swept == {"plain": {0.1: 0.25, 0.2: 0.75}, "pulled": {0.1: 0.75, 0.2: 0.25}}
    gap = found.matrices["accuracy"]["pulled", "plain"]
    assert gap.mean == pytest.approx(-0.5)  # one of four right against three of four
    assert gap.seeds == 3


def test_arms_may_try_rates_of_their_own(base):
    sweep = {"values": [0.1], "values_by_arm": {"pulled": [0.3, 0.4]}, "seeds": [900]}
    plan = settings(base, share="nothing", sweep=sweep, seeds=[1, 2])
    for arm, rate, right in ("plain", 0.1, True), ("pulled", 0.3, False), ("pulled", 0.4, True):
        for seed in (900, *plan.seeds):
            pretend(cell_of(plan, arm, rate, seed).folder, [right, True])
    page = start_ablation(plan, "vlrl ablate tau.yaml").read_text()
    assert "| plain | **1.000** |  |  |" in page
    assert "| pulled |  | 0.500 | **1.000** |" in page


@pytest.mark.parametrize(
    ("left", "said"), [(None, "nothing had been saved"), ("start/1/state.json", "holds what was saved before")]
)
def test_an_interrupted_ablation_says_whether_there_is_something_to_go_on_from(base, monkeypatch, left, said):
    plan = settings(base, folder=str(base.parent / "broken_off"))
    monkeypatch.setattr(interrupts, "told", lambda: False)
    lines = []
    monkeypatch.setattr(interrupts, "tell", lines.append)

    def interrupted(*_):
        if left:
            (plan.place / left).parent.mkdir(parents=True)
            (plan.place / left).write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr(ablate, "run_ablation", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start_ablation(plan, "vlrl ablate tau.yaml")
    assert said in " ".join(lines)


def test_what_the_interval_spans_is_called_not_shown_and_one_seed_is_said(base):
    plan = settings(base, share="nothing")
    for arm in ARMS:
        for seed in plan.seeds:
            pretend(cell_of(plan, arm, None, seed).folder, (np.random.default_rng(seed).random(40) < 0.5).tolist())
    page = start_ablation(plan, "vlrl ablate tau.yaml").read_text()
    assert "no difference shown" in page
    assert "before RL" not in page  # arms that share no warm-up
    assert "3 seeds (1, 2, 3)" in page
    assert "`rl.loss.tau=2.0`" in page
    assert (base.parent / "out" / "report_accuracy_mean.svg").is_file()
    lone = settings(base, share="nothing", seeds=[1])
    assert "One seed: nothing is shown" in start_ablation(lone, "vlrl ablate tau.yaml").read_text()


def test_outcomes_are_read_from_the_test_or_from_the_curve_at_a_share_of_the_tokens(tmp_path):
    pretend(tmp_path / "run", [True, False, True, True])
    run = Cell("run", tmp_path / "run", ())
    assert outcome_of(run, Outcome()).tolist() == [1.0, 0.0, 1.0, 1.0]
    assert outcome_of(run, Outcome(decoding="greedy")).mean() == 1.0
    assert outcome_of(run, Outcome(of="tokens")).tolist() == [5.0, 6.0, 7.0, 8.0]
    assert curve_of(tmp_path / "run", "accuracy/mean").tolist() == [[0.25, 0.2], [1.0, 0.6]]
    assert outcome_of(run, Outcome(of="accuracy/mean", at=0.5)).tolist() == [0.2]
    with pytest.raises(RunError, match="no metric 'accuracy/maen'"):
        outcome_of(run, Outcome(of="accuracy/maen"))
    file = tmp_path / "run" / "metrics.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    first = next(line for line in lines if line["phase"] == "eval")
    first["consistency/kappa"] = 0.25  # and none in the last
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert outcome_of(run, Outcome(of="consistency/kappa", at=0.25)).tolist() == [0.25]
    with pytest.raises(RunError, match="no 'consistency/kappa' in the validation that is read, at 100%"):
        outcome_of(run, Outcome(of="consistency/kappa"))
    with pytest.raises(RunError, match="no test problem of modality 'real'"):
        outcome_of(run, Outcome(modality="real"))


@pytest.mark.slow
def test_real_runs_share_their_warm_up_and_a_second_call_runs_nothing(base):
    """Two arms of one seed; a cell that breaks off is named with what it said."""
    plan = settings(base, seeds=[7])
    said: list[str] = []
    run_ablation(plan, said.append)
    assert [line.removeprefix("done: ") for line in said] == ["warm-up, seed 7", *said_of_arms(said)]
    start = plan.place / "start" / "7" / "model_sft"
    for arm in ARMS:
        written = yaml.safe_load((plan.place / arm / "7" / "run.yaml").read_text())
        assert written["model"]["path"] == str(start)
        assert written["rl"]["loss"]["tau"] == ARMS[arm].get("rl.loss.tau", 0.1)
    again: list[str] = []
    found = run_ablation(plan, again.append)
    assert again == []
    assert found.matrices["accuracy"]["pulled", "plain"].verdict(0.0) == "one seed: nothing shown"


def said_of_arms(said):
    found = sorted(line.removeprefix("done: ") for line in said[1:])
    assert found == ["plain, seed 7", "pulled, seed 7"]
    return [line.removeprefix("done: ") for line in said[1:]]


def test_links_before_the_arms_are_made_for_each_seed_and_arms_refer_to_them(base):
    """`{name}` is a link's folder of that seed, `{start}` the warm-up's; the test asks the arm's own model."""
    link = {"name": "kept", "does": "curate", "config": "c.yaml", "set": {"model.path": "{start}/model_sft"}}
    arms = {"plain": {}, "kept": {"data": "{kept}/curated_recipe.yaml"}}
    plan = settings(base, before=[link], arms=arms, test="whole.yaml")
    chain = plan.chain_of(2)
    assert chain.folder == plan.place / "before" / "2"
    assert chain.pipeline[0].set == {"seed": 2, "model.path": f"{plan.place}/start/2/model_sft"}
    cell = cell_of(plan, "kept", None, 2)
    assert f'data="{plan.place}/before/2/kept/curated_recipe.yaml"' in cell.arguments
    assert cell.test.folder == plan.place / "kept" / "2_test"
    for one in ('data="whole.yaml"', 'stages=["eval"]', f'model.path="{cell.folder}/model"'):
        assert one in cell.test.arguments
    assert cell_of(settings(base), "plain", None, 2).test is None
    with pytest.raises(ConfigError, match="is no earlier link"):
        settings(base, before=[{**link, "set": {"model.path": "{strat}/model"}}])


def test_the_warm_up_that_arms_share_stands_in_the_table(base):
    plan = settings(base, seeds=[1, 2], folder=str(base.parent / "shared"))
    for seed in plan.seeds:
        folder = plan.start_of(seed)
        folder.mkdir(parents=True)
        (folder / "run_card.json").write_text(json.dumps({"status": "finished"}))
        for arm in ARMS:
            cell = cell_of(plan, arm, None, seed)
            pretend(cell.folder, [True, True])
            answers = (cell.folder / "answers_rl.jsonl").read_text().replace("true", "false", 1)
            (cell.folder / "answers_start.jsonl").write_text(answers)
    page = start_ablation(plan, "vlrl ablate tau.yaml").read_text()
    assert "| before RL | 0.500 | 0.500, 0.500 | -0.500 | -0.500 … -0.500 |" in page  # paired with the reference
    assert "adjusted by Holm for the 2 comparisons" in page


def test_outcomes_come_from_the_shared_test_where_there_is_one(base):
    plan = settings(base, test="whole.yaml", share="nothing")
    cell = cell_of(plan, "plain", None, 1)
    pretend(cell.folder, [True, True])
    pretend(cell.test.folder, [False, True])
    (cell.test.folder / "answers_rl.jsonl").rename(cell.test.folder / "answers_model.jsonl")
    assert outcome_of(cell, Outcome()).tolist() == [0.0, 1.0]


def test_accuracy_over_length_is_a_image_with_a_mark_an_arm_and_a_table_of_slopes(base):
    outcomes = {"accuracy": {"of": "correct"}, "tokens": {"of": "tokens"}}
    plan = settings(base, share="nothing", outcomes=outcomes, against=["tokens", "accuracy"])
    for arm in ARMS:
        for seed in plan.seeds:
            pretend(cell_of(plan, arm, None, seed).folder, [True, seed == 1])
    page = start_ablation(plan, "vlrl ablate tau.yaml").read_text()
    assert "(report_accuracy_against_tokens.svg)" in page
    assert "| pulled | +2.00 | +2.00 … +2.00 | 3 |" in page  # .2 → .6 over 10 → 30 tokens
    image = (plan.place / "report_accuracy_against_tokens.svg").read_text()
    assert all(f">{arm}<" in image for arm in ARMS)


def test_a_page_names_the_day_of_its_latest_run_and_every_commit(tmp_path):
    held = [("2026-01-02T10", "a" * 40, []), ("2026-01-03T09", "b" * 40, ["M x.py"]), ("2026-01-01T09", "", [])]
    for number, (started, commit, changed) in enumerate(held):
        (tmp_path / str(number)).mkdir()
        card = {"started": started, "code": {"commit": commit, "changed_files": changed} if commit else {}}
        (tmp_path / str(number) / "run_card.json").write_text(json.dumps(card))
    runs = [tmp_path / str(number) for number in range(3)]
    assert ablate.measured_when(runs) == "2026-01-03 at aaaaaaa, bbbbbbb with changes"
    assert ablate.measured_when(runs[2:]) == "2026-01-01"
