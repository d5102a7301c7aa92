"""A scorer over scripted responses, for the tests of the RL stage."""

from __future__ import annotations

from typing import Any

from small_models import BUDGET

from vlrl.config import build_settings
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.backends import TorchBackend
from vlrl.rollout.environments.single_turn import SingleTurn
from vlrl.rollout.scripted_engine import ScriptedEngine
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.training.rl.scoring import GroupScorer
from vlrl.training.session.model_runtime import ModelRuntime


class Listening(ScriptedEngine):
    """Keeps what it was asked."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.requests: list[Any] = []

    def generate(self, requests):
        self.requests += requests
        return super().generate(requests)


def runtime_of(loaded: LoadedModel, script=lambda problem: ("7",)) -> ModelRuntime:
    """A model beside an engine that writes what the script says."""
    return ModelRuntime(loaded, Encoder(loaded, BUDGET), Listening(script, loaded.tokenizer), TorchBackend())


def scorer_of(loaded: LoadedModel, policy=None, **given: Any) -> tuple[GroupScorer, Listening]:
    """A scorer over an engine that always answers 7, and that engine; `given` are settings of RL."""
    model = runtime_of(loaded)
    return GroupScorer(build_settings(RlSettings, given, "rl"), 0, model, policy, SingleTurn()), model.engine
