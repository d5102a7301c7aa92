"""Every attack is contained; and they are attacks: without isolation those that harm nobody succeed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vlrl.code_execution.attacks.attack import Attack, Traps, all_attacks, run_attack
from vlrl.code_execution.attacks.leftovers import processes_left, processor_seconds
from vlrl.code_execution.box_pool import BoxPool
from vlrl.code_execution.sandbox_settings import Limits, SandboxSettings
from vlrl.commands.sandbox_commands import check_sandbox

pytestmark = pytest.mark.sandbox
ATTACKS = {attack.name: attack for attack in all_attacks()}
# they read, and leave nothing behind on the machine that runs this test
HARMLESS = (
    "a secret outside",
    "a secret outside, from a shell",
    "the trainer's own files",
    "processes outside",
    "a header of the host",
    "a binary part of the host",
)


@pytest.fixture(scope="module")
def traps():
    laid = Traps.lay()
    yield laid
    laid.remove()


@pytest.fixture(scope="module")
def target(pool):
    compiling = Limits(cpu_seconds=5.0, wall_seconds=20.0, memory_mib=512, output_mib=64)
    own = BoxPool(SandboxSettings(boxes=1, compiling=compiling))
    yield own
    own.close()


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_contained(name, target, traps):
    result = run_attack(ATTACKS[name], target, traps, lambda: processes_left(target), lambda: processor_seconds(target))
    if result.contained is None:
        pytest.skip(result.said)
    assert result.contained, result.said


def test_there_are_enough_of_them():
    assert len(ATTACKS) >= 60
    assert len(ATTACKS) == len(list(all_attacks()))


@pytest.mark.parametrize("name", HARMLESS)
def test_without_isolation_it_succeeds(name, traps):
    weak = BoxPool(SandboxSettings(isolation="rlimits", boxes=1, limits=Limits(processes=2000)))
    try:
        result = run_attack(ATTACKS[name], weak, traps, lambda: "", dict)
    finally:
        weak.close()
    if result.contained is None:
        pytest.skip(result.said)
    assert result.contained is False


def test_the_exit_code_of_the_check_tells_the_truth(monkeypatch, capsys, pool):
    good = Attack("reads", "files", "python", "open('@folder@/secret.txt')")
    bad = Attack("says so", "files", "python", "print('BREACH')")
    monkeypatch.setattr("vlrl.commands.sandbox_commands.all_attacks", lambda: [good])
    monkeypatch.setattr("vlrl.commands.sandbox_commands.verdict_attacks.ATTACKS", ())
    assert check_sandbox(None, False) == 0
    assert "3 of 3 contained" in capsys.readouterr().out
    monkeypatch.setattr("vlrl.commands.sandbox_commands.all_attacks", lambda: [good, bad])
    assert check_sandbox(None, False) == 1
    assert "3 of 4 contained" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import os; print(open('/proc/self/fd/0').read(), os.getenv('HOME'))", None),
        ("print('BREACH')", "BREACH"),
    ],
)
def test_a_trap_tells_a_breach_from_none(source, said, target, traps):
    result = run_attack(Attack("one", "files", "python", source), target, traps, lambda: "", dict)
    assert result.contained is (said is None)


BURNS = "import time\nuntil = time.process_time() + 0.3\nwhile time.process_time() < until: pass\n"


@pytest.mark.parametrize(
    ("source", "bound", "said"),
    [
        (BURNS, {"cpu_seconds": 0.2}, "s of processor time"),
        (
            "import os\nif os.fork() == 0:\n    " + BURNS.replace("\n", "\n    ") + "\nelse: os.wait()\n",
            {"cpu_seconds": 0.2},
            "of processor time",
        ),
        ("import time\ntime.sleep(0.4)\n", {"wall_seconds": 0.2}, "it ran for"),
        ("import time\ntime.sleep(0.4)\n", {"cpu_seconds": 0.35, "wall_seconds": 5.0}, "finished"),
    ],
)
def test_what_an_attack_took_is_measured_on_the_host(source, bound, said, target, traps):
    attack = Attack("one", "resources", "python", source, **bound)
    result = run_attack(attack, target, traps, lambda: "", lambda: processor_seconds(target))
    assert (result.contained, said in result.said) == (said == "finished", True), result.said


def test_a_machine_that_does_other_things_is_no_breach(target, traps, monkeypatch):
    """By the clock the program takes ten times what it may: it, or what watches it, waits for a processor."""
    run = type(target).run

    def late(*given):
        ended = run(*given)
        return replace(ended, wall_seconds=ended.wall_seconds + 600.0, waited_seconds=ended.waited_seconds + 600.0)

    monkeypatch.setattr(type(target), "run", late)
    attack = Attack("one", "resources", "python", "print(1)")
    assert run_attack(attack, target, traps, lambda: "", lambda: processor_seconds(target)).contained
