"""Programs in the sandbox: what they print, how they end, and what becomes of the sandbox."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vlrl.code_execution import bubblewrap
from vlrl.code_execution.attacks.leftovers import below
from vlrl.code_execution.box_pool import BoxPool, check_host
from vlrl.code_execution.outcome import Program
from vlrl.code_execution.sandbox_settings import Limits, SandboxSettings
from vlrl.errors import ConfigError

pytestmark = pytest.mark.sandbox

DOUBLE = {
    "python": "print(int(input()) * 2)",
    "cpp": "#include <iostream>\nint main() { int a; std::cin >> a; std::cout << a * 2 << std::endl; }",
    "java": "import java.util.*;\nclass Helper { }\npublic class Twice { public static void main(String[] a) {"
    " System.out.println(new Scanner(System.in).nextInt() * 2); } }",
    "javascript": "console.log(Number(require('fs').readFileSync(0, 'utf8')) * 2);",
    "typescript": "declare function require(name: string): any;\n"
    "const a: number = Number(require('fs').readFileSync(0, 'utf8'));\nconsole.log(a * 2);",
    "csharp": "using System;\nclass P { static void Main() { Console.WriteLine(int.Parse(Console.ReadLine()) * 2); } }",
    "php": "<?php echo intval(fgets(STDIN)) * 2, PHP_EOL;",
    "bash": "read a; echo $((a * 2))",
}
BROKEN = {
    "python": "def f(:",
    "cpp": "int main() { return x; }",
    "java": "public class A { void }",
    "typescript": "const a: = 3;",
    "csharp": "class P { static void Main() { x } }",
}
FAILING = {
    "python": "raise ValueError('no')",
    "cpp": "#include <cstdlib>\nint main() { abort(); }",
    "java": 'class A { public static void main(String[] a) { throw new RuntimeException("no"); } }',
    "javascript": "throw new Error('no');",
    "typescript": "throw new Error('no');",
    "csharp": 'class P { static void Main() { throw new System.Exception("no"); } }',
    "php": "<?php exit(3);",
    "bash": "exit 3",
}


@pytest.mark.parametrize("language", DOUBLE)
def test_a_program_of_each_language_reads_and_prints(run, language):
    ended = run(language, DOUBLE[language], b"21\n")
    assert (ended.ended, ended.stdout.strip(), ended.exit_code) == ("finished", b"42", 0), ended


@pytest.mark.parametrize("language", BROKEN)
def test_what_does_not_compile_is_a_compile_error(run, language):
    ended = run(language, BROKEN[language])
    assert ended.ended == "compile_error", ended
    assert ended.note


@pytest.mark.parametrize("language", FAILING)
def test_an_exit_code_is_a_runtime_error(run, language):
    ended = run(language, FAILING[language])
    assert ended.ended == "runtime_error", ended
    assert ended.exit_code != 0


@pytest.mark.parametrize(
    ("source", "ended"),
    [
        ("while True: pass", "time_limit"),
        ("import time; time.sleep(60)", "time_limit"),
        ("x = bytearray(10 ** 10)", "memory_limit"),
        ("x = []\nwhile True: x.append(bytearray(1 << 20))", "memory_limit"),
        ("while True: print('x' * 10000)", "output_limit"),
        ("import os; os.abort()", "runtime_error"),
        ("import sys; sys.exit('no')", "runtime_error"),
        ("import sys; sys.exit(0)", "finished"),
        ("import os; os._exit(0)", "finished"),
        ("raise SystemExit", "finished"),
        ("x = (" * 3, "compile_error"),
    ],
)
def test_how_a_python_program_ends(run, source, ended):
    limits = Limits(cpu_seconds=1.0, wall_seconds=2.0, memory_mib=128, output_mib=1)
    assert run("python", source, b"", limits).ended == ended


def test_a_python_program_finds_an_interpreter_as_it_starts_one(run):
    source = (
        "import sys, __main__, os, atexit, threading, multiprocessing\n"
        "atexit.register(lambda: print('exit function'))\n"
        "last = []\n"
        "timer = threading.Timer(0.05, lambda: print('thread'))\n"
        "print(__name__, sys.argv, __file__ == os.path.abspath(__file__), __main__.last is last)\n"
        "print(sys.stdin.readline().strip(), [line.strip() for line in sys.stdin], sys.stdout.encoding)\n"
        "if __name__ == '__main__':\n    with multiprocessing.Pool(2) as p: print(p.map(abs, [-1, -2]))\n"
        "timer.start()\n"
    )
    ended = run("python", source, "é\nb\nc".encode())
    assert ended.ended == "finished", ended
    assert ended.stdout.decode().splitlines() == [
        "__main__ ['main.py'] True True",
        "é ['b', 'c'] utf-8",
        "[1, 2]",
        "thread",
        "exit function",
    ]


def test_what_a_program_holds_at_its_end_is_finalized(run):
    ended = run("python", "class Last:\n    def __del__(self): print('gone')\nlast = Last()\nprint('end')\n")
    assert ended.stdout == b"end\ngone\n"


def test_a_traceback_shows_the_program_and_nothing_of_the_sandbox(run):
    ended = run("python", "def f():\n    return 1 / 0\n\nf()\n")
    assert b'File "main.py", line 4' in ended.stderr
    assert b"box_server" not in ended.stderr
    assert ended.note == "ZeroDivisionError: division by zero"


def test_every_run_begins_in_the_same_state(pool):
    prepared = pool.prepare(
        Program("python", "import os, random\nprint(os.listdir('/tmp'), hash('a'))\nopen('x', 'w')\n")
    )
    assert len({prepared.run().stdout for _ in range(4)}) == 1


def test_files_lie_beside_the_source(pool):
    program = Program("python", "import helper; print(helper.x, open('data/a.txt').read())")
    files = {"helper.py": b"x = 3", "data/a.txt": b"text"}
    ended = pool.prepare(Program(program.language, program.source, files)).run()
    assert ended.stdout == b"3 text\n", ended


def test_a_toolchain_that_is_missing_is_named(pool, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert set(pool.missing()) == set(DOUBLE) - {"python"}
    with pytest.raises(ConfigError, match=r"cpp needs g\+\+\n.*apt-get install g\+\+"):
        pool.prepare(Program("cpp", DOUBLE["cpp"]))


def test_an_unknown_language_is_refused_with_the_closest(pool):
    with pytest.raises(ConfigError, match="did you mean 'python'"):
        pool.prepare(Program("pyton", ""))


def test_programs_run_beside_each_other(pool):
    prepared = pool.prepare(Program("python", "import time; time.sleep(0.5); print(input())"))
    prepared.run(b"0")
    begun = time.monotonic()
    with ThreadPoolExecutor(2) as executor:
        ends = list(executor.map(lambda k: prepared.run(b"%d" % k), range(2)))
    assert [end.stdout for end in ends] == [b"0\n", b"1\n"]
    assert time.monotonic() - begun < 1.0 + 2.0  # one after the other would be 1 s of sleep alone


@pytest.mark.slow
def test_a_program_that_gives_way_to_all_others_runs_into_its_limit_and_is_no_fault(pool, tmp_path):
    """On busy cores it would else wait until it is called starved, a fault, which a policy could choose over a zero."""
    burners = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
        for _ in range(2 * len(os.sched_getaffinity(0)))
    ]
    source = "open('/proc/self/autogroup', 'w').write('19')\nwhile True: pass\n"
    try:
        limits = Limits(cpu_seconds=9.0, wall_seconds=4.0)
        ended = pool.prepare(Program("python", source), limits).run(b"")
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    assert ended.ended == "time_limit", ended


def is_running(process: int) -> bool:
    """Whether it is neither gone nor waits for its parent to take note."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_box_that_dies_is_a_fault_and_the_next_run_has_another(pool):
    prepared = pool.prepare(Program("python", "import time; time.sleep(1); print('x')"))
    prepared.run()
    before = set(pool.process_ids())

    def end():
        time.sleep(0.3)
        for process in before:
            for inner in below(process):
                with contextlib.suppress(ProcessLookupError):  # it has ended with another
                    os.kill(inner, signal.SIGKILL)

    killer = threading.Thread(target=end)
    killer.start()
    ended = prepared.run()
    killer.join()
    assert ended.is_fault
    assert "box" in ended.note
    until = time.monotonic() + 10
    while any(is_running(process) for process in before) and time.monotonic() < until:
        time.sleep(0.02)  # a box that dies in the middle of a run would be a fault again
    with ThreadPoolExecutor(2) as executor:  # the pool's other box was killed while nobody used it
        assert {end.stdout for end in executor.map(lambda _: prepared.run(), range(2))} == {b"x\n"}


