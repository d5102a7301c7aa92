"""Combinators, plain functions, plugin files, functions of other trainers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from patience import answered, problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.errors import ConfigError
from vlrl.registry import load_plugin
from vlrl.types import Problem, Verdict
from vlrl.verify.combine import all_of, cascade, graded, weighted
from vlrl.verify.judge import judge
from vlrl.verify.plugins.reward_functions import from_compute_score, from_reward, from_trl_reward

SIX = problem("number", "6")


def scores(value: float) -> Any:
    return lambda _problem, _response: Verdict(value, value == 1.0, note=f"{value}")


def breaks(_problem: Problem, _response: str) -> Verdict:
    raise RuntimeError("broken part")


def must_not_run(_problem: Problem, _response: str) -> Verdict:
    raise AssertionError("a later stage ran")


def test_all_of_takes_the_lowest_and_stops_at_a_zero():
    assert all_of("number", scores(1.0))(SIX, answered("6")).correct
    verdict = all_of(scores(0.75), scores(0.5))(SIX, "")
    assert (verdict.score, verdict.correct) == (0.5, False)
    assert all_of("number", must_not_run)(SIX, answered("7")).note == "wrong number"


def test_a_broken_part_is_a_fault_unless_another_part_decides():
    assert all_of(breaks, scores(1.0))(SIX, "").fault == "RuntimeError: broken part"
    assert all_of(breaks, scores(0.0))(SIX, "").fault is None
    assert weighted([(breaks, 1.0), (scores(0.0), 1.0)])(SIX, "").fault is not None
    assert cascade(breaks, scores(1.0))(SIX, "").fault is not None


def test_weighted_is_the_mean_and_correct_only_if_all_that_count_are():
    verdict = weighted([(scores(1.0), 3.0), (scores(0.5), 1.0)])(SIX, "")
    assert (verdict.score, verdict.correct) == (0.875, False)
    assert weighted([(scores(1.0), 1.0), (scores(0.0), 0.0)])(SIX, "").correct
    assert weighted({"number": 1.0, "exact": 1.0})(SIX, answered("6.0")).score == 0.5


def test_a_cascade_stops_at_a_closed_gate():
    assert cascade("exact", must_not_run)(SIX, answered("6.0")).score == 0
    assert cascade(scores(0.9), must_not_run)(SIX, "").score == 0
    assert cascade("exact", scores(0.4))(SIX, answered("6")).score == 0.4


def test_graded_reads_a_score_anew():
    assert graded(scores(0.6), correct_at=0.5)(SIX, "").correct
    assert graded(scores(0.6), floor=0.7)(SIX, "").score == 0
    assert graded(scores(0.6), steps=(0.25, 0.5, 0.75, 0.9))(SIX, "").score == 0.5


def test_combinators_work_by_name_with_parts_in_the_facts():
    parts = [{"verifier": "text", "answer": "red"}, {"verifier": "exact", "answer": "Red", "weight": 3}]
    assert judge(problem("all_of", "", parts=parts), answered("Red")).correct
    assert judge(problem("weighted", "", parts=parts), answered("red")).score == 0.25
    assert judge(problem("cascade", "", parts=parts), answered("red")).score == 0
    box = {"verifier": "box", "answer": "[0, 0, 4, 4]", "metadata": {"graded": True}}
    step = problem("graded", "", parts=[box], steps=[0.4, 0.6], correct_at=0.4)
    verdict = judge(step, answered("[0, 0, 2, 4]"))
    assert (verdict.score, verdict.correct) == (0.5, True)
    assert judge(problem("all_of", "6"), answered("6")).fault is not None
    assert judge(problem("all_of", "6", parts=["nobody"]), answered("6")).fault is not None


def test_an_unknown_part_is_the_users_mistake():
    with pytest.raises(ConfigError, match="number"):
        all_of("numbr")(SIX, answered("6"))


PLUGIN = """
from vlrl.types import Verdict
from vlrl.verify.reading.declared import extract
from vlrl.verify.judge import verifier


@verifier("palindrome_for_tests")
def palindrome(problem, response):
    answer = extract(response).answer
    if answer is None:
        return Verdict.wrong("no answer")
    return Verdict.right(answer) if answer == answer[::-1] else Verdict.wrong("not a palindrome", answer)
