"""A user's verifier can't harm a run: whatever it returns, raises, prints or takes is a verdict or a fault."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import vlrl.verify  # noqa: F401  (files the verifiers)
from vlrl.errors import ConfigError
from vlrl.registry import load_plugin
from vlrl.types import Problem, Text, Verdict
from vlrl.verify.combine import cascade
from vlrl.verify.judge import judge, judge_all, verifier, verifiers
from vlrl.verify.plugins import guarded
from vlrl.verify.plugins.guarded import JudgingSettings
from vlrl.verify.plugins.returned import as_verdict

PLUGIN = '''
import os, sys, time
import numpy as np
from vlrl.types import Verdict
from vlrl.verify.judge import judge, verifier

def file(name, does):
    verifier(name)(does)

def exits(p, r): sys.exit("no more")
def dies(p, r): os._exit(0)
def interrupts(p, r): raise KeyboardInterrupt
def computes(p, r):
    while True: pass
def sleeps(p, r): time.sleep(1000)
def takes(p, r): return float(bool(bytearray(4 * 2**30)))
def prints(p, r):
    print("x" * 3_000_000, flush=True)
    print("y" * 3_000_000, file=sys.stderr, flush=True)
    return os.write(1, b"z") * 1.0
def changes(p, r):
    p.metadata["seen"] = True
    object.__setattr__(p, "answer", "another")
    return True
def waits(p, r):
    time.sleep(0.2)
    return float(r) / 100
def nests(p, r): return judge(__import__("dataclasses").replace(p, verifier="u_waits"), r)

for name, does in list(globals().items()):
    if callable(does) and name.islower() and name not in ("file", "judge", "verifier"):
        file(f"u_{name}", does)

class Kept:
    """A verifier with a state that can't be pickled."""
    def __init__(self): self.handle = open(os.devnull)
    def __call__(self, p, r): return Verdict.right(r)
