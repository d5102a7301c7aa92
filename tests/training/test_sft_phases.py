"""Stretches of SFT: settings laid over one another, rates at the joints, frozen parts, lengths, resumption."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch
import yaml
from resumed_runs import SHAPE, Killed, lines
from safetensors.torch import load_file

from vlrl.config import load_settings
from vlrl.errors import ConfigError, DataError
from vlrl.model.optimization.parameter_groups import part_of
from vlrl.runlog.run_folder import RunFolder, read_jsonl
from vlrl.training.fixed_set_settings import SftSettings
from vlrl.training.run import start_run
from vlrl.training.run_settings import RunSettings
from vlrl.training.sft import longer_than_budgets

CONFIG = "configs/sft/warmup.yaml"
ADAM = "{name: adamw, lr: 2.0e-4, warmup_steps: 1, schedule: linear, final_share: 0.1}"
STRETCHES = (
    "[{steps: 3}, {steps: 4, demonstrations: {sums: 6, bars: 4}, "
    "policy: {freeze: [vision, language], optimizer: {lr: 1.0e-4}}}]"
)
SMALL = [
    "stages=[sft]",
    "sft.demonstrations=24",
    "sft.batch=8",
    "sft.validate_every=10",
    "sft.checkpoint_every=1",
    "eval.problems=4",
    "eval.curve_problems=4",
    f"model.shape={SHAPE}",
    f"sft.policy={{optimizer: {ADAM}, pack_sequences: true}}",
    f"sft.phases={STRETCHES}",
]


def start(folder, *more: str):
    return start_run(CONFIG, [*SMALL, f"run_folder={folder}", *more])


def test_what_a_stretch_does_not_say_is_as_said_above_it():
    given = {
        "batch": 4,
        "demonstrations": {"a": 1, "b": 2},
        "policy": {"freeze": ["vision"], "optimizer": {"lr": 2e-5, "warmup_steps": 3}},
        "phases": [{"steps": 5}, {"demonstrations": {"c": 3}, "policy": {"freeze": [], "optimizer": {"lr": 1e-5}}}],
    }
    settings = SftSettings.model_validate(given)
    first, second = settings.in_order
    assert (first.batch, first.steps, second.batch, second.steps) == (4, 5, 4, 300)
    assert (first.demonstrations, second.demonstrations) == ({"a": 1, "b": 2}, {"c": 3})
    assert (first.policy.freeze, second.policy.freeze) == (("vision",), ())
    optimizers = [one.policy.optimizer for one in (first, second)]
    assert [(o.lr, o.warmup_steps) for o in optimizers] == [(2e-5, 3), (1e-5, 3)]
    assert settings.total_steps == 305
    assert SftSettings.model_validate(settings.model_dump()) == settings, "as run.yaml holds it"
    assert SftSettings().in_order == (SftSettings(),)


def test_an_unknown_key_of_a_stretch_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="unknown key 'step'"):
        load_settings(RunSettings, CONFIG, ["sft.phases=[{step: 3}]"])


def test_adapters_of_one_stretch_alone_are_refused():
    with pytest.raises(ConfigError, match=r"unlike policy\.lora"):
        load_settings(RunSettings, CONFIG, ["sft.phases=[{steps: 3}, {policy: {lora: {rank: 2}}}]"])


@pytest.mark.parametrize(
    "given",
    [
        "sft.policy.reset_optimizer=each_iteration",
        "sft.phases=[{policy: {reset_optimizer: each_iteration}}]",
        "distil.policy.reset_optimizer=each_iteration",
        "dpo.policy.reset_optimizer=each_iteration",
    ],
)
def test_a_reset_at_iterations_that_a_fixed_set_has_not_is_refused(given):
    with pytest.raises(ConfigError, match=rf"{given[:3]}[\s\S]*reset_optimizer is each_iteration[\s\S]*rl\.policy"):
        load_settings(RunSettings, CONFIG, [given])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of two phases; the second trains the projector alone."""
    folder = tmp_path_factory.mktemp("phases") / "run"
    start(folder)
    return folder


def test_the_rate_falls_rises_again_to_the_second_peak_and_falls(whole):
    """Of 3 steps: ½, 1, 1 − 0.9/2; of 4, at half the peak: ½, 1, 1 − 0.9/3, 1 − 0.9·2/3."""
    found = [line["optimizer/lr"] for line in read_jsonl(whole / "metrics.jsonl") if line["phase"] == "sft"]
    assert found == pytest.approx([1e-4, 2e-4, 1.1e-4, 5e-5, 1e-4, 7e-5, 4e-5])


def test_each_stretch_learns_from_its_own_data(whole):
    card = json.loads((whole / "run_card.json").read_text())
    first, second = card["sft_phases"]
    assert (first["demonstrations"], second["demonstrations"]) == (24, 10)
    assert (first["steps"], second["steps"], first["lr"], second["lr"]) == (3, 4, 2e-4, 1e-4)
    assert first["tokens"] > first["response_tokens"] > 0
    assert {name: one["demonstrations"] for name, one in second["sources"].items()} == {"sums": 6, "bars": 4}
    for phase in (first, second):
        for key in ("demonstrations", "tokens", "response_tokens"):
            assert sum(one[key] for one in phase["sources"].values()) == phase[key]


