"""Hard limits: time, memory, death and replacement of the workers; no evaluation of text in them."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from patience import answered, problem

import vlrl.verify
from vlrl.verify.judge import judge
from vlrl.verify.sandbox.worker_pool import LOADS, TooHeavy, WorkerFault, WorkerPool
from vlrl.verify.verifiers import mathematics

PROGRAM = Path(vlrl.verify.__file__).parent / "math" / "math_worker.py"
JOB = {"gold": ["x+1"], "answer": ["1+x"], "strict": True, "rounding": 6, "relations": False}


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    made = WorkerPool(PROGRAM, size=1, wall_seconds=60.0)  # the wall clock is tested apart: this machine may be busy
    yield made
    made.close()


def job(answer: str, gold: str = "x+1") -> dict[str, object]:
    return {**JOB, "gold": [gold], "answer": [answer]}


def test_nothing_starts_before_the_first_answer_that_needs_it(pool: WorkerPool):
    assert pool.started == 0
    assert pool.ask(JOB)["equal"] is True
    assert pool.started == 1


def written(folder: Path, body: str) -> Path:
    """A program whose workers do this with a job."""
    path = folder / "program.py"
    path.write_text(
        f"import os, signal, sys, time\ndef load():\n    return None\ndef answer(state, job):\n    {body}\n"
    )
    return path


def judged_in(pool: WorkerPool, asked: dict[str, object]) -> tuple[float, str]:
    """(seconds from the call to the verdict, what came of it)."""
    start = time.monotonic()
    try:
        came = str(pool.ask(asked))
    except (TooHeavy, WorkerFault) as error:
        came = f"{type(error).__name__}: {error}"
    return time.monotonic() - start, came


@pytest.mark.parametrize("answer", ["9^{9^{9^{9}}}", "99999999!", r"\binom{99999999}{4999999}"])
def test_an_answer_that_computes_for_too_long_is_too_heavy_and_its_worker_is_replaced(pool: WorkerPool, answer: str):
    with pytest.raises(TooHeavy):
        pool.ask(job(answer))
    assert pool.ask(JOB)["equal"] is True
    assert pool.started == 2


def test_the_wall_clock_ends_a_worker_that_does_not_answer(tmp_path: Path):
    pool = WorkerPool(written(tmp_path, "time.sleep(60)"), size=1, wall_seconds=0.5)
    pool.start()
    seconds, came = judged_in(pool, JOB)
    assert "of processor time" in came
    assert seconds < 30  # not the 60 s that it sleeps
    pool.close()


WORKS = "while time.process_time() < 0.8: pass\n    return {'equal': True}"


@pytest.mark.parametrize(
    ("body", "waits", "came"),
    [
        (WORKS, True, "{'equal': True}"),
        (WORKS, False, "WorkerFault: no reply"),
        ("time.sleep(60)", True, "WorkerFault: no reply"),
        ("signal.pthread_sigmask(signal.SIG_BLOCK, list(signal.Signals)); exec('while True: pass')", True, "no reply"),
    ],
    ids=["works", "works, by the clock", "sleeps", "spins deaf to signals"],
)
def test_a_worker_that_gets_processor_time_is_waited_for(tmp_path: Path, body: str, waits: bool, came: str):
    """The clock of an answer is far shorter here than what it computes, as on a machine that is busy."""
    pool = WorkerPool(written(tmp_path, body), size=1, wall_seconds=0.3, waits_while_working=waits)
    assert came in judged_in(pool, JOB)[1]
    pool.close()


def test_answers_wait_for_a_worker_as_long_as_others_compute(tmp_path: Path):
    body = "begun = time.process_time()\n    while time.process_time() < begun + 0.4: pass\n    return {}"
    pool = WorkerPool(written(tmp_path, body), size=1, wall_seconds=0.3, waits_while_working=True)
    came: list[str] = []
    threads = [threading.Thread(target=lambda: came.append(judged_in(pool, JOB)[1])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert came == ["{}"] * 3
    pool.close()


def test_what_other_answers_compute_is_no_time_of_this_one():
    asked = mathematics._Worker({})
    mathematics.pool().processor_seconds += 10 * mathematics.PARTS_SECONDS  # another thread's
    assert asked.ask("x+1", "1+x")
    asked.spent.append(2 * mathematics.PARTS_SECONDS)
    with pytest.raises(TooHeavy):
        asked.ask("x+1", "1+x")


@pytest.mark.parametrize(
    ("body", "came"),
    [
        ("time.sleep(60)", "WorkerFault: no reply"),
        ("signal.pthread_sigmask(signal.SIG_BLOCK, list(signal.Signals)); exec('while True: pass')", "WorkerFault"),
        ("os.kill(os.getpid(), signal.SIGSTOP)", "WorkerFault: no reply"),
        ("time.sleep(0.2); sys.exit(3)", "WorkerFault: the worker died"),
        ("os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)", "WorkerFault"),
        ("time.sleep(0.5); return {'equal': True}", "{'equal': True}"),
    ],
    ids=["sleeps", "spins deaf to signals", "is stopped", "dies", "kills the fork server", "answers late"],
)
def test_from_the_call_to_the_verdict_no_answer_takes_more_than_two_seconds(tmp_path: Path, body: str, came: str):
    """Whatever its worker does, and also for the answers after it. Twice the limit here: this machine may be busy."""
    pool = WorkerPool(written(tmp_path, body), size=1)
    with contextlib.suppress(TooHeavy, WorkerFault):
        pool.ask(JOB)  # the libraries are loaded
    for _ in range(3):
        seconds, what = judged_in(pool, JOB)
        assert seconds < 4.0
        assert came in what or "being loaded" in what
    pool.close()


def test_a_replacement_is_forked_and_loads_nothing(tmp_path: Path):
    """Loading takes a second here; four workers in a row die of their jobs and the fifth answers at once."""
    program = tmp_path / "program.py"
    program.write_text(
        "import os, time\n"
        f"def load():\n    open({str(tmp_path / 'loads')!r}, 'a').write('once ')\n    time.sleep(1)\n"
        "def answer(state, job):\n    return {'pid': os.getpid()} if job['well'] else os._exit(7)\n"
    )
    pool = WorkerPool(program, size=1, wall_seconds=60.0)
    for _ in range(4):
        with pytest.raises(WorkerFault, match="exit code 7"):
            pool.ask({"well": False})
    assert pool.ask({"well": True})["pid"] == pool.ask({"well": True})["pid"]
    assert (tmp_path / "loads").read_text() == "once "
    assert pool.started == 5
    pool.close()


def test_a_start_ahead_of_time_returns_at_once_and_the_first_answer_waits_for_it(tmp_path: Path):
    program = tmp_path / "program.py"
    program.write_text("import time\ndef load():\n    time.sleep(3)\ndef answer(state, job):\n    return {}\n")
    pool = WorkerPool(program, size=1)
    start = time.monotonic()
    pool.start()
    assert time.monotonic() - start < 2.5
    assert pool.ask({}) == {}  # more than an answer's own clock
    assert time.monotonic() - start > 3
    pool.close()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("def load():\n    raise OSError('no space')", "OSError: no space"),
        ("import os; os._exit(5)", "could not be loaded"),
    ],
)
def test_libraries_that_do_not_load_are_a_fault_that_says_why(tmp_path: Path, code: str, said: str):
    program = tmp_path / "program.py"
    program.write_text(code + "\n")
    pool = WorkerPool(program, size=1)
    for _ in range(2):
        with pytest.raises(WorkerFault, match=said):
            pool.ask(JOB)
    pool.close()


def test_libraries_that_never_load_are_not_tried_for_every_answer(tmp_path: Path):
    """Forty golds of a plugin that fails in its worker took eight minutes."""
    program = tmp_path / "program.py"
    tried = f"open({str(tmp_path / 'tried')!r}, 'a').write('x')"
    program.write_text(f"{tried}\nraise OSError('no such card')\n")
    pool = WorkerPool(program, size=1)
    for _ in range(LOADS + 4):
        with pytest.raises(WorkerFault, match="no such card"):
            pool.ask(JOB)
    assert len((tmp_path / "tried").read_text()) == LOADS
    pool.close()


def test_a_fork_server_that_loads_for_too_long_is_a_fault(tmp_path: Path):
    program = tmp_path / "program.py"
    program.write_text("import time\ndef load():\n    time.sleep(60)\n")
    pool = WorkerPool(program, size=1)
    pool.load_seconds = 0.3
    with pytest.raises(WorkerFault, match="still being loaded"):
        pool.ask(JOB)
    pool.close()


def test_memory_is_limited_in_the_worker(tmp_path: Path):
    pool = WorkerPool(
        written(tmp_path, "return {'got': len(bytearray(job['mib'] * 2**20))}"), size=1, wall_seconds=60.0
    )
    assert pool.ask({"mib": 300})["got"] == 300 * 2**20
    with pytest.raises(TooHeavy, match="memory"):
        pool.ask({"mib": 520})
    pool.close()


def test_of_its_memory_the_libraries_leave_a_worker_more_than_four_fifths(pool: WorkerPool):
    """What the fork server has loaded counts against the limit of each worker: 512 MB with it."""
    pool.ask(JOB)
    status = Path(f"/proc/{pool._fork_server.process.pid}/status").read_text()
    taken = int(next(line for line in status.splitlines() if line.startswith("VmSize")).split()[1]) * 1024
    assert 0 < taken < pool.memory_bytes / 5


def test_the_limit_on_memory_is_there_before_anything_is_loaded():
    pool = WorkerPool(PROGRAM, size=1, memory_bytes=40 * 2**20)
    with pytest.raises(WorkerFault, match="could not be loaded"):
        pool.ask(JOB)  # sympy doesn't fit into 40 MB
    pool.close()


def test_a_worker_that_dies_while_it_computes_is_a_fault(pool: WorkerPool):
    pool.ask(JOB)
    timer = threading.Timer(0.2, os.kill, (only_worker(pool), signal.SIGKILL))
    timer.start()
    with pytest.raises(WorkerFault, match="died"):
        pool.ask(job("9^{9^{9^{9}}}"))
    timer.join()
    assert pool.ask(JOB)["equal"] is True


def test_a_worker_that_died_while_idle_is_replaced_unnoticed(pool: WorkerPool):
    pool.ask(JOB)
    dead = only_worker(pool)
    os.kill(dead, signal.SIGKILL)
    until(lambda: not _runs(dead))
    assert pool.ask(JOB)["equal"] is True
    assert only_worker(pool) != dead


def test_a_fork_server_that_died_is_replaced(pool: WorkerPool):
    pool.ask(JOB)
    dead, worker = pool._fork_server.process, only_worker(pool)
    dead.kill()
    dead.wait()
    os.kill(worker, signal.SIGKILL)
    until(lambda: not _runs(worker))
    assert pool.ask(JOB)["equal"] is True
    assert pool._fork_server.process.pid != dead.pid


def test_workers_that_died_or_were_killed_are_no_zombies(tmp_path: Path):
    pool = WorkerPool(written(tmp_path, "return {} if job else os._exit(1)"), size=3, wall_seconds=60.0)
    for _ in range(5):
        with pytest.raises(WorkerFault):
            pool.ask({})
    pool.ask({"well": True})
    os.kill(only_worker(pool), signal.SIGKILL)
    until(lambda: not children(pool._fork_server.process.pid))
    pool.close()


def test_workers_hold_no_other_worker_open(tmp_path: Path):
    """A worker has its own socket and nothing of the others, or the end of one would go unnoticed."""
    pool = WorkerPool(written(tmp_path, "time.sleep(job['for']); return {'held': os.listdir('/proc/self/fd')}"), size=6)
    pool.wall_seconds = 60.0
    held: list[int] = []
    threads = [threading.Thread(target=lambda: held.append(len(pool.ask({"for": 0.5})["held"]))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pool.started == 6
    assert set(held) == {5}  # in, out, error, its socket, and the folder that is being listed
    pool.close()


def test_a_broken_worker_is_a_fault_of_the_verdict_and_never_a_zero(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    broken = WorkerPool(written(tmp_path, "os._exit(3)"), size=1, wall_seconds=60.0)
    monkeypatch.setattr(mathematics, "pool", lambda: broken)
    verdict = judge(problem("math", r"\int_0^1 x dx"), answered(r"\int_0^1 y dy"))  # takes computer algebra
    assert verdict.fault is not None
    assert "exit code 3" in verdict.fault
    assert judge(problem("math", "5"), answered("5.0")).correct  # plain cases need no worker
    broken.close()


def test_workers_retire_before_their_caches_grow(tmp_path: Path):
    pool = WorkerPool(PROGRAM, size=1, wall_seconds=60.0, jobs_per_worker=3)
    for _ in range(7):
        pool.ask(JOB)
    assert pool.started == 3
    pool.close()


def test_threads_share_the_pool():
    pool = WorkerPool(PROGRAM, size=2, wall_seconds=60.0)
    replies: list[bool] = []

    def work() -> None:
        for number in range(5):
            replies.append(pool.ask(job(f"{number}+x", f"x+{number}"))["equal"])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert replies == [True] * 20
    assert pool.started <= 2
    pool.close()


def test_closing_leaves_no_process_behind():
    pool = WorkerPool(PROGRAM, size=1, wall_seconds=60.0)
    pool.ask(JOB)
    fork_server, worker = pool._fork_server.process, only_worker(pool)
    pool.close()
    assert fork_server.returncode is not None
    until(lambda: not _runs(worker))
    assert pool.ask(JOB)["equal"] is True  # and it can be used again
    pool.close()


def only_worker(pool: WorkerPool) -> int:
    """The process id of the pool's one worker."""
    (process,) = children(pool._fork_server.process.pid)
    return process


