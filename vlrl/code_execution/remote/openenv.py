"""An OpenEnv server that runs programs: POST /step with {"action": {"code": …}}, answered by an observation with
stdout, stderr and exit_code. See https://github.com/meta-pytorch/OpenEnv, `envs/coding_env`.

Each request is played in an environment of its own. The server decides how programs are isolated. There is one
language, Python, without files; standard input is handed over in front of the program, which needs the modules io and
sys. The server has to end what never ends: exit code 124, or that of a signal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlrl.code_execution.outcome import Execution, Program
from vlrl.code_execution.sandbox_settings import SandboxSettings

PATH = "/step"
TRIED = Program("python", "import sys\nprint(int(sys.stdin.read() or 6) * 7)")
OUT_OF_TIME = frozenset((124, 137, 152, -9, -24))  # timeout(1), SIGKILL, SIGXCPU


def request_of(program: Program, stdin: bytes, wall_seconds: float, settings: SandboxSettings) -> dict[str, Any]:
    """The body of one run."""
    given = f"import io, sys\nsys.stdin = io.TextIOWrapper(io.BytesIO({stdin!r}), 'utf-8')\n"
    # compiled by itself, the program keeps its first line: `from __future__` has to stand there
    run = f"exec(compile({program.source!r}, 'main.py', 'exec'), {{'__name__': '__main__'}})\n"
    return {"action": {"code": given + run}, "timeout_s": wall_seconds}


def refusal(program: Program) -> str | None:
    """What of a program the interface can't take; None where it takes all."""
    if program.entry.name != "python":
        return f"an OpenEnv server runs Python, not {program.entry.name}"
    return "an OpenEnv server takes no files beside a program" if program.files else None


def execution_of(said: Mapping[str, Any]) -> Execution:
    """What a reply means."""
    seen = said.get("observation")
    if not isinstance(seen, Mapping) or not isinstance(seen.get("exit_code"), int):
        return Execution.fault(f"no observation with an exit_code: {str(said)[:200]}")
    stdout, stderr = (str(seen.get(name) or "").encode() for name in ("stdout", "stderr"))
    code = int(seen["exit_code"])
    ended = "finished" if code == 0 else "time_limit" if code in OUT_OF_TIME else "runtime_error"
    lines = stderr.decode(errors="replace").strip().splitlines()
    return Execution(ended, code, stdout, stderr, note=lines[-1][:200] if lines and code else "")  # type: ignore[arg-type]