def test_a_demonstration_that_is_longer_than_the_context_is_refused_before_any_step(tmp_path):
    more = ["sft.phases=[]", "stages=[sft]", "eval.sampling.max_tokens=1", "model.context=40"]
    with pytest.raises(DataError, match=r"problem \w+[\s\S]*the context holds 40[\s\S]*out with sft\.max_tokens"):
        start(tmp_path / "run", *more)
    assert not (tmp_path / "run").exists()
    start(tmp_path / "short", *more, "sft.max_tokens=40", "sft.steps=1")


def test_epochs_say_how_long_in_place_of_steps():
    given = {"batch": 8, "epochs": 1.5, "phases": [{}, {"steps": 7}, {"epochs": 2}]}
    settings = SftSettings.model_validate(given)
    assert [one.steps_over(24) for one in settings.in_order] == [5, 7, 6]  # 36 examples in batches of 8: five
    assert settings.total_steps is None
    assert SftSettings.model_validate(settings.model_dump()) == settings
    with pytest.raises(ConfigError, match="both say how long"):
        load_settings(RunSettings, CONFIG, ["sft.epochs=2", "sft.steps=5"])


@pytest.mark.slow
def test_a_run_of_one_epoch_sees_every_demonstration_once(tmp_path):
    start(tmp_path / "run", "sft.phases=[]", "sft.epochs=1", "sft.steps=300", "sft.demonstrations=20")
    steps = [line for line in read_jsonl(tmp_path / "run/metrics.jsonl") if line["phase"] == "sft"]
    (card,) = json.loads((tmp_path / "run" / "run_card.json").read_text())["sft_phases"]
    assert (len(steps), card["steps"], card["demonstrations"]) == (3, 3, 20)


def test_parts_that_a_stretch_freezes_stay_and_the_others_learn(whole, tmp_path):
    """The last two checkpoints, after steps 6 and 7, are both of the second phase."""
    states = [torch.load(whole / "checkpoints_sft" / f"step_{step:06d}" / "policy.pt")["model"] for step in (6, 7)]
    moved = {part_of(name) for name, before in states[0].items() if not torch.equal(before, states[1][name])}
    assert moved == {"projector"}


def kill_after(monkeypatch, step: int) -> None:
    """The run ends when the metrics of this step are written, before its checkpoint."""
    metrics = RunFolder.metrics

    def until(self, phase, number, values):
        record = metrics(self, phase, number, values)
        if number == step:
            raise Killed
        return record

    monkeypatch.setattr(RunFolder, "metrics", until)


@pytest.mark.parametrize("step", [3, 4])
def test_a_run_that_is_killed_in_or_between_stretches_goes_on_as_if_it_had_not(whole, tmp_path, monkeypatch, step):
    """Killed before the checkpoint of the next step: the latest is that of the joint, or one after it."""
    kill_after(monkeypatch, step + 1)
    with pytest.raises(Killed):
        start(tmp_path / "killed")
    monkeypatch.undo()
    start(tmp_path / "killed")
    assert lines(tmp_path / "killed") == lines(whole)


@pytest.mark.slow
@pytest.mark.deepspeed
def test_shards_go_on_in_a_later_stretch_with_what_the_one_before_taught(library, tmp_path, monkeypatch):
    """The second phase trains the projector alone; what the first taught the others is in the checkpoint."""
    library("deepspeed")
    short = STRETCHES.replace("steps: 3", "steps: 1").replace("steps: 4", "steps: 3")
    more = ("backend={name: deepspeed, stage: 2}", f"sft.phases={short}")
    start(tmp_path / "whole", *more)
    kill_after(monkeypatch, 3)
    with pytest.raises(Killed):
        start(tmp_path / "killed", *more)
    monkeypatch.undo()
    start(tmp_path / "killed", *more)
    assert lines(tmp_path / "killed") == lines(tmp_path / "whole")
    mine, theirs = (load_file(tmp_path / name / "model_sft/model.safetensors") for name in ("killed", "whole"))
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], tensor) for name, tensor in theirs.items())


def test_long_demonstrations_are_left_out_and_counted(tmp_path, capsys):
    start(tmp_path / "run", "sft.phases=[{steps: 1, max_tokens: 36}, {steps: 1}]")
    card = json.loads((tmp_path / "run" / "run_card.json").read_text())
    first, second = card["sft_phases"]
    assert 0 < first["demonstrations"] < second["demonstrations"] == 24
    assert "demonstrations are too long" in capsys.readouterr().out
    with pytest.raises(DataError, match="the shortest demonstration takes"):
        start(tmp_path / "none", "sft.phases=[{steps: 1, max_tokens: 3}]")
    assert yaml.safe_load((tmp_path / "run" / "run.yaml").read_text())["sft"]["phases"][1]["steps"] == 1


def test_a_budget_that_cuts_what_is_taught_is_said():
    taught = [SimpleNamespace(responses=[[0] * length]) for length in (10, 20, 30, 40)]

    def said(*overrides: str) -> list[str]:
        given = ["rl.sampling.max_tokens=40", "eval.sampling.max_tokens=40", "stages=[sft,rl]", *overrides]
        return longer_than_budgets(taught, load_settings(RunSettings, "configs/quickstart.yaml", given), "sft")

    assert said() == []
    (line,) = said("rl.sampling.max_tokens=29")
    assert line.startswith("sft: 50% of the demonstrated responses are longer than rl.sampling.max_tokens 29")
    assert said("rl.sampling.max_tokens=29", "stages=[sft]") == []
