"""Examples run as they are shipped."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from sandbox_fixture import require_sandbox

from vlrl.code_execution import executor
from vlrl.code_execution.drawing import browser
from vlrl.data.fixed_sets import demonstrations
from vlrl.data.recipe import load_recipe
from vlrl.scenes.domain import domains
from vlrl.types import Verdict
from vlrl.verify.judge import judge_all

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def one_step(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import one_rl_step

    yield one_rl_step
    del sys.modules["one_rl_step"]


@pytest.mark.parametrize("right", [0, 1, 2])
def test_one_step_learns_from_groups_with_right_and_wrong_responses_alone(one_step, monkeypatch, right):
    def judge(asked):
        return [tuple(Verdict(float(i < right), i < right) for i, _ in enumerate(texts)) for _, texts in asked]

    monkeypatch.setattr(one_step, "judge_all", judge)
    metrics = one_step.one_rl_step(problems=4, k=2)
    assert metrics["reward/mean"] == right / 2
    assert metrics["groups/informative"] == (4 if right == 1 else 0)
    assert (metrics["gradient/norm"] > 0) == (right == 1)


@pytest.fixture(params=["tiny_programs", "drawn_figures"])
def made(request):
    """First demonstrations of a recipe whose answers are run or drawn."""
    recipe = load_recipe(EXAMPLES.parent / f"data_recipes/{request.param}.yaml")
    return demonstrations(recipe, 3, 12)


def test_worked_programs_and_drawings_are_right_and_no_other_problems(made):
    require_sandbox()
    if made[0].problem.verifier == "visual_code" and browser() is None:
        pytest.skip("Chromium is missing")
    try:
        found = judge_all([(one.problem, [one.response, made[i - 1].response]) for i, one in enumerate(made)])
    finally:
        executor.close()
    assert all(own.correct for own, _ in found), found
    assert not any(other.correct for _, other in found)
    assert all(other.fault is None for _, other in found)


@pytest.mark.parametrize("seed", range(3))
def test_a_question_of_a_program_always_has_the_same_tests_and_they_are_what_python_gives(seed):
    load_recipe(EXAMPLES.parent / "data_recipes/tiny_programs.yaml")  # its plugin files the domain
    made_by = domains.build({"name": "tiny_programs", "steps": [1, 6]})
    rng = np.random.default_rng(seed)
    for difficulty in (0.0, 0.4, 1.0):
        draft = made_by.draw(rng, difficulty)
        body = re.search(r"print\((.*)\)", draft.response)[1]
        for case in json.loads(draft.answer)["cases"]:
            a, b = map(int, case["input"].split())
            assert a != b
            assert str(eval(body, {"a": a, "b": b})) == case["output"].strip()
            spoken = draft.question.split("Start with ")[1].rstrip(".").split(", ")
            value = {"a": a, "b": b}[spoken[0]]
            for step in spoken[1:]:
                word, operand = step.rsplit(" ", 1)
                number = {"a": a, "b": b}.get(operand) or int(operand)
                value = {"add": value + number, "subtract": value - number, "multiply by": value * number}[word]
            assert value == int(case["output"])
    again = [made_by.draw(np.random.default_rng(seed), 0.5) for _ in range(2)]
    assert again[0] == again[1]
