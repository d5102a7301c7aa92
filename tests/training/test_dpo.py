"""DPO as a stage: which pairs are learned from, a reference that stays where it was, a loss that falls."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from resumed_runs import SHAPE, Killed, lines
from small_models import BUDGET, ask, fresh, pixels

from vlrl.data.problem_files import write_problem_file
from vlrl.errors import DataError
from vlrl.losses.dpo_loss import DpoLoss
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.runlog.run_folder import RunFolder, read_jsonl
from vlrl.training.dpo import pair_examples, run_dpo
from vlrl.training.monitoring.data_overlap import overlap_account
from vlrl.training.run import start_run
from vlrl.types import Preference

PAIRS = [
    Preference(ask("3+4=?"), "seven", "left right left"),
    Preference(ask(pixels(1), "How many?"), "red", "blue blue"),
    Preference(ask("green?"), "<answer>7</answer>", "7"),
]
ADAM = {"name": "adamw", "lr": 3e-3, "adamw_lr": 3e-3, "warmup_steps": 0, "schedule": "constant"}


@pytest.fixture
def tiny(model_folders):
    """A model of its own, its policy, and what of a session the pairs need."""
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    policy = TorchPolicy(loaded, PolicySettings.model_validate({"optimizer": ADAM}))
    return SimpleNamespace(encoder=Encoder(loaded, BUDGET), loaded=loaded), policy


def test_a_pair_is_one_row_with_the_chosen_response_first_and_both_ended(tiny):
    session, policy = tiny
    examples = pair_examples(session, policy, PAIRS)
    stop = session.loaded.stop_ids[0]
    for example, pair in zip(examples, PAIRS, strict=True):
        assert example.advantages == (1.0, -1.0)
        assert [ids[-1] for ids in example.responses] == [stop, stop]
        said = [session.loaded.tokenizer.decode(ids[:-1]) for ids in example.responses]
        assert said == [pair.chosen, pair.rejected]
        assert example.encoded.problem_id == pair.problem.id


def test_a_response_that_was_cut_or_looped_has_no_end_token(tiny):
    session, policy = tiny
    cut = Preference(ask("3+4=?"), "seven", "left right left", rejected_ended=False)
    (example,), (whole,) = (pair_examples(session, policy, [one]) for one in (cut, replace(cut, rejected_ended=True)))
    stop = session.loaded.stop_ids[0]
    chosen, rejected = example.responses
    assert chosen[-1] == stop
    assert stop not in rejected
    assert whole.responses == (chosen, (*rejected, stop))


def test_a_pair_that_is_longer_than_the_context_is_refused(tiny):
    """Each response alone counts: the row of both may be longer."""
    session, policy = tiny
    rows = pair_examples(session, policy, PAIRS)
    longest = max(row.encoded.num_tokens + len(response) for row in rows for response in row.responses)
    assert longest < max(row.num_tokens for row in rows)
    at = replace(session.loaded, context=longest)
    pair_examples(SimpleNamespace(encoder=session.encoder, loaded=at), policy, PAIRS)
    below = SimpleNamespace(encoder=session.encoder, loaded=replace(session.loaded, context=longest - 1))
    with pytest.raises(
        DataError, match=rf"dpo.pairs, problem \w+[\s\S]*the context holds {longest - 1}\b[\s\S]*the pair"
    ):
        pair_examples(below, policy, PAIRS)


def test_the_loss_starts_at_log_2_and_falls_while_the_reference_stays(tiny):
    """At the start the policy is the reference: σ(0) = ½. Then the margin of every pair grows."""
    session, policy = tiny
    examples = pair_examples(session, policy, PAIRS)
    before = [example.old_logprobs for example in examples]
    found = [policy.update(examples, DpoLoss(beta=0.5), 1.0, 1.0).loss for _ in range(8)]
    assert found[0] == pytest.approx(0.693147, abs=1e-5)
    assert found[-1] < 0.3
    assert [example.old_logprobs for example in examples] == before
    now = policy.logprobs(examples, 1.0)
    for was, is_ in zip(before, now, strict=True):
        chosen, rejected = (sum(is_[j]) - sum(was[j]) for j in (0, 1))
        assert chosen > rejected
    moved = pair_examples(session, policy, PAIRS)[0].old_logprobs
    assert moved != before[0]  # a reference that is taken now would be another one


def test_a_file_without_pairs_is_refused(tmp_path):
    (tmp_path / "pairs.jsonl").touch()
    settings = SimpleNamespace(dpo=SimpleNamespace(pairs=str(tmp_path / "pairs.jsonl")))
    with pytest.raises(DataError, match="holds no pair"):
        run_dpo(SimpleNamespace(settings=settings))


@pytest.mark.slow
def test_a_killed_stage_goes_on_with_the_reference_that_it_started_with(tmp_path, monkeypatch):
    """The loss of later steps is against the model before the first one, whenever the stage was interrupted."""
    write_problem_file(tmp_path / "pairs.jsonl", [Preference(ask(f"{i}+4=?"), "7", f"{i} 7") for i in range(6)])
    given = [
        *["stages=[dpo]", "threads=1", "eval.problems=2", "eval.curve_problems=2", f"model.shape={SHAPE}"],
        *["dpo={steps: 5, batch: 6, validate_every: 5, checkpoint_every: 2, loss: {beta: 0.5}}"],
        *["dpo.policy.optimizer={name: adamw, lr: 3.0e-3, adamw_lr: 3.0e-3}", f"dpo.pairs={tmp_path / 'pairs.jsonl'}"],
    ]
    metrics = RunFolder.metrics

    def until(self, phase, number, values):
        record = metrics(self, phase, number, values)
        if number == 4:
            raise Killed
        return record

    start_run("configs/quickstart.yaml", [*given, f"run_folder={tmp_path / 'whole'}"])
    monkeypatch.setattr(RunFolder, "metrics", until)
    with pytest.raises(Killed):
        start_run("configs/quickstart.yaml", [*given, f"run_folder={tmp_path / 'killed'}"])
    monkeypatch.undo()
    killed = start_run("configs/quickstart.yaml", [*given, f"run_folder={tmp_path / 'killed'}"])
    assert lines(killed) == lines(tmp_path / "whole")
    assert overlap_account(killed)["problems"] == {"dpo": 6}  # told twice, and counted once
    losses = [line["loss/total"] for line in read_jsonl(killed / "metrics.jsonl") if line["phase"] == "dpo"]
    assert losses[0] == pytest.approx(float(torch.tensor(2.0).log()), abs=1e-5)
    assert losses[4] < losses[3] < losses[2] < losses[0]
