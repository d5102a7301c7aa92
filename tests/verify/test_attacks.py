"""The attack set: what must earn nothing earns nothing, in time, and never breaks a verifier."""

from __future__ import annotations

import time

import pytest
from attack_set import KITS, attacks, credulous, expected_right, is_clean

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge
from vlrl.verify.verifiers.mathematics import pool
from vlrl.verify.verifiers.model_judge import use_judge

LIMIT_SECONDS = 2.0  # of processor time: the wall clock of a busy machine says nothing about the answer


@pytest.fixture(autouse=True, scope="module")
def _judge() -> None:
    use_judge(credulous, "credulous")
    pool().ask({"gold": ["1"], "answer": ["1"], "strict": True, "rounding": 6, "relations": False})  # start apart


def test_the_set_has_more_than_four_hundred_pairs():
    assert sum(len(set(attacks(name))) for name in KITS) >= 400


@pytest.mark.parametrize("name", KITS)
def test_what_is_right_is_right(name: str):
    kit = KITS[name]
    for response in expected_right(kit):
        verdict = judge(kit.problem, response)
        assert verdict.correct, (response, verdict)
        assert verdict.score == 1.0 or kit.verifier in ("box", "point", "boxes"), (response, verdict)


@pytest.mark.parametrize("name", KITS)
def test_no_attack_earns_anything(name: str):
    taken, broken, slow = [], [], []
    for response in attacks(name):
        start = time.process_time() + pool().processor_seconds
        verdict = judge(KITS[name].problem, response)
        seconds = time.process_time() + pool().processor_seconds - start  # of this process and of the worker
        if not is_clean(verdict):
            taken.append((response[:120], verdict.answer and verdict.answer[:60], verdict.note))
        if verdict.fault is not None and not (name == "model_judge" and "unparsed" in verdict.fault):
            broken.append((response[:120], verdict.fault))
        if seconds > LIMIT_SECONDS:
            slow.append((response[:120], round(seconds, 2)))
    assert not taken, taken
    assert not broken, broken
    assert not slow, slow
