"""Where credit is given: the step's own response budget, and the perturbed problem asked as the true one was."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from small_models import BUDGET, ask, pixels

from vlrl.config import build_settings
from vlrl.model.encode import Encoder
from vlrl.rollout.collector import collect
from vlrl.rollout.scripted_engine import ScriptedEngine
from vlrl.stages.credit_desk import CreditDesk
from vlrl.stages.settings import RlSettings


class Listening(ScriptedEngine):
    """Keeps what it was asked."""

    def __init__(self, *given):
        super().__init__(*given)
        self.requests = []

    def generate(self, requests):
        self.requests += requests
        return super().generate(requests)


def desk_of(loaded, policy=None, **given):
    """A desk over an engine that always answers 7, and that engine; `given` are settings of RL."""
    engine = Listening(lambda problem: ("7",), loaded.tokenizer)
    settings = SimpleNamespace(seed=0, rl=build_settings(RlSettings, given, "rl"))
    session = SimpleNamespace(settings=settings, loaded=loaded, encoder=Encoder(loaded, BUDGET), engine=engine)
    return CreditDesk(session, policy), engine


def written(loaded, engine, problem, k=2):
    return collect(Encoder(loaded, BUDGET).encode, engine, [problem], desk_sampling(64), k, seed=0)


def desk_sampling(max_tokens):
    return RlSettings().sampling.model_copy(update={"max_tokens": max_tokens})


LENGTHS = {"max_tokens_from_step": {0: 2, 5: 40}, "sampling": {"max_tokens": 64}}


def test_overlong_counts_from_the_response_budget_of_the_step(qwen3):
    """One answer fills the budget of 2 tokens of the first stage, and is nowhere near that of the second."""
    desk, engine = desk_of(qwen3, credit={"shape": [{"name": "overlong", "weight": 1.0}]}, **LENGTHS)
    found = written(qwen3, engine, ask("3+4=?"))
    assert found[0].group.rollouts[0].num_tokens >= 2
    penalties = [desk.assess(found, step)[0].rewards.parts["overlong"] for step in (0, 5)]
    assert penalties == [(-1.0, -1.0), (0.0, 0.0)]


@pytest.mark.parametrize(("step", "budget"), [(0, 2), (4, 2), (5, 40)])
def test_a_perturbed_problem_is_asked_with_the_response_budget_of_the_step(qwen3, step, budget):
    desk, engine = desk_of(
        qwen3, credit={"shape": [{"name": "contrast", "weight": 0.3}]}, contrast={"perturbation": "blank"}, **LENGTHS
    )
    found = written(qwen3, engine, ask(pixels(1), "How many?"))
    engine.requests.clear()
    desk.assess(found, step)
    (asked,) = engine.requests
    assert asked.sampling.max_tokens == budget
