"""Programs on a service with SandboxFusion's HTTP interface: POST /run_code.

See https://bytedance.github.io/SandboxFusion. The service decides how programs are isolated and which languages there
are. It compiles for each run, takes no limit of memory, and no second process: a tester and what it tests run in one.
"""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vlrl.code_execution.outcome import Execution, Program
from vlrl.code_execution.sandbox_settings import Limits, SandboxSettings
from vlrl.errors import ConfigError

NAMES = {"javascript": "nodejs"}  # what the service calls otherwise
RETRIED = frozenset((408, 429, 500, 502, 503, 504))
RETRIES = 3
PAUSE_SECONDS = 0.5
MAX_REPLY_BYTES = 64 << 20


class RemoteExecutor:
    """See `Executor`. Raises ConfigError where no service answers at the address."""

    separate_testers = False

    def __init__(self, settings: SandboxSettings) -> None:
        if settings.url is None:
            raise ConfigError("sandbox, url", "is missing", "write {isolation: remote, url: http://host:8080}")
        self.settings = settings
        self.address = settings.url.rstrip("/")
        tried = self.ask({"language": "bash", "code": "exit 0"}, 60.0)
        if isinstance(tried, Execution):
            raise ConfigError(f"sandbox, url {settings.url}", tried.note, "start the service, or mend the address")

    def prepare(self, program: Program, limits: Limits | None = None) -> PreparedThere:
        """See `Executor`; nothing is sent before the first run."""
        language = program.entry
        body = {
            "language": NAMES.get(language.name, language.name),
            "code": program.source,
            "files": {name: base64.b64encode(data).decode() for name, data in program.files.items()},
        }
        return PreparedThere(self, body, limits or self.settings.limits)

    def run_tested(self, tester: Program, tested: Program, limits: Limits | None = None) -> Execution:
        """Not here: `separate_testers` is False."""
        raise NotImplementedError("a service takes one program")

    def missing(self) -> Mapping[str, str]:
        """The service knows; it says so for each program."""
        return {}

    def ask(self, body: Mapping[str, Any], seconds: float) -> dict[str, Any] | Execution:
        """The service's reply, or a fault with what happened."""
        data = json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/run_code", data, {"Content-Type": "application/json"})
        for attempt in range(RETRIES):
            try:
                with urllib.request.urlopen(request, timeout=seconds) as reply:
                    said = json.loads(reply.read(MAX_REPLY_BYTES))
                    if isinstance(said, dict) and "status" in said:
                        return said
                    return Execution.fault(f"no reply of SandboxFusion: {str(said)[:200]}")
            except urllib.error.HTTPError as error:
                note = f"status {error.code}: {error.read(300).decode(errors='replace')}"
                if error.code not in RETRIED:
                    return Execution.fault(note)
            except (urllib.error.URLError, OSError, ValueError) as error:
                note = f"{type(error).__name__}: {error}"
            time.sleep(PAUSE_SECONDS * 2**attempt if attempt < RETRIES - 1 else 0)
        return Execution.fault(note)

    def close(self) -> None:
        """Nothing was started."""


@dataclass(frozen=True)
class PreparedThere:
    """A program for the service."""

    service: RemoteExecutor
    body: Mapping[str, Any]
    limits: Limits

    def run(self, stdin: bytes = b"") -> Execution:
        """One request. `SandboxError` and replies that aren't understood are faults."""
        compiling = self.service.settings.compiling.wall_seconds
        body = {
            **self.body,
            "stdin": stdin.decode("utf-8", "surrogateescape"),
            "run_timeout": self.limits.wall_seconds,
            "compile_timeout": compiling,
        }
        said = self.service.ask(body, self.limits.wall_seconds + compiling + 30.0)
        return said if isinstance(said, Execution) else execution_of(said)


def execution_of(said: Mapping[str, Any]) -> Execution:
    """What a reply means: RunStatus Success, Failed or SandboxError, and CommandRunStatus of both commands."""
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
