"""Stages that ask a model: pass rates, guesses, blindness; faults are counted; nothing is asked twice."""

from __future__ import annotations

import math

import numpy as np
import pytest
from curation_cases import ask_image, ask_text, asking, drawn_image, encoded
from scipy.stats import binomtest

from vlrl.curation.funnel import run_funnel
from vlrl.curation.selection.difficulty import Difficulty
from vlrl.curation.selection.guessing import EasyToHack, ImageBlind
from vlrl.curation.stage import Context, stages
from vlrl.errors import ConfigError, VerifierFaultError
from vlrl.types import Verdict
from vlrl.verify.judge import verifiers

RIGHT, WRONG = "<answer>7</answer>", "<answer>8</answer>"


def script(rights: int, of: int = 10):
    return lambda problem: [RIGHT] * rights + [WRONG] * (of - rights)


def by_number(problem):
    """As many right answers of ten as the problem's text says."""
    rights = int(problem.question.split()[0])
    return [RIGHT] * rights + [WRONG] * (10 - rights)


def test_pass_rates_are_measured_stored_and_used(tmp_path):
    ask, engine = asking(by_number, tmp_path, model_hash="abc")
    problems = [ask_text(f"{k} of ten") for k in (0, 3, 9, 10)]
    decisions = Difficulty(never_solved="pool").decide(problems, Context(0, ask))
    assert [d.measured["pass_rate"] for d in decisions] == [0.0, 0.3, 0.9, 1.0]
    assert [d.outcome for d in decisions] == ["dropped", "kept", "kept", "dropped"]
    assert [d.reason for d in decisions] == ["never solved: in hard.jsonl", "", "", "too easy"]
    assert [d.pool for d in decisions] == ["hard", None, None, None]
    assert decisions[1].problem.difficulty == pytest.approx(0.7)
    assert decisions[1].measured["model_hash"] == "abc"
    assert decisions[1].measured["temperature"] == 1.0
    assert {request.num_rollouts for request in engine.requests} == {10}


def test_by_default_what_is_never_solved_stays(tmp_path):
    ask, _ = asking(script(0), tmp_path)
    assert Difficulty().decide([ask_text("hard")], Context(0, ask))[0].outcome == "kept"


def test_a_policy_of_known_skill_gets_a_rate_within_its_bounds(tmp_path):
    rng = np.random.default_rng(5)
    ask, _ = asking(lambda problem: [RIGHT if rng.random() < 0.3 else WRONG for _ in range(400)], tmp_path)
    decision = Difficulty(samples=400).decide([ask_text("x")], Context(0, ask))[0]
    bounds = binomtest(decision.measured["correct"], 400).proportion_ci(0.999, method="exact")
    assert bounds.low < 0.3 < bounds.high


def test_one_right_guess_of_eight_drops_a_problem(tmp_path):
    ask, engine = asking(by_number, tmp_path)
    problems = [ask_text(f"{k} of ten") for k in (0, 1, 8)]
    decisions = EasyToHack().decide(problems, Context(0, ask))
    assert [d.outcome for d in decisions] == ["kept", "dropped", "dropped"]
    assert {request.num_rollouts for request in engine.requests} == {8}
    assert "no reasoning" in engine.requests[0].encoded.problem.question
    assert [d.outcome for d in EasyToHack(min_correct=4).decide(problems, Context(0, ask))] == [
        "kept",
        "kept",
        "dropped",
    ]


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5])
def test_guessable_problems_go_as_often_as_the_formula_says(rate, tmp_path):
    rng = np.random.default_rng(1)
    ask, _ = asking(lambda problem: [RIGHT if rng.random() < rate else WRONG for _ in range(8)], tmp_path, batch=1000)
    problems = [ask_text(f"number {i}") for i in range(1000)]
    dropped = sum(d.outcome == "dropped" for d in EasyToHack().decide(problems, Context(0, ask)))
    share = 1 - (1 - rate) ** 8
    assert abs(dropped / 1000 - share) < 4 * math.sqrt(share * (1 - share) / 1000)


def test_the_blind_stage_takes_the_images_away(tmp_path):
    ask, engine = asking(lambda problem: [RIGHT if "spider" in problem.question else WRONG], tmp_path)
    image = encoded(drawn_image(1))
    problems = [
        ask_image(image, "<image 1> How many legs has the spider, less one?"),
        ask_image(image, "How many cards?"),
        ask_text("How many legs has a spider?"),  # has no image: not asked
        ask_image(image, " "),  # nothing is left to ask
    ]
    decisions = ImageBlind().decide(problems, Context(0, ask))
    assert [d.outcome for d in decisions] == ["dropped", "kept", "kept", "kept"]
    assert len(engine.requests) == 2
    assert all(not request.encoded.problem.images for request in engine.requests)
    assert all("<image" not in request.encoded.problem.question for request in engine.requests)


