"""The policy reads its responses behind answer and verdict, and nothing else changes."""

from __future__ import annotations

import pytest
from scoring_cases import runtime_of
from small_models import BUDGET, ask, pixels

from vlrl.config import build_settings
from vlrl.errors import ConfigError
from vlrl.model.batch.example import read_rollouts
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.rollout.collector import collect
from vlrl.rollout.engine import Sampling
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.training.rl.self_teacher import SelfTeacherSettings, hinted, read_as_teacher
from vlrl.types import Text, Verdict

RIGHT, WRONG = Verdict.right("7"), Verdict.wrong("no")


def test_each_response_is_read_behind_its_own_verdict(qwen3):
    model = runtime_of(qwen3)
    problems = [ask("3+4=?", answer="7"), ask(pixels(1), "How many?", answer="2")]
    groups = collect(Encoder(qwen3, BUDGET).encode, model.engine, problems, Sampling(max_tokens=4), 3, seed=0)
    verdicts = [(RIGHT, WRONG, RIGHT), (WRONG, WRONG, WRONG)]
    settings = SelfTeacherSettings()
    policy = TorchPolicy(qwen3, PolicySettings())
    found = read_as_teacher(settings, model, policy, 1.0, groups, verdicts)
    for group, of_group, statistics in zip(groups, verdicts, found, strict=True):
        for j, verdict in enumerate(of_group):
            prompt = model.encoder.encode([hinted(group.problem, verdict.correct, settings.hint)])[0]
            (alone,) = policy.statistics([read_rollouts(prompt, [group.rollouts[j]])], 1.0, ["logprobs", "entropy"])
            assert statistics["self_teacher"][j] == pytest.approx(alone["logprobs"][0], abs=1e-5)
            assert statistics["self_teacher_entropy"][j] == pytest.approx(alone["entropy"][0], abs=1e-5)
    assert found[0]["self_teacher"][0] != pytest.approx(found[0]["self_teacher"][1], abs=1e-6)


def test_what_has_no_room_behind_the_hint_is_not_read(qwen3):
    model = runtime_of(qwen3)
    groups = collect(Encoder(qwen3, BUDGET).encode, model.engine, [ask("3+4=?")], Sampling(max_tokens=4), 1, seed=0)
    long = SelfTeacherSettings(hint="{answer} {verdict} " + "again and " * qwen3.context)
    found = read_as_teacher(long, model, TorchPolicy(qwen3, PolicySettings()), 1.0, groups, [(RIGHT,)])
    assert found == [{"self_teacher": ((),), "self_teacher_entropy": ((),)}]


def test_the_hint_stands_behind_the_problem_and_the_images_stay():
    problem = hinted(ask(pixels(1), "How many?", answer="2"), False, "\n{answer} is {verdict}")
    assert problem.prompt[-1] == Text("\n2 is wrong")
    assert len(problem.images) == 1


@pytest.mark.parametrize("hint", ["{answer}", "{verdict}", "nothing", "{answer} {verdict} {more}", "{answer"])
def test_a_hint_says_answer_and_verdict(hint):
    with pytest.raises(ConfigError, match=r"\{answer\}|doesn't say both"):
        build_settings(SelfTeacherSettings, {"hint": hint}, "rl.self_teacher")


def test_the_part_needs_the_setting_and_the_setting_the_part():
    part = {"credit": {"token_credit": ["antisd"]}, "loss": "grpo"}
    build_settings(RlSettings, {**part, "self_teacher": {}}, "rl")
    with pytest.raises(ConfigError, match="self_teacher"):
        build_settings(RlSettings, part, "rl")
    with pytest.raises(ConfigError, match="no part reads it"):
        build_settings(RlSettings, {"self_teacher": {}}, "rl")
