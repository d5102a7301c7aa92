"""What is run, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from vlrl.code_execution.languages import Language, language_of
from vlrl.code_execution.sandbox_settings import Limits, SandboxSettings

Ended = Literal[
    "finished", "runtime_error", "time_limit", "memory_limit", "output_limit", "compile_error", "sandbox_fault"
]


@dataclass(frozen=True)
class Program:
    """One program. `files` lie beside its source; `source` is as the model wrote it."""

    language: str
    source: str
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def entry(self) -> Language:
        """Its line in the table of languages. Raises ConfigError for an unknown one."""
        return language_of(self.language)


@dataclass(frozen=True)
class Execution:
    """How one run (or a compilation that failed) ended. Output is cut at the limit and never believed.

    ended      finished is exit code 0 within all limits; sandbox_fault says that the sandbox failed, not the program
    exit_code  negative for a signal, None where there is none
    waited_seconds  of the wall-clock time: what the program, or the sandbox that watches it, waited for a processor
    """

    ended: Ended
    exit_code: int | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    memory_bytes: int = 0
    note: str = ""
    waited_seconds: float = 0.0

    @property
    def is_fault(self) -> bool:
        """Whether nothing can be said of the program."""
        return self.ended == "sandbox_fault"

    @classmethod
    def fault(cls, note: str) -> Execution:
        """The sandbox failed."""
        return cls("sandbox_fault", note=note)


class Prepared(Protocol):
    """A program that is ready to run (compiled), as often as wanted, each time from the same state."""

    def run(self, stdin: bytes = b"") -> Execution:
        """One run in a fresh place."""
        ...


class Executor(Protocol):
    """Where programs run."""

    settings: SandboxSettings
    separate_testers: bool  # whether a tester can be kept apart from what it tests: `run_tested`

    def prepare(self, program: Program, limits: Limits | None = None) -> Prepared | Execution:
        """The program ready to run, or how its compilation failed. Raises ConfigError for a missing toolchain."""
        ...

    def run_tested(self, tester: Program, tested: Program, limits: Limits | None = None) -> Execution:
        """How the tester ended. Both are Python and hold an end of one socket as descriptor 3, no more."""
        ...

    def missing(self) -> Mapping[str, str]:
        """Language → what it lacks here."""
        ...

    def close(self) -> None:
        """Ends whatever it has started."""
        ...