@pytest.fixture
def broken_verifier(temporarily):
    """Breaks on the word `break`, else wants 7."""

    def check(problem, response):
        if "break" in response:
            raise RuntimeError("out of order")
        return Verdict.right() if "7" in response else Verdict.wrong("no")

    temporarily(verifiers, breaks=check)
    return "breaks"


def test_a_broken_verifier_is_a_fault_and_counted_apart(tmp_path, broken_verifier):
    def reply(problem):
        faults = int(problem.question)
        return ["break"] * faults + [WRONG] * (10 - faults)

    ask, _ = asking(reply, tmp_path, max_fault_rate=1.0)
    problems = [ask_text(str(k), verifier=broken_verifier) for k in (0, 4, 6, 10)]
    funnel = run_funnel(problems, [Difficulty(never_solved="drop")], Context(0, ask))
    stage = funnel.stages[1]
    assert stage.dropped == {"never solved": 2}
    assert stage.faults == {"the verifier broke": 2}
    assert stage.totals["faults"] == 20
    assert stage.entered == stage.out + 2 + 2
    assert {problem.question for problem in funnel.faulted} == {"6", "10"}


def test_faulted_responses_leave_the_pass_rate(tmp_path, broken_verifier):
    ask, _ = asking(lambda problem: ["break"] * 2 + [RIGHT] * 4 + [WRONG] * 4, tmp_path, max_fault_rate=1.0)
    decision = Difficulty().decide([ask_text("x", verifier=broken_verifier)], Context(0, ask))[0]
    assert decision.measured["pass_rate"] == 0.5
    assert decision.measured["judged"] == 8


def test_a_guess_stage_does_not_drop_what_could_not_be_judged(tmp_path, broken_verifier):
    ask, _ = asking(lambda problem: ["break"] * 8, tmp_path, max_fault_rate=1.0)
    problem = ask_text("x", verifier=broken_verifier)
    assert EasyToHack().decide([problem], Context(0, ask))[0].outcome == "fault"


def test_too_many_faults_stop_the_run(tmp_path, broken_verifier):
    ask, _ = asking(lambda problem: ["break", *[WRONG] * 9], tmp_path)
    with pytest.raises(VerifierFaultError, match=r"1 of 10 verdicts are faults.*out of order"):
        Difficulty().decide([ask_text("x", verifier=broken_verifier)], Context(0, ask))


def test_an_answered_problem_is_not_asked_again(tmp_path):
    problems = [ask_text(f"{k} of ten") for k in range(6)]
    ask, engine = asking(by_number, tmp_path)
    first = Difficulty().decide(problems[:4], Context(0, ask))
    again, later = asking(by_number, tmp_path)
    decisions = Difficulty(drop_from=0.3).decide(problems, Context(0, again))  # another threshold asks nothing again
    assert [d.measured["pass_rate"] for d in decisions[:4]] == [d.measured["pass_rate"] for d in first]
    assert decisions[3].outcome == "dropped"
    assert len(engine.requests) == 4
    assert [r.encoded.problem.question for r in later.requests] == ["4 of ten", "5 of ten"]


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({"samples": 9}, {}),
        ({"sampling": {"temperature": 0.7}}, {}),
        ({"prompt": "{question}!"}, {}),
        ({}, {"model_hash": "another"}),
        ({}, {"seed": 1}),
        ({}, {"conditions": {"system": "think"}}),
    ],
)
def test_what_the_answer_depends_on_is_asked_anew(settings, options, tmp_path):
    problem = ask_text("3 of ten")
    Difficulty().decide([problem], Context(0, asking(by_number, tmp_path)[0]))
    ask, engine = asking(by_number, tmp_path, **options)
    Difficulty(**settings).decide([problem], Context(0, ask))
    assert len(engine.requests) == 1


def test_seeds_depend_on_the_problem_and_the_stage_not_on_the_place(tmp_path):
    problems = [ask_text(f"{k} of ten") for k in range(3)]
    seeds = []
    for number, some in enumerate((problems, problems[::-1])):
        (tmp_path / str(number)).mkdir()
        ask, engine = asking(by_number, tmp_path / str(number), batch=2)
        Difficulty().decide(some, Context(0, ask))
        EasyToHack().decide(some, Context(0, ask))
        seeds.append({(r.encoded.problem.question, r.num_rollouts): r.seed for r in engine.requests})
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0].values())) == 6


def test_a_setting_that_cannot_hold_is_an_error():
    with pytest.raises(ConfigError, match="min_correct"):
        stages.build({"name": "easy_to_hack", "min_correct": 9})
    with pytest.raises(ConfigError, match="question"):
        stages.build({"name": "difficulty", "prompt": "no place"})
