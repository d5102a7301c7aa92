"""SandboxFusion's HTTP interface: POST /run_code. See https://bytedance.github.io/SandboxFusion.

The service decides how programs are isolated and which languages there are. It compiles for each run, takes no limit of
memory, and no second process: a tester and what it tests run in one.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from vlrl.code_execution.outcome import Execution, Program
from vlrl.code_execution.sandbox_settings import SandboxSettings

PATH = "/run_code"
NAMES = {"javascript": "nodejs"}  # what the service calls otherwise
TRIED = Program("bash", "echo $((6 * 7))")


def request_of(program: Program, stdin: bytes, wall_seconds: float, settings: SandboxSettings) -> dict[str, Any]:
    """The body of one run."""
    name = program.entry.name
    return {
        "language": NAMES.get(name, name),
        "code": program.source,
        "files": {file: base64.b64encode(data).decode() for file, data in program.files.items()},
        "stdin": stdin.decode("utf-8", "surrogateescape"),
        "run_timeout": wall_seconds,
        "compile_timeout": settings.compiling.wall_seconds,
    }


def refusal(program: Program) -> str | None:
    """None: the service says what it can't run."""
    return None


def execution_of(said: Mapping[str, Any]) -> Execution:
    """What a reply means: RunStatus Success, Failed or SandboxError, and CommandRunStatus of both commands."""
    if "status" not in said:
        return Execution.fault(f"no reply of SandboxFusion: {str(said)[:200]}")
    if said["status"] == "SandboxError":
        return Execution.fault(f"SandboxError: {said.get('message', '')}")
    compiled, ran = said.get("compile_result"), said.get("run_result")
    if compiled is not None and (compiled.get("status") != "Finished" or compiled.get("return_code") not in (0, None)):
        if compiled.get("status") == "Error":
            return Execution.fault(f"the compiler broke: {compiled.get('stderr')}")
        return _execution("compile_error", compiled)
    if ran is None or ran.get("status") == "Error":
        return Execution.fault(f"no result: {said.get('message', '')}")
    if ran["status"] == "TimeLimitExceeded":
        return _execution("time_limit", ran)
    if ran["status"] != "Finished":
        return Execution.fault(f"unknown status {ran['status']!r}")
    return _execution("finished" if ran.get("return_code") == 0 else "runtime_error", ran)


def _execution(ended: Any, result: Mapping[str, Any]) -> Execution:
    stdout, stderr = (str(result.get(name) or "").encode() for name in ("stdout", "stderr"))
    seconds = float(result.get("execution_time") or 0.0)
    code = result.get("return_code")
    lines = stderr.decode(errors="replace").strip().splitlines()
    note = lines[-1][:200] if lines and ended != "finished" else ""
    return Execution(ended, code if isinstance(code, int) else None, stdout, stderr, seconds, seconds, note=note)