def children(process: int) -> list[int]:
    """The processes whose parent this is, zombies among them."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "stat").read_text().rpartition(")")[2].split()[1] == str(process):
                found.append(int(entry.name))
    return found


def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Waits until it holds; fails if it never does."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("end", ["os._exit(1)", "os.kill(os.getpid(), 9)"])
def test_fork_server_and_workers_end_when_their_trainer_is_gone(end: str):
    code = (
        "import sys, os\nfrom pathlib import Path\nfrom vlrl.verify.sandbox.worker_pool import WorkerPool\n"
        f"pool = WorkerPool(Path({str(PROGRAM)!r}), size=1, wall_seconds=60.0)\npool.ask({JOB!r})\n"
        "print(pool._fork_server.process.pid, flush=True)\n"
        "child = os.fork()\n"  # holds copies of all sockets and lives on
        "if child == 0:\n    import time\n    os.close(1)\n    os.close(2)\n    time.sleep(20)\n    os._exit(0)\n"
        "while not sys.stdin.read():\n    pass\n"
        f"{end}\n"
    )
    trainer = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    fork_server = int(trainer.stdout.readline())
    workers = children(fork_server)
    trainer.communicate(b"go", timeout=60)
    assert len(workers) == 1
    until(lambda: not _runs(fork_server) and not _runs(workers[0]), seconds=15)


def test_a_forked_process_has_workers_of_its_own(pool: WorkerPool):
    pool.ask(JOB)
    fork_server = pool._fork_server.process.pid
    child = os.fork()
    if child == 0:
        right = False
        with contextlib.suppress(BaseException):
            right = pool.ask(JOB)["equal"] is True and pool._fork_server.process.pid != fork_server
            pool.close()
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pool.ask(JOB)["equal"] is True
    assert pool._fork_server.process.pid == fork_server


def _runs(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    return False


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch owned')",
        "().__class__.__bases__[0]",
        "exec('x=1')",
        "open('owned','w')",
        "Symbol('x').name",
    ],
)
def test_no_text_is_evaluated_in_the_worker(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The stand-ins for sympy's evaluators refuse it, wherever it comes from."""
    monkeypatch.chdir(tmp_path)
    code = (
        "import sys, importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('worker', {str(PROGRAM)!r})\n"
        "worker = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(worker)\n"
        "loaded = worker.load()\nimport sympy\nfrom sympy.parsing import sympy_parser\n"
        f"text = {text!r}\n"
        "for read in (sympy.sympify, sympy.S, sympy_parser.parse_expr, sympy.Number, sympy.parse_expr):\n"
        "    try:\n        read(text)\n    except (ValueError, sympy.SympifyError):\n        continue\n"
        "    raise SystemExit(f'{read} read it')\n"
        "job = {'gold': ['1'], 'answer': [text], 'strict': True, 'rounding': 6, 'relations': False}\n"
        "print(worker.answer(loaded, job))\n"
        "assert sympy.Number('12') == 12\n"
    )
    ran = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, timeout=120, check=False, text=True)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    assert "'equal': False" in ran.stdout
    assert not list(tmp_path.iterdir())


def test_thousands_of_verdicts_leak_nothing():
    """Memory, open files and child processes stay where they were."""
    problems = [problem("number", "6"), problem("math", r"\frac{1}{2}"), problem("choice", "B"), problem("text", "red")]
    responses = [answered("6"), answered("0.5"), answered("(B)"), answered("red or blue"), "<think>", r"\boxed{7}"]

    def burst(count: int) -> None:
        for number in range(count):
            judge(problems[number % 4], responses[number % 6] + " " * (number % 50))

    burst(1000)
    gc.collect()
    before = _memory_kb(), len(os.listdir("/proc/self/fd"))
    burst(3000)
    gc.collect()
    after = _memory_kb(), len(os.listdir("/proc/self/fd"))
    assert after[0] - before[0] < 2000
    assert after[1] <= before[1]


def _memory_kb() -> int:
    fields = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in fields if line.startswith("VmRSS")).split()[1])
