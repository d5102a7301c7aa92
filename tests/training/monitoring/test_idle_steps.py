"""A run that learns nothing says so, and one without held-out problems runs."""

from __future__ import annotations

import json

import pytest
from resumed_runs import CONFIG, SHAPE

from vlrl.report.report import write_report
from vlrl.runlog.run_folder import read_jsonl
from vlrl.training.monitoring.idle_steps import IdleSteps
from vlrl.training.run import start_run

IDLE, BUSY = {"updates": 0.0}, {"updates": 1.0, "gradient/norm": 0.3}


def test_idle_steps_are_counted_in_a_row_and_said_at_a_few_lengths():
    idle = IdleSteps([BUSY, IDLE])
    said = []
    for step in range(3, 13):
        idle.after({"updates": 1.0, "gradient/norm": 0.0})
        said.append(idle.said(step))
    assert [i for i, one in enumerate(said) if one] == [1, 8]
    assert "step 4: the last 3 steps changed no weight" in str(said[1])
    assert idle.after(BUSY) == 0.0
    assert idle.said(13) is None


@pytest.fixture
def config(images_config, tmp_path):
    """Own rows of which none is held out; an untrained model answers none of them."""
    with open(images_config, "a") as file:
        file.write(
            "rl: {steps: 4, problems_per_step: 2, rollouts_per_problem: 2, sampling: {max_tokens: 4}}\n"
            "sft: {steps: 2, demonstrations: 4, batch: 2}\neval: {sampling: {max_tokens: 4}}\n"
        )
    return images_config


def test_a_run_of_idle_steps_without_validation_says_both(config, tmp_path, capsys):
    start_run(config, [f"model.shape={SHAPE}", "stages=[rl, eval]", "rl.overthinking={}"])
    said = capsys.readouterr().out
    assert "no validation: no curve" in said
    assert "no test: the model is not evaluated" in said
    assert "the last 3 steps changed no weight" in said
    assert "rl: 4 of 4 steps changed no weight: nothing was learned" in said
    card = json.loads((tmp_path / "run" / "run_card.json").read_text())
    assert card["rl_idle_steps"] == "4 of 4 steps changed no weight"
    assert len(card["held_out_sets"]) == 2
    lines = [line for line in read_jsonl(tmp_path / "run" / "metrics.jsonl") if line["phase"] == "rl"]
    assert [line["updates/idle_steps"] for line in lines] == [1.0, 2.0, 3.0, 4.0]
    assert [line["overthinking/outcome_efficiency"] for line in lines] == [0.0] * 4
    assert "steps that changed no weight" in write_report(tmp_path / "run").read_text()
    assert "4 of 4 steps changed no weight" in (tmp_path / "run" / "run_card.md").read_text()


def test_supervised_stages_without_validation_keep_their_last_weights(tmp_path, capsys):
    recipe = tmp_path / "recipe.yaml"
    row = {"question": "How many?", "answer": "1", "response": "One. <answer>1</answer>"}
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({**row, "question": f"{n}?"}) + "\n" for n in range(8)))
    recipe.write_text(
        "sources:\n- {name: own, kind: file, path: rows.jsonl, modality: text, verifier: number, held_out: 0, "
        "columns: {response: response}}\n"
    )
    small = ["sft.demonstrations=all", "sft.steps=2", "sft.batch=2", f"data={recipe}", f"model.shape={SHAPE}"]
    start_run(CONFIG, [*small, "stages=[sft, eval]", f"run_folder={tmp_path / 'run'}"])
    assert "keep their last weights" in capsys.readouterr().out
    assert (tmp_path / "run" / "model_sft" / "model.safetensors").is_file()
    assert "sft" not in json.loads((tmp_path / "run" / "run_card.json").read_text())
