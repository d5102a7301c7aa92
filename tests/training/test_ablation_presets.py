"""Every preset of configs/ablations/ runs to the end at a tiny budget, and holds what decides its figures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vlrl.experiments.ablation import ablate
from vlrl.experiments.ablation.ablate import start_ablation
from vlrl.experiments.ablation.ablation_load import load_ablation
from vlrl.report.figures import svg_charts
from vlrl.training.run import start_run
from vlrl.training.session import open_session

ROOT = Path(__file__).parents[2]
PRESETS = sorted((ROOT / "configs" / "ablations").glob("*.yaml"))
SHAPE = {"text_width": 32, "text_layers": 1, "mlp_width": 48, "head_size": 16, "key_value_heads": 1}
TINY = {
    **{f"model.shape.{key}": value for key, value in SHAPE.items()},
    "sft.demonstrations": 8,
    "sft.steps": 1,
    "sft.batch": 4,
    "rl.steps": 2,
    "rl.problems_per_step": 4,
    "rl.rollouts_per_problem": 2,
    "rl.over_sampling": None,
    "rl.sampling.max_tokens": 6,
    "eval.problems": 2,
    "eval.curve_problems": 2,
    "eval.sampling.max_tokens": 6,
}
TINY_CURATION = {"problems": 240, "held_out": 4, "recipe_held_out": 0.25}


@pytest.fixture(autouse=True)
def from_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(open_session, "TOKENIZER_TEXTS", 300)  # enough for a tokenizer, in a moment


def test_there_is_a_preset_for_every_question_of_the_papers_ablations():
    assert {file.stem for file in PRESETS} >= {
        "curriculum", "image_blind", "leave_one_out", "length_reward", "length_vs_accuracy", "mixture",
        "negative_gradients", "partial_rollouts", "separate", "size_vs_length",
    }  # fmt: skip


def run_here(cells, *rest):
    """The cells one after another; the charts of their reports, which nobody looks at here, aren't drawn."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(svg_charts, "_finish", lambda figure, name: f'<svg class="chart" id="{name}"></svg>')
        patched.setattr(os, "fsync", lambda handle: None)
        for cell in filter(None, cells):
            start_run(Path(cell.arguments[1]), cell.arguments[2:])


@pytest.mark.parametrize("file", PRESETS, ids=lambda file: file.stem)
def test_a_preset_runs_to_the_end_and_its_page_names_every_arm(file, tmp_path, monkeypatch):
    """In this process, one after another; test_ablate.py has cells in processes of their own."""
    plan = load_ablation(file, [])
    assert plan.name == file.stem
    assert len(plan.seeds) == 5
    assert plan.budget is not None
    assert plan.expected
    assert plan.sweep is None or len(plan.sweep.values) == 3
    monkeypatch.setattr(ablate, "run_cells", run_here)
    stages = {"rl.max_tokens_from_step": {0: 3, 1: 6}} if "rl.max_tokens_from_step" in plan.overrides else {}
    small = plan.model_copy(
        update={
            "folder": str(tmp_path / "runs"),
            "overrides": {**plan.overrides, **TINY, **stages},
            "arms": {arm: {k: v for k, v in held.items() if k not in TINY} for arm, held in plan.arms.items()},
            "before": tuple(link.model_copy(update={"set": {**link.set, **TINY_CURATION}}) for link in plan.before),
            "sweep": None,
            "seeds": (1,),
            "outcomes": {
                k: one for k, one in plan.outcomes.items() if one.of != "consistency/kappa"
            },  # nothing is right
        }
    )
    page = start_ablation(small, "vlrl ablate", tmp_path)
    assert page == tmp_path / f"{plan.name}.md"
    text = page.read_text()
    for arm in plan.arms:
        assert f"| {arm} |" in text
    for outcome in small.outcomes:
        assert f"## {outcome}" in text
    assert (tmp_path / f"{plan.name}_accuracy_mean.svg").is_file()
    if plan.against is not None:
        across, up = plan.against
        image = (tmp_path / f"{plan.name}_{up}_against_{across}.svg").read_text()
        assert all(arm in image for arm in plan.arms)


def test_the_mixture_has_agreement_beside_what_chance_gives_and_what_is_left():
    (plan,) = [load_ablation(file, []) for file in PRESETS if file.stem == "mixture"]
    assert {f"consistency/{key}" for key in ("text_rendered", "by_chance", "kappa")} < {
        one.of for one in plan.outcomes.values()
    }


def test_both_presets_on_length_draw_it_against_accuracy():
    held = {file.stem: load_ablation(file, []).against for file in PRESETS}
    assert {name for name, against in held.items() if against} == {"length_vs_accuracy", "size_vs_length"}