file("u_kept", Kept())
'''


def problem(name: str, **metadata) -> Problem:
    return Problem((Text("How many?"),), "1", name, "text", "counting", metadata={"k": 1, **metadata})


@pytest.fixture(scope="module")
def plugin(tmp_path_factory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("plugin") / "users.py"
    path.write_text(PLUGIN)
    with verifiers.temporarily():
        load_plugin(path)
        guarded.configure(JudgingSettings(wall_seconds=4.0, processor_seconds=0.5, workers=8, memory_mib=200))
        yield path
        guarded.configure(JudgingSettings())
        guarded.pool(verifiers).close()


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("u_exits", "SystemExit: no more"),
        ("u_dies", "died"),
        ("u_interrupts", "KeyboardInterrupt"),
        ("u_computes", "0.5 s of processor time|no reply"),
        ("u_sleeps", "no reply"),
        ("u_takes", "200 MiB"),
    ],
)
def test_what_a_plugin_may_not_do_is_a_fault_by_name_in_bounded_time(plugin, name, fault):
    start = time.monotonic()
    verdict = judge(problem(name), "1")
    assert verdict.fault is not None
    assert verdict.fault.startswith(f"{name}: ")
    assert re.search(fault, verdict.fault), verdict.fault
    assert time.monotonic() - start < 30
    assert judge(problem("u_waits"), "50").score == 0.5, "the next verdict has another worker"


def test_what_a_plugin_prints_is_dropped_and_its_problem_is_a_copy(plugin, capfd):
    one = problem("u_changes")
    assert judge(one, "1").correct
    assert (dict(one.metadata), one.answer) == ({"k": 1}, "1")
    assert judge(problem("u_prints"), "1") == Verdict.right()
    assert capfd.readouterr() == ("", "")


def test_a_verifier_that_cannot_be_pickled_and_one_that_asks_another_work_as_well(plugin):
    assert judge(problem("u_kept"), "yes").answer == "yes"
    assert judge(problem("u_nests"), "25").score == 0.25


def test_facts_that_cannot_be_handed_over_are_a_fault(plugin):
    verdict = judge(problem("u_waits", lock=threading.Lock()), "1")
    assert verdict.fault is not None
    assert "can't be handed to it" in verdict.fault


def test_verdicts_of_plugins_are_given_side_by_side_and_in_order(plugin):
    judge(problem("u_waits"), "1")
    start = time.monotonic()
    asked = [(problem("u_waits"), [str(i) for i in range(20)]), (problem("number"), ["1", "2"]),
             (problem("all_of", parts=["u_waits", "u_waits"]), [str(i) for i in range(1, 5)])]  # fmt: skip
    waited, plain, both = judge_all(asked)
    assert time.monotonic() - start < 0.2 * 28 * 0.75, "one after another it takes 5.6 s"
    assert [round(v.score * 100) for v in waited] == list(range(20))
    assert [v.correct for v in plain] == [True, False]
    assert [round(v.score * 100) for v in both] == [1, 2, 3, 4]


def test_no_more_than_the_bound_run_at_a_time(monkeypatch, temporarily):
    temporarily(verifiers)
    monkeypatch.setattr(guarded, "settings", JudgingSettings(workers=3))
    running, most, lock = [0], [0], threading.Lock()

    @verifier("counted")
    def counted(p: Problem, r: str) -> bool:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.02)
        with lock:
            running[0] -= 1
        return True

    assert all(v.correct for v in judge_all([(problem("counted"), ["1"] * 12)])[0])
    assert most[0] == 3


def test_a_verifier_of_the_program_itself_is_bounded_and_its_interrupt_is_a_fault(monkeypatch, temporarily):
    temporarily(verifiers)
    monkeypatch.setattr(guarded, "settings", JudgingSettings(wall_seconds=0.3))
    done = threading.Event()

    @verifier("waits_here")
    def waits_here(p: Problem, r: str) -> bool:
        p.metadata["seen"] = True  # type: ignore[index]
        return done.wait(20)

    @verifier("interrupts_here")
    def interrupts_here(p: Problem, r: str) -> bool:
        raise KeyboardInterrupt

    one = problem("waits_here")
    assert "no verdict within 0.3 s" in str(judge(one, "").fault)
    assert "seen" not in one.metadata
    assert "KeyboardInterrupt" in str(judge(problem("interrupts_here"), "").fault)
    done.set()


def test_an_unknown_verifier_is_the_users_mistake_also_side_by_side():
    with pytest.raises(ConfigError):
        judge_all([(problem("no_such"), ["1", "2"])])


class Odd:
    def __float__(self) -> float:
        raise RuntimeError("not now")


@pytest.mark.parametrize(
    ("returned", "score", "correct"),
    [
        (True, 1.0, True),
        (np.False_, 0.0, False),
        (1, 1.0, True),
        (np.float32(0.5), 0.5, False),
        (np.array([1.0]), 1.0, True),
        (Verdict(np.float32(1), np.True_, 3), 1.0, True),  # type: ignore[arg-type]
        ({"score": 0.25, "format": True}, 0.25, False),
        ({"overall": 1, "accuracy": np.float64(1)}, 1.0, True),
    ],
)
def test_what_can_only_mean_one_thing_is_taken(returned, score, correct):
    verdict = as_verdict(returned, "mine")
    assert (verdict.score, verdict.correct, verdict.fault) == (score, correct, None)
    assert (type(verdict.score), type(verdict.correct)) == (float, bool)
    assert verdict.answer is None or isinstance(verdict.answer, str)


NO_VERDICTS = (
    *(None, float("nan"), 2, -0.5, np.float32("inf"), "1.0", b"1", object(), [1.0], (1.0, "x"), {}, {"acc": 1}, 1j),
    *({"score": None}, np.array([1.0, 0.0]), np.array([]), Odd(), lambda: 1, Ellipsis, Verdict(0.5, "maybe")),  # type: ignore[arg-type]
)


@pytest.mark.parametrize("returned", NO_VERDICTS)
def test_all_else_is_a_fault_that_says_what_came(returned):
    fault = as_verdict(returned, "mine").fault
    assert fault is not None
    assert fault.startswith("mine: returned")
    assert " at 0x" not in fault, "the same run says the same"


def test_a_part_that_returns_nothing_is_a_fault_of_the_whole():
    whole = cascade("exact", lambda p, r: None)  # type: ignore[arg-type,return-value]
    assert "returned None" in str(whole(problem("exact"), "1").fault)
