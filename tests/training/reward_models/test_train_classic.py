"""The classic reward model learns a label that can be read off, goes on after a kill as if nothing had been, and is
refused other rows."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from resumed_runs import Killed, lines
from small_models import BUDGET, ask, fresh

from vlrl.commands.sharing.parcel import parcel_of
from vlrl.errors import DataError, NonFiniteError, RunError
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.torch_policy import PolicySettings
from vlrl.reward_models.learned_verifier import open_reward_model
from vlrl.reward_models.make_rows import make_rows
from vlrl.reward_models.row_files import write_rows
from vlrl.runlog.run_folder import RunFolder
from vlrl.training.reward_models.classic_learner import ClassicLearner
from vlrl.training.reward_models.reward_model_config import RewardModelConfig
from vlrl.training.reward_models.train_classic import train_classic

ADAM = {"optimizer": {"name": "adamw", "lr": 3e-3}}
SHAPE = {"text_width": 32, "text_layers": 2, "vision_width": 32, "head_size": 16, "key_value_heads": 1, "mlp_width": 48}


def config(folder: Path, **classic: object) -> RewardModelConfig:
    return RewardModelConfig.model_validate(
        {
            "name": "small",
            "run_folder": str(folder),
            "make": {"rewriting": {"families": ["relations"], "problems": 60}, "held_out": 0.2},
            "instruction": "",
            "model": {"build": "tiny-qwen3-vl", "shape": SHAPE, "device": "cpu"},
            "classic": {
                "steps": 6,
                "batch": 8,
                "validate_every": 3,
                "checkpoint_every": 2,
                "policy": ADAM,
                **classic,
            },
            "threads": 1,
        }
    )


def with_rows(made: RewardModelConfig) -> RewardModelConfig:
    rows = make_rows(made.make, made.seed)
    write_rows(made.rows_folder, rows, made.instruction, made.salt, made.image, made.made_by)
    return made


def test_labels_that_stand_in_the_prompt_are_learned_and_the_loss_begins_at_log_2(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    learner = ClassicLearner(loaded, PolicySettings.model_validate(ADAM))
    prompts = Encoder(loaded, BUDGET).encode([ask("red"), ask("green"), ask("red red"), ask("green green")])
    labels = [True, False, True, False]
    metrics = [learner.update(prompts, labels, 1.0) for _ in range(24)]
    assert metrics[0]["loss/total"] == pytest.approx(float(torch.tensor(2.0).log()), abs=1e-6)
    assert metrics[-1]["loss/total"] < 0.3
    assert [value > 0 for value in learner.logits(prompts).tolist()] == labels


def test_a_state_brings_back_head_weights_and_optimizer(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    learner = ClassicLearner(loaded, PolicySettings.model_validate(ADAM))
    prompts = Encoder(loaded, BUDGET).encode([ask("red"), ask("green")])
    learner.update(prompts, [True, False], 1.0)
    file = io.BytesIO()
    torch.save(learner.state_dict(), file)
    after = [learner.update(prompts, [True, False], 1.0) for _ in range(2)]
    file.seek(0)
    learner.load_state_dict(torch.load(file, weights_only=True))
    assert [learner.update(prompts, [True, False], 1.0) for _ in range(2)] == after


def test_a_loss_that_is_not_finite_touches_no_weight(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    learner = ClassicLearner(loaded, PolicySettings.model_validate(ADAM))
    prompts = Encoder(loaded, BUDGET).encode([ask("red")])
    with torch.no_grad():
        learner.head.bias.fill_(float("nan"))
    before = {name: value.clone() for name, value in loaded.model.named_parameters()}
    with pytest.raises(NonFiniteError):
        learner.update(prompts, [True], 1.0)
    assert all(torch.equal(value, before[name]) for name, value in loaded.model.named_parameters())


def test_without_rows_it_says_how_to_make_them(tmp_path: Path):
    with pytest.raises(DataError, match="reward-model make"):
        train_classic(config(tmp_path))


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_end_and_a_finished_one_is_left(tmp_path, monkeypatch, capsys):
    whole, killed = with_rows(config(tmp_path / "whole")), with_rows(config(tmp_path / "killed"))
    train_classic(whole)
    metrics = RunFolder.metrics

    def until(self, phase, number, values):
        record = metrics(self, phase, number, values)
        if number == 5:
            raise Killed
        return record

    monkeypatch.setattr(RunFolder, "metrics", until)
    with pytest.raises(Killed):
        train_classic(killed)
    monkeypatch.undo()
    train_classic(killed)
    assert lines(tmp_path / "killed/classic") == lines(tmp_path / "whole/classic")
    judges = [open_reward_model(one.judge_settings("classic")).judges for one in (whole, killed)]
    asked = [row.asked for row in make_rows(whole.make, 0).splits["test"]][:5]
    assert judges[0](asked) == judges[1](asked)
    assert all(one.probability is not None for one in judges[0](asked))

    written = (tmp_path / "whole/classic/model/README.md").read_text()
    assert "A classic reward model" in written
    assert "validation rows" in written
    assert parcel_of(tmp_path / "whole/classic").card == written  # `vlrl push` takes it

    before = (tmp_path / "whole/classic/metrics.jsonl").read_bytes()
    train_classic(whole)
    assert "holds a finished reward model" in capsys.readouterr().out
    assert (tmp_path / "whole/classic/metrics.jsonl").read_bytes() == before
    with pytest.raises(RunError, match="other settings"):
        train_classic(config(tmp_path / "whole", batch=4))
    other = replace_rows(config(tmp_path / "whole"))
    with pytest.raises(RunError, match=r"rows\."):
        train_classic(other)


def replace_rows(made: RewardModelConfig) -> RewardModelConfig:
    rows = make_rows(made.make, 9)
    fewer = {name: list(some)[2:] for name, some in rows.splits.items()}
    write_rows(made.rows_folder, replace(rows, splits=fewer), "", made.salt, made.image, made.made_by)
    return made
