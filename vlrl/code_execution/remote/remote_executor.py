"""Programs on a service over HTTP, SandboxFusion's or an OpenEnv server's."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from vlrl.code_execution.languages import LANGUAGES
from vlrl.code_execution.outcome import Execution, Program
from vlrl.code_execution.remote import openenv, sandbox_fusion
from vlrl.code_execution.sandbox_settings import Limits, SandboxSettings
from vlrl.errors import ConfigError


class Interface(Protocol):
    """What a service is sent, and what its replies mean."""

    PATH: str
    TRIED: Program  # prints 42 where nothing is amiss

    def request_of(
        self, program: Program, stdin: bytes, wall_seconds: float, settings: SandboxSettings
    ) -> dict[str, Any]:
        """The body of one run."""
        ...

    def refusal(self, program: Program) -> str | None:
        """What of a program can't be sent; None where all can."""
        ...

    def execution_of(self, said: Mapping[str, Any]) -> Execution:
        """What a reply means."""
        ...


INTERFACES: dict[str, Interface] = {"sandbox_fusion": sandbox_fusion, "openenv": openenv}
RETRIED = frozenset((408, 429, 500, 502, 503, 504))
RETRIES = 3
PAUSE_SECONDS = 0.5
MAX_REPLY_BYTES = 64 << 20


class RemoteExecutor:
    """See `Executor`. Raises ConfigError where no service answers at the address, or another one than is named."""

    separate_testers = False

    def __init__(self, settings: SandboxSettings) -> None:
        if settings.url is None:
            raise ConfigError("sandbox, url", "is missing", "write {isolation: remote, url: http://host:8080}")
        self.settings, self.interface = settings, INTERFACES[settings.interface]
        self.address = settings.url.rstrip("/") + self.interface.PATH
        tried = PreparedThere(self, self.interface.TRIED, settings.limits).run()
        if (tried.ended, tried.stdout.strip()) != ("finished", b"42"):
            said = tried.note or tried.stdout.decode(errors="replace")[:200]
            place = f"sandbox, url {settings.url}, interface {settings.interface}"
            raise ConfigError(
                place, f"6 * 7 gave {tried.ended}: {said}", "start the service, or mend the address or the interface"
            )

    def prepare(self, program: Program, limits: Limits | None = None) -> PreparedThere:
        """See `Executor`; nothing is sent before the first run. Raises ConfigError for what the service can't take."""
        if (refusal := self.interface.refusal(program)) is not None:
            raise ConfigError("sandbox, interface", refusal, "interface: sandbox_fusion, or isolation: bubblewrap")
        return PreparedThere(self, program, limits or self.settings.limits)

    def run_tested(self, tester: Program, tested: Program, limits: Limits | None = None) -> Execution:
        """Not here: `separate_testers` is False."""
        raise NotImplementedError("a service takes one program")

    def missing(self) -> Mapping[str, str]:
        """Languages that the interface has not; of the others the service says so for each program."""
        refused = {name: self.interface.refusal(Program(name, "")) for name in LANGUAGES}
        return {name: refusal for name, refusal in refused.items() if refusal is not None}

    def ask(self, body: Mapping[str, Any], seconds: float) -> Execution:
        """What the service's reply means, or a fault with what happened."""
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.address, data, {"Content-Type": "application/json"})
        for attempt in range(RETRIES):
            try:
                with urllib.request.urlopen(request, timeout=seconds) as reply:
                    said = json.loads(reply.read(MAX_REPLY_BYTES))
                    if isinstance(said, dict):
                        return self.interface.execution_of(said)
                    return Execution.fault(f"no JSON object: {str(said)[:200]}")
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
    program: Program
    limits: Limits

    def run(self, stdin: bytes = b"") -> Execution:
        """One request. Replies that aren't understood are faults."""
        settings, seconds = self.service.settings, self.limits.wall_seconds
        body = self.service.interface.request_of(self.program, stdin, seconds, settings)
        return self.service.ask(body, seconds + settings.compiling.wall_seconds + 30.0)