def test_boxes_end_with_the_trainer(tmp_path):
    require = bubblewrap.refusal()
    if require is not None:
        pytest.skip(require[0])
    script = tmp_path / "trainer.py"
    script.write_text(
        "import os, sys, threading, time\n"
        "from vlrl.code_execution.box_pool import BoxPool\n"
        "from vlrl.code_execution.outcome import Program\n"
        "from vlrl.code_execution.sandbox_settings import SandboxSettings\n"
        "pool = BoxPool(SandboxSettings(boxes=1))\n"
        "p = pool.prepare(Program('python', 'import time; time.sleep(100)'))\n"
        "threading.Thread(target=p.run, daemon=True).start()\n"
        "while not pool.process_ids(): time.sleep(0.01)\n"
        "time.sleep(0.5)\nprint(*pool.process_ids(), flush=True)\ntime.sleep(100)\n"
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as trainer:
        process = int(trainer.stdout.readline())
        inner = below(process)
        assert len(inner) >= 4  # bubblewrap, server, keeper, process 1
        trainer.kill()
        trainer.wait()
    until = time.monotonic() + 10
    while any(Path(f"/proc/{each}").exists() for each in [process, *inner]):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_thread_that_first_ran_a_program_may_end(pool):
    """The kernel ends what bubblewrap holds with the thread that has started it: boxes are started from another."""
    with BoxContext() as own:
        with ThreadPoolExecutor(1) as executor:
            first = executor.submit(own.run).result()
        time.sleep(0.3)
        assert (first, own.run()) == (b"1\n", b"1\n")
        assert own.boxes == 1


class BoxContext:
    """A pool of one box that counts how many were started."""

    def __enter__(self):
        self.pool = BoxPool(SandboxSettings(boxes=1))
        self.prepared = self.pool.prepare(Program("python", "print(1)"))
        self.seen = set()
        return self

    def __exit__(self, *_):
        self.pool.close()

    def run(self):
        ended = self.prepared.run()
        self.seen |= set(self.pool.process_ids())
        return ended.stdout

    @property
    def boxes(self):
        return len(self.seen)


def test_wall_clock_time_stops_while_a_process_waits_for_a_processor(pool):
    """Each of sixteen processes computes 0.25 s: two seconds on two cores, of which each waits for most."""
    source = (
        "import os, time\nfor _ in range(15):\n    if os.fork() == 0: break\n"
        "while time.process_time() < 0.25: pass\n"
        "try:\n    while True: os.wait()\nexcept ChildProcessError: print('x')\n"
    )
    ended = pool.prepare(Program("python", source), Limits(cpu_seconds=20.0, wall_seconds=1.0)).run()
    assert ended.ended == "finished", ended


def test_a_host_without_bubblewrap_is_refused_with_what_to_install(monkeypatch):
    bubblewrap.refusal.cache_clear()
    monkeypatch.setenv("PATH", "/nonexistent")
    try:
        with pytest.raises(ConfigError, match=r"bubblewrap is missing(.|\n)*apt-get install bubblewrap libseccomp2"):
            check_host(SandboxSettings())
    finally:
        bubblewrap.refusal.cache_clear()


def test_weak_isolation_runs_programs_with_limits_alone():
    pool = BoxPool(SandboxSettings(isolation="rlimits", boxes=1, limits=Limits(cpu_seconds=1.0, wall_seconds=2.0)))
    try:
        assert pool.prepare(Program("python", "print(input())")).run(b"x").stdout == b"x\n"
        assert pool.prepare(Program("python", "while True: pass")).run().ended == "time_limit"
        folder = pool.prepare(Program("python", "import os; print(os.getcwd()); open('a', 'w')")).run().stdout.decode()
        assert not Path(folder.strip()).exists()
        left = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(100)\n"
        assert pool.prepare(Program("python", left)).run().ended == "finished"
        assert all(below(process) == [] for process in pool.process_ids())
    finally:
        pool.close()
