"""A run stops where its policy is blind or its engine is not the trainer's; an honest one says what it checked."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from vlrl.errors import EngineError
from vlrl.model.optimization.parameter_groups import part_of
from vlrl.report.report import write_report
from vlrl.rollout.colocated import STATM
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.runlog.run_folder import RunFolder, read_jsonl
from vlrl.training.monitoring.engine_agreement import AgreementSettings
from vlrl.training.run import start_run
from vlrl.training.session import open_session

SMALL = [
    "stages=[rl]",
    "eval={problems: 2, curve_problems: 2, sampling: {max_tokens: 4}}",
    "model.shape={text_width: 32, text_layers: 2, vision_width: 32, head_size: 16, key_value_heads: 1, mlp_width: 48}",
    "rl.steps=2",
    "rl.problems_per_step=8",
    "rl.rollouts_per_problem=2",
    "rl.validate_every=50",
    "rl.checkpoint_every=50",
    "rl.skip_uninformative=false",
    "rl.over_sampling=null",
    "rl.sampling={max_tokens: 6}",
    "rl.agreement={max_gap: 0.01, probe_every: 2, min_shift: 1e-9}",
]


@pytest.fixture
def start(tmp_path, monkeypatch):
    monkeypatch.setattr(open_session, "TOKENIZER_TEXTS", 60)
    return lambda *more: start_run("configs/quickstart.yaml", [*SMALL, *more, f"run_folder={tmp_path / 'run'}"])


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """The lines of both steps of a run that nobody tampered with, and that validates after each."""
    folder = tmp_path_factory.mktemp("honest") / "run"
    start_run("configs/quickstart.yaml", [*SMALL, "rl.validate_every=1", f"run_folder={folder}"])
    return [line for line in read_jsonl(folder / "metrics.jsonl") if line["phase"] == "rl"]


def test_a_run_says_what_it_compared_and_by_how_much_images_move_it(honest):
    first, second = honest
    assert first["probe/image_shift"] > 1e-9
    assert first["probe/groups"] == 4
    assert not [key for key in second if key.startswith("probe/")]
    for line in (first, second):
        assert line["logprob_gap/compared_tokens"] == line["tokens/written"] > 0
        assert line["logprob_gap/mean"] < 1e-4


def logged(folder):
    """The one line of RL that a run left which stopped in its first step."""
    (line,) = (line for line in read_jsonl(folder / "metrics.jsonl") if line["phase"] == "rl")
    return line


@pytest.mark.skipif(not STATM.is_file(), reason="/proc tells memory on Linux only")
def test_the_step_after_a_validation_has_its_own_switch(honest):
    for line in honest:
        assert line["colocated/to_rollout_seconds"] >= 0
        assert line["colocated/memory_training_gib"] > 0  # noted only where the engine slept before the step


def test_a_run_whose_tower_was_zeroed_after_loading_stops_and_leaves_its_figures(start, tmp_path, monkeypatch):
    load = open_session.load_model

    def blind(*args):
        loaded = load(*args)
        with torch.no_grad():
            for name, parameter in loaded.model.named_parameters():
                if part_of(name) != "language":
                    parameter.zero_()
        return loaded

    monkeypatch.setattr(open_session, "load_model", blind)
    with pytest.raises(EngineError, match=r"step 1, sees-the-image[\s\S]*the policy does not see its images"):
        start()
    line = logged(tmp_path / "run")
    assert line["step"] == 1
    assert line["probe/image_shift"] == 0.0


def test_a_run_whose_engine_says_other_probabilities_than_its_trainer_stops_and_leaves_its_figures(
    start, tmp_path, monkeypatch
):
    generate = TransformersEngine.generate

    def louder(self, requests):
        return [
            tuple(replace(r, segments=tuple(map(raised, r.segments))) for r in rollouts)
            for rollouts in generate(self, requests)
        ]

    def raised(segment):
        return replace(segment, sampler_logprobs=tuple(value + 0.1 for value in segment.sampler_logprobs))

    monkeypatch.setattr(TransformersEngine, "generate", louder)
    with pytest.raises(
        EngineError, match=r"step 1, logprob_gap: engine and trainer differ by 0\.1 \(\w+\), 0\.1 \(\w+\)[\s\S]*nats"
    ):
        start()
    line = logged(tmp_path / "run")
    gaps = [line[key] for key in ("logprob_gap/text", "logprob_gap/rendered") if key in line]
    assert gaps == pytest.approx([0.1] * len(gaps), abs=1e-3)
    assert gaps
    assert line["updates"] == 1
    assert "probe/image_shift" in line
    write_report(tmp_path / "run")


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


def test_a_probe_that_found_no_images_stays_due_also_over_a_resume(start, tmp_path, monkeypatch):
    """Steps 1 and 2 have nothing to read; the run is killed in step 2 and goes on from the checkpoint after step 1."""
    probe, metrics, calls = AgreementSettings.probe, RunFolder.metrics, []

    def from_the_fourth(self, *given):
        calls.append(given)
        return probe(self, *given) if len(calls) > 3 else None

    def until(self, phase, step, values):
        if phase == "rl" and step == 2 and len(calls) == 2:
            raise Killed
        return metrics(self, phase, step, values)

    monkeypatch.setattr(AgreementSettings, "probe", from_the_fourth)
    monkeypatch.setattr(RunFolder, "metrics", until)
    more = ["rl.steps=4", "rl.agreement.probe_every=4", "rl.checkpoint_every=1"]
    with pytest.raises(Killed):
        start(*more)
    start(*more)
    lines = [line for line in read_jsonl(tmp_path / "run" / "metrics.jsonl") if line["phase"] == "rl"]
    assert [line.get("probe/groups") for line in lines] == [0, 0, 4, None]