"""


def test_a_plain_function_in_a_plugin_file_is_a_verifier(tmp_path: Path):
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN)
    load_plugin(file)
    load_plugin(file)
    assert judge(problem("palindrome_for_tests", ""), answered("level")).correct
    assert not judge(problem("palindrome_for_tests", ""), answered("levels")).correct


def test_compute_score_functions_are_wrapped_by_argument_name():
    def verl(data_source: str, solution_str: str, ground_truth: str, extra_info: dict[str, Any] | None = None) -> float:
        assert data_source == "test"
        assert extra_info == {"unit": "cm"}
        return float(ground_truth in solution_str)

    asked = problem("number", "6", unit="cm")
    assert from_compute_score(verl)(asked, "it is 6").correct
    assert from_compute_score(verl)(asked, "it is 7").score == 0
    assert from_compute_score(lambda a, b: 0.5)(asked, "x").score == 0.5
    assert from_compute_score(lambda solution, answer: {"score": solution == answer})(asked, "6").correct
    signed = from_compute_score(lambda solution, ground_truth: -1.0, span=(-1.0, 1.0))
    assert signed(asked, "x").score == 0
    only = from_compute_score(lambda solution, answer: solution == answer, answer_only=True)
    assert only(asked, "<think>6</think><answer>6</answer>").correct
    assert only(asked, "<think>6</think>").note == "nothing outside the thinking"


def test_what_such_a_function_gets_wrong_is_an_error_and_so_a_fault():
    for value in (2.0, float("nan"), None, "high"):
        with pytest.raises(ValueError, match=r"returned|convert"):
            from_compute_score(lambda solution, answer, value=value: value)(SIX, "x")


def test_trl_reward_functions_are_wrapped():
    def accuracy(completions: list[str], solution: list[str], **columns: Any) -> list[float]:
        return [float(c == s) for c, s in zip(completions, solution, strict=True)]

    def chat(prompts: list[Any], completions: list[Any], answer: list[str]) -> list[float]:
        assert prompts[0][0]["role"] == "user"
        return [float(c[0]["content"] == a) for c, a in zip(completions, answer, strict=True)]

    assert from_trl_reward(accuracy)(SIX, "6").correct
    assert from_trl_reward(accuracy)(SIX, "7").score == 0
    assert from_trl_reward(chat, conversational=True)(SIX, "6").correct
    with pytest.raises(ValueError, match="does not judge"):
        from_trl_reward(lambda completions, **_: [None])(SIX, "6")
    with pytest.raises(ValueError, match="one completion in"):
        from_trl_reward(lambda completions, **_: [])(SIX, "6")


def easyr1_batch(reward_inputs: list[dict[str, Any]]) -> list[dict[str, float]]:
    found = []
    for one in reward_inputs:
        form, right = float("<answer>" in one["response"]), float(one["ground_truth"] in one["response"])
        found.append({"overall": 0.9 * right + 0.1 * form, "format": form, "accuracy": right})
    return found


def easyr1_single(reward_input: dict[str, Any]) -> dict[str, float]:
    return easyr1_batch([reward_input])[0]


def verl(data_source: str, solution_str: str, ground_truth: str, extra_info: Any = None) -> dict[str, Any]:
    return {"score": float(ground_truth in solution_str), "format": 1, "pred": solution_str}


def trl(prompts: list[str], completions: list[str], solution: list[str], **kwargs: Any) -> list[float]:
    return [float(gold in text) for text, gold in zip(completions, solution, strict=True)]


class Orm:
    def __call__(self, completions: list[str], solution: list[str], **kwargs: Any) -> list[float]:
        return [float(gold in text) for text, gold in zip(completions, solution, strict=True)]


@pytest.mark.parametrize("function", [easyr1_batch, easyr1_single, verl, trl, Orm, Orm()])
def test_reward_functions_of_other_trainers_are_known_by_their_signature(function: Any):
    check = from_reward(function)
    assert check(SIX, answered("6")).correct
    wrong = check(SIX, answered("7"))
    assert (wrong.correct, wrong.fault) == (False, None)


def test_sub_scores_are_kept():
    verdict = from_reward(easyr1_batch)(SIX, "It is 6.")
    assert (verdict.score, verdict.correct) == (0.9, True)
    assert verdict.parts == {"format": 0.0, "accuracy": 1.0}
    assert from_reward(verl)(SIX, "6").parts == {"format": 1.0}


@pytest.mark.parametrize("returned", [[], [{}], [{"overall": 2.0}], None, [None], [{"overall": float("nan")}]])
def test_what_is_no_result_of_the_contract_is_a_fault(returned: Any, temporarily):
    from vlrl.verify.judge import verifier, verifiers

    temporarily(verifiers)
    verifier("easyr1_like")(from_reward(lambda reward_inputs: returned, "easyr1"))
    assert judge(problem("easyr1_like", "6"), "6").fault is not None


def test_a_signature_of_no_contract_is_refused():
    with pytest.raises(ConfigError, match="of none of verl"):
        from_reward(lambda a, b: 1.0)
    with pytest.raises(ConfigError, match="did you mean 'easyr1'"):
        from_reward(easyr1_batch, "easy-r1")
