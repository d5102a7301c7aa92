"""A problem's own gold, given as the answer, scores 1; where it can't, one sentence says why."""

from __future__ import annotations

import pickle

import pytest
from attack_set import KITS

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.errors import ConfigError
from vlrl.types import Problem, Text, Verdict
from vlrl.verify.gold_check import gold_problem
from vlrl.verify.judge import verifier, verifiers


def problem(name: str, gold: str, **metadata: object) -> Problem:
    return Problem((Text("What is it?"),), gold, name, "text", "test", metadata=metadata)


@pytest.mark.parametrize("name", [n for n in KITS if n not in ("all_of", "weighted", "cascade")])
def test_the_golds_of_the_attack_set_are_sound(name: str):
    assert gold_problem(KITS[name].problem) is None


@pytest.mark.parametrize(
    ("name", "gold", "metadata"),
    [
        ("number", "six of them or so", {}),
        ("number", "", {}),
        ("choice", "F", {"choices": ["x", "y"]}),
        ("choice", "VII", {}),
        ("mathvista", "red", {"question_type": "multi_choice", "choices": ["green", "blue"]}),
        ("time", "25:10", {}),
        ("box", "[5, 5, 1, 1]", {}),
        ("point", "left", {"radius": 3}),
        ("list", "[1, [2]]", {}),
        ("all_of", "x", {"parts": [{"verifier": "text"}, {"verifier": "number"}]}),
    ],
)
def test_a_gold_that_nobody_can_match_is_named(name: str, gold: str, metadata: dict[str, object]):
    said = gold_problem(problem(name, gold, **metadata))
    assert said is not None
    assert "\n" not in said
    assert len(said) < 400


@pytest.mark.parametrize(
    ("name", "gold", "metadata"),
    [
        ("choice", "y", {"choices": ["x", "y"]}),
        ("choice", "B", {}),
        ("mathvision", "C", {"choices": ["1", "2", "3"]}),
        ("mathvision", r"\frac{1}{2}", {}),
        ("point", "", {"region": [0, 0, 2, 2]}),
        ("model_judge", "whatever a model may think of it", {}),
        ("cascade", "", {"parts": [{"verifier": "text", "answer": "yes"}, {"verifier": "number", "answer": "3"}]}),
    ],
)
def test_a_sound_gold_or_one_that_cannot_be_checked(name: str, gold: str, metadata: dict[str, object]):
    assert gold_problem(problem(name, gold, **metadata)) is None


def test_a_plugin_reads_its_own_form_and_may_decline(temporarily):
    temporarily(verifiers)
    verifier("boxed only")(lambda p, r: Verdict.right() if r == f"\\boxed{{{p.answer}}}" else Verdict.wrong("no box"))
    verifier("runs code", gold=None)(lambda p, r: Verdict.wrong("tests fail"))
    assert gold_problem(problem("boxed only", "7")) is None
    assert gold_problem(problem("runs code", "assert f(1) == 2")) is None


def test_it_can_be_sent_to_worker_processes_and_names_an_unknown_verifier():
    assert pickle.loads(pickle.dumps(gold_problem)) is gold_problem
    with pytest.raises(ConfigError, match="nosuch"):
        gold_problem(problem("nosuch", "7"))
