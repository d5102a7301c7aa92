"""Bodies of `vlrl sandbox check` and `vlrl sandbox bench`."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from vlrl.code_execution.attacks.attack import Result, Traps, all_attacks, run_attack
from vlrl.code_execution.attacks.leftovers import alive, below, files_now, processes_left, processor_seconds
from vlrl.code_execution.box_pool import BoxPool
from vlrl.code_execution.bubblewrap import box_python
from vlrl.code_execution.memory_control import memory_control
from vlrl.code_execution.outcome import Execution, Program
from vlrl.code_execution.sandbox_settings import Limits, SandboxSettings
from vlrl.errors import ConfigError, RunError
from vlrl.verify.code import verdict_attacks
from vlrl.verify.code.run_tests import run_tests
from vlrl.verify.code.verdict_attacks import VerdictAttack

COMPILING = Limits(cpu_seconds=8.0, wall_seconds=20.0, memory_mib=512, output_mib=64)
PROGRAM = "print(sum(map(int, input().split())))\n"
ROUNDS = 4  # sandbox and plain subprocess take turns this often, so that what else the machine does meets both


def check_sandbox(only: str | None, as_json: bool) -> int:
    """Runs the attacks and prints a table; the exit code is 0 only where every one that could run was contained.

    Never without bubblewrap: what isn't contained then would happen. Raises ConfigError where this host can't isolate,
    and where no attack has the name.
    """
    pool = BoxPool(SandboxSettings(boxes=1, limits=Limits(wall_seconds=3.0), compiling=COMPILING))
    memory = memory_control()
    if not as_json:
        print(
            f"memory is limited {memory.said()}" + (f"\n  → {memory.remedy()}" if memory.remedy() else ""), flush=True
        )
    before = files_now()
    traps = Traps.lay()
    results: list[Result] = []
    processes: list[int] = []
    try:
        chosen = [one for one in all_attacks() if only is None or only in one.name or only in one.kind]
        forged = [one for one in verdict_attacks.ATTACKS if only is None or only in one.name or only in "verdict"]
        if not chosen and not forged:
            raise ConfigError("--only", f"no attack has {only!r} in its name", "leave it out to see all names")
        for attack in chosen:
            results.append(
                run_attack(attack, pool, traps, lambda: processes_left(pool), lambda: processor_seconds(pool))
            )
            processes = sorted({*processes, *pool.process_ids()})
            if not as_json:
                print(_line(results[-1]), flush=True)
        for claim in forged:
            results.append(run_verdict_attack(claim, pool))
            if not as_json:
                print(_line(results[-1]), flush=True)
    finally:
        pool.close()
        traps.remove()
    results += _afterwards(processes, sorted(files_now() - before))
    held, ran, missing = _counts(results)
    if as_json:
        counts = {"contained": held, "of": ran, "missing": missing, "memory": memory.record()}
        print(json.dumps({**counts, "attacks": [asdict(r) for r in results]}))
    else:
        for result in results[-2:]:
            print(_line(result))
        print(f"{held} of {ran} contained" + (f", {missing} not tried here" if missing else ""))
    return 0 if held == ran and ran else 1


def run_verdict_attack(attack: VerdictAttack, pool: BoxPool) -> Result:
    """A program that isn't right has to be judged wrong, and to be no fault."""
    begun = time.monotonic()
    missing = pool.missing().get(attack.judging.language)
    if missing is not None:
        return Result(attack.name, "verdict", None, f"{attack.judging.language} is missing: {missing}", 0.0)
    report = run_tests(pool, attack.source, attack.tests, attack.judging)
    contained = report.result not in ("accepted", "sandbox_fault")
    said = f"{report.result}: {report.note}"
    return Result(attack.name, "verdict", contained, said, time.monotonic() - begun)


