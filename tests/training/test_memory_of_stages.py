"""What of a stage stays in memory: one copy of its best weights while it lasts, and nothing of its optimiser after."""

from __future__ import annotations

import weakref
from types import SimpleNamespace

import torch
from resumed_runs import CONFIG, overrides
from small_models import BUDGET, fresh

from vlrl.config import load_settings
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.training import run
from vlrl.training.lifecycle.run_state import RunState
from vlrl.training.monitoring.progress import Progress
from vlrl.training.run_settings import RunSettings
from vlrl.training.session.model_runtime import ModelRuntime
from vlrl.training.session.open_session import Session
from vlrl.training.session.run_context import RunContext
from vlrl.training.sft import BestWeights


def test_the_best_weights_are_one_copy_with_tied_weights_once(model_folders):
    model = fresh(model_folders["tiny-qwen3-vl"]).model
    best = BestWeights(model)
    with torch.no_grad():
        for accuracy, factor in ((0.25, 1.0), (0.5, 2.0), (0.5, 3.0)):
            for weight in model.parameters():
                weight.mul_(factor)
            best.offer(accuracy, int(factor))
            if factor == 1.0:
                places = {name: kept.data_ptr() for name, kept in best.state_dict()["weights"].items()}
                expected = {name: 2.0 * weight for name, weight in model.named_parameters()}
    kept = best.state_dict()["weights"]
    assert sum(one.numel() for one in kept.values()) == sum(weight.numel() for weight in model.parameters())
    assert {name: one.data_ptr() for name, one in kept.items()} == places
    best.restore()
    assert best.step == 2
    assert all(torch.equal(weight, expected[name]) for name, weight in model.named_parameters())


def test_the_optimiser_of_a_finished_stage_is_gone_before_its_evaluation_and_the_next_stage(
    tmp_path, model_folders, monkeypatch
):
    settings = load_settings(RunSettings, CONFIG, overrides(tmp_path))
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    engine = SimpleNamespace(to_training=lambda: None)
    model = ModelRuntime(loaded, Encoder(loaded, BUDGET), engine, settings.backend)
    (tmp_path / "run_card.json").write_text("{}")
    folder = SimpleNamespace(path=tmp_path, results=lambda found: None, note=lambda **fields: None)
    context = RunContext(settings, folder, Progress({}))
    session = Session(context, None, None, None, model, None, None)
    opened: list[weakref.ref] = []
    alive = []

    def stage(session):
        alive.append([one() is not None for one in opened])
        policy = session.runtime.policy(PolicySettings())
        opened.append(weakref.ref(policy))
        return policy

    monkeypatch.setattr(TorchPolicy, "save", lambda self, folder: None)
    monkeypatch.setattr(run, "WORK", {"sft": stage, "rl": stage})

    def evaluation(session, done, name):
        alive.append([one() is not None for one in opened])
        done.results[name] = {}

    monkeypatch.setattr(run, "record_evaluation", evaluation)
    run._train_and_evaluate(session, RunState(tmp_path, settings), 0.0)
    assert alive == [[], [False], [False], [False, False]], "at the start of sft, after it, and the same of rl"


def test_moments_are_forgotten_after_every_update_before_any_rollout_or_validation(tmp_path, monkeypatch):
    to_rollout, held = ModelRuntime.to_rollout, []

    def listening(self, policy, version):
        held.append((version, sum(len(part.state) for part, _ in policy.optimizer._parts)))
        to_rollout(self, policy, version)

    monkeypatch.setattr(ModelRuntime, "to_rollout", listening)
    rl = "steps: 3, problems_per_step: 2, rollouts_per_problem: 2, validate_every: 1, sampling: {max_tokens: 6}"
    policy = "policy: {reset_optimizer: each_iteration, optimizer: {name: adamw, lr: 1.0e-3}}"
    more = ["stages=[rl]", f"rl={{{rl}, {policy}, loss: kimi, skip_uninformative: false}}"]
    run.start_run(CONFIG, [*overrides(tmp_path), *more])
    assert [version for version, _ in held] == [0, 1, 1, 2, 2, 3]
    assert {moments for _, moments in held} == {0}
