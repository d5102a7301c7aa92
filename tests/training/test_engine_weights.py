"""An engine with weights of its own never answers with old ones, and is closed whatever happens."""

from __future__ import annotations

import pytest
import torch

from vlrl.errors import DataError
from vlrl.model.training.torch_policy import TorchPolicy
from vlrl.rollout.colocated import STATM
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.runlog.run_folder import read_jsonl
from vlrl.training.run import start_run

SMALL = (
    "sft.demonstrations=8 sft.steps=2 sft.batch=4 sft.validate_every=1 "
    "rl.steps=2 rl.problems_per_step=4 rl.rollouts_per_problem=2 rl.validate_every=1 rl.checkpoint_every=9 "
    "rl.skip_uninformative=false rl.over_sampling=null eval.problems=4 eval.curve_problems=4"
)
SHAPE = "{text_width: 32, text_layers: 2, vision_width: 32, head_size: 16, key_value_heads: 1, mlp_width: 48}"


def run(folder, *more):
    return start_run("configs/quickstart.yaml", [*SMALL.split(), f"model.shape={SHAPE}", f"run_folder={folder}", *more])


@pytest.fixture
def engine(monkeypatch):
    """Notes of what a TransformersEngine with a copy of the weights would hold at each call of `generate`."""
    notes = {"stale": 0, "asked": 0, "closed": 0}
    open_engine, load, generate = (getattr(TransformersEngine, n) for n in ("__init__", "load_weights", "generate"))

    def copy_of(engine):
        return {name: tensor.detach().clone() for name, tensor in engine._model.named_parameters()}

    def opened(self, *arguments):
        open_engine(self, *arguments)
        self.held = copy_of(self)

    def loading(self, weights, version):
        load(self, weights, version)
        self.held = copy_of(self)

    def generating(self, requests):
        now = copy_of(self)
        notes["asked"] += 1
        notes["stale"] += not all(torch.equal(self.held[name], now[name]) for name in now)
        return generate(self, requests)

    monkeypatch.setattr(TransformersEngine, "__init__", opened)
    monkeypatch.setattr(TransformersEngine, "load_weights", loading)
    monkeypatch.setattr(TransformersEngine, "generate", generating)
    monkeypatch.setattr(TransformersEngine, "close", lambda self: notes.update(closed=notes["closed"] + 1))
    return notes


@pytest.mark.slow
def test_every_rollout_and_every_evaluation_is_asked_with_the_weights_of_that_moment(tmp_path, engine):
    run(tmp_path / "run")
    assert engine["asked"] >= 2 + 2 + 2 + 2 * 2  # validations of SFT, rollouts, validations of RL, evaluations
    assert engine["stale"] == 0
    assert engine["closed"] == 1


@pytest.mark.skipif(not STATM.is_file(), reason="/proc tells memory on Linux only")
@pytest.mark.slow
@pytest.mark.parametrize("stages", ["[sft,rl,eval]", "[rl,eval]"])
def test_no_policy_learns_beside_an_engine_that_is_awake_and_every_rl_step_has_its_memory(
    tmp_path, monkeypatch, stages
):
    """Also where the engine was awake for the evaluation before: of the phase before, or of the start."""
    awake, seen = [False], []
    generate, sleep, update = TransformersEngine.generate, TransformersEngine.sleep, TorchPolicy.update
    opened = TorchPolicy.__init__

    def noted(call, state):
        def calling(*arguments, **named):
            if state is None:
                seen.append(awake[0])
            else:
                awake[0] = state
            return call(*arguments, **named)

        return calling

    monkeypatch.setattr(TransformersEngine, "generate", noted(generate, True))
    monkeypatch.setattr(TransformersEngine, "sleep", noted(sleep, False))
    monkeypatch.setattr(TorchPolicy, "update", noted(update, None))
    monkeypatch.setattr(TorchPolicy, "__init__", noted(opened, None))
    folder = run(tmp_path / "run", f"stages={stages}")
    assert len(seen) >= 3
    assert not any(seen)
    steps = [line for line in read_jsonl(folder / "metrics.jsonl") if line["phase"] == "rl"]
    assert len(steps) == 2
    for line in steps:
        for when in ("training", "rollout", "after"):
            assert line[f"colocated/memory_{when}_gib"] > 0


def test_an_engine_is_closed_after_an_error_and_not_opened_for_problems_that_do_not_fit(tmp_path, engine, monkeypatch):
    def broken(self, requests):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(TransformersEngine, "generate", broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        run(tmp_path / "broken")
    assert engine["closed"] == 1
    with pytest.raises(DataError, match="context"):
        run(tmp_path / "long", "rl.sampling.max_tokens=4000")
    assert engine == {"stale": 0, "asked": 0, "closed": 1}