def _afterwards(processes: Sequence[int], files: Sequence[str]) -> list[Result]:
    until = time.monotonic() + 5.0
    while alive(processes) and time.monotonic() < until:
        time.sleep(0.05)
    left = alive(processes)
    return [
        Result("no process is left", "afterwards", not left, f"{len(left)} processes", 0.0),
        Result("no file is left", "afterwards", not files, ", ".join(files[:3]) or "0 files", 0.0),
    ]


def _counts(results: Sequence[Result]) -> tuple[int, int, int]:
    ran = [result for result in results if result.contained is not None]
    return sum(bool(result.contained) for result in ran), len(ran), len(results) - len(ran)


def _line(result: Result) -> str:
    mark = {True: "contained", False: "NOT CONTAINED", None: "not tried"}[result.contained]
    return f"{mark:<14} {result.kind:<11} {result.attack:<46} {result.said[:90]} ({result.seconds:.1f} s)"


def bench_sandbox(runs: int, boxes: int | None, as_json: bool) -> None:
    """Prints latency (one at a time, p50 and p95), throughput (as many at a time as there are boxes), and the processor
    time of a run with all that it takes around it, which says more on a machine that does other things besides."""
    settings = SandboxSettings(boxes=boxes)
    python = box_python(settings)
    pool = BoxPool(settings)
    try:
        prepared = pool.prepare(Program("python", PROGRAM))
        if isinstance(prepared, Execution):
            raise RunError("sandbox", prepared.note)

        def inside() -> None:
            ended = prepared.run(b"20 22\n")
            if ended.stdout != b"42\n":
                raise RunError("sandbox", f"a run ended with {ended.ended}: {ended.note}")

        def plain() -> None:
            subprocess.run([python, "-c", PROGRAM], input=b"20 22\n", capture_output=True, check=True)

        with ThreadPoolExecutor(settings.count) as executor:
            list(executor.map(lambda _: inside(), range(settings.count * 2)))  # starts the boxes
            figures = _in_turns({"sandbox": inside, "plain subprocess": plain}, runs, settings.count, executor, pool)
    finally:
        pool.close()
    if as_json:
        print(json.dumps({"boxes": settings.count, "runs": runs, **figures}))
        return
    print(f"{settings.count} programs at a time, {runs} runs of each kind, in turns")
    for name, held in figures.items():
        print(
            f"{name:<17} start-up p50 {held['p50_ms']:6.1f} ms  p95 {held['p95_ms']:6.1f} ms   "
            f"{held['runs_per_second']:6.1f} runs/s   {held['processor_ms']:5.1f} ms of processor a run"
        )


def _in_turns(
    kinds: dict[str, Callable[[], None]], runs: int, beside: int, executor: ThreadPoolExecutor, pool: BoxPool
) -> dict[str, dict[str, float]]:
    share = max(1, runs // ROUNDS)
    single: dict[str, list[float]] = {name: [] for name in kinds}
    seconds, processor = dict.fromkeys(kinds, 0.0), dict.fromkeys(kinds, 0.0)
    for _ in range(ROUNDS):
        for name, run in kinds.items():
            for _ in range(share):
                begun = time.perf_counter()
                run()
                single[name].append(time.perf_counter() - begun)
        for name, run in kinds.items():
            begun, used = time.perf_counter(), _processor_seconds(pool)
            list(executor.map(lambda _, run=run: run(), range(share)))  # type: ignore[misc]
            seconds[name] += time.perf_counter() - begun
            processor[name] += _processor_seconds(pool) - used
    return {
        name: {
            "p50_ms": 1e3 * sorted(single[name])[len(single[name]) // 2],
            "p95_ms": 1e3 * sorted(single[name])[int(len(single[name]) * 0.95)],
            "runs_per_second": share * ROUNDS / seconds[name],
            "processor_ms": 1e3 * processor[name] / (share * ROUNDS),
        }
        for name in kinds
    }


def _processor_seconds(pool: BoxPool) -> float:
    """Of this process, its children that have ended, and the boxes with all that ran in them."""
    own = os.times()
    total = own.user + own.system + own.children_user + own.children_system
    for box in pool.process_ids():
        for process in below(box):
            fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
            total += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return total
