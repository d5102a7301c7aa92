"""What an attack is, the traps that are laid outside of the sandbox, and whether one was sprung."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vlrl.code_execution.outcome import Ended, Executor, Program
from vlrl.code_execution.sandbox_settings import Limits

BREACH = b"BREACH"
SMALL = Limits(cpu_seconds=1.0, wall_seconds=3.0, memory_mib=128, output_mib=2, disk_mib=16, processes=24)
FAILURES: frozenset[Ended] = frozenset(("runtime_error", "time_limit", "memory_limit", "output_limit", "compile_error"))
ANYTHING: frozenset[Ended] = FAILURES | {"finished"}


@dataclass(frozen=True)
class Attack:
    """One hostile program.

    may_end   ends that say it was contained; a fault of the sandbox never does
    after     a second program that is run behind it in the same box, to see whether anything of it was left
    cpu_seconds   processor time that it may take altogether, on the host's account: limits, compilers and ends overshoot
    wall_seconds  how long its programs may run, by the clock, less what they waited for a processor
    """

    name: str
    kind: str
    language: str
    source: str
    may_end: frozenset[Ended] = ANYTHING
    after: str = ""
    cpu_seconds: float = 30.0
    wall_seconds: float = 60.0


@dataclass(frozen=True)
class Traps:
    """Things outside that no program may see, reach or change. Names of them stand in sources as @name@.

    token  a secret: it stands in a file, in the environment, and in the memory of a process
    """

    token: str
    folder: Path
    server: socket.socket
    abstract: socket.socket
    victim: subprocess.Popen[bytes]

    @classmethod
    def lay(cls) -> Traps:
        """Sets them up; `remove` takes them away."""
        token = secrets.token_hex(16)
        folder = Path(tempfile.mkdtemp(prefix="vlrl-trap-"))
        folder.chmod(0o755)
        (folder / "secret.txt").write_text(token)
        (folder / "open").mkdir()
        (folder / "open").chmod(0o777)
        server = socket.create_server(("127.0.0.1", 0))
        server.setblocking(False)
        abstract = socket.socket(socket.AF_UNIX)
        abstract.bind(f"\0vlrl-{token[:8]}")
        abstract.listen()
        abstract.setblocking(False)
        victim = subprocess.Popen(["sleep", "3600"], env={**os.environ, "VLRL_TRAP": token})
        os.environ["VLRL_TRAP"] = token
        return cls(token, folder, server, abstract, victim)

    def place(self, source: str) -> str:
        """The source with what it attacks. The token itself never stands in it."""
        for name, value in {
            "folder": str(self.folder),
            "port": str(self.server.getsockname()[1]),
            "abstract": f"vlrl-{self.token[:8]}",
            "victim": str(self.victim.pid),
            "trainer": str(os.getpid()),
            "home": os.path.expanduser("~"),
            "here": str(Path(__file__).resolve()),
        }.items():
            source = source.replace(f"@{name}@", value)
        return source

    def sprung(self) -> str:
        """What happened to them, or nothing. A file that was written is taken away, so that it counts once."""
        for name, listening in (("the server on loopback", self.server), ("the abstract socket", self.abstract)):
            try:
                listening.accept()[0].close()
                return f"{name} was reached"
            except BlockingIOError:
                continue
        if self.victim.poll() is not None:
            return "a process outside was ended"
        strangers = [path for path in self.folder.iterdir() if path.name not in ("open", "secret.txt")]
        strangers += list((self.folder / "open").iterdir())
        for path in strangers:
            path.unlink()
        if strangers or (self.folder / "secret.txt").read_text() != self.token:
            return "a file was written outside"
        return ""

    def remove(self) -> None:
        """Takes all of them away."""
        os.environ.pop("VLRL_TRAP", None)
        self.victim.kill()
        self.victim.wait()
        self.server.close()
        self.abstract.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Result:
    """Whether an attack was contained; `said` is how it ended, or what went wrong. None: its language is missing."""

    attack: str
    kind: str
    contained: bool | None
    said: str
    seconds: float


Left = Callable[[], str]  # what is left of programs outside of their cells, in words
Used = Callable[[], Mapping[int, float]]  # process id of a box and of all below → processor seconds so far


def run_attack(attack: Attack, executor: Executor, traps: Traps, left: Left, used: Used) -> Result:
    """Runs one attack and looks at all the traps.

    What counts is what the attack could do. A busy machine makes everything take longer, and is no breach.
    """
    before = used()
    begun = time.monotonic()

    def result(contained: bool | None, said: str) -> Result:
        return Result(attack.name, attack.kind, contained, said, time.monotonic() - begun)

    if attack.language in executor.missing():
        return result(None, f"{attack.language} is missing: {executor.missing()[attack.language]}")
    ends = []
    for language, source in ((attack.language, attack.source), ("python", attack.after)):
        if not source:
            continue
        prepared = executor.prepare(Program(language, traps.place(source)), SMALL)
        ended = prepared.run(b"") if hasattr(prepared, "run") else prepared
        ends.append(ended)
        said = ended.stdout + ended.stderr + ended.note.encode()
        if BREACH in said:
            return result(False, said[said.index(BREACH) :][:120].decode(errors="replace").splitlines()[0])
        if traps.token.encode() in said:
            return result(False, "a secret was read")
        if ended.is_fault:
            return result(False, f"the sandbox failed: {ended.note}")
    if ends[0].ended not in attack.may_end:
        return result(False, f"it ended with {ends[0].ended}")
    if sprung := traps.sprung():
        return result(False, sprung)
    if remains := left():
        return result(False, remains)
    computed = sum(seconds - before.get(process, 0.0) for process, seconds in used().items())
    if computed > attack.cpu_seconds:
        return result(False, f"it took {computed:.0f} s of processor time")
    ran = sum(one.wall_seconds - one.waited_seconds for one in ends)
    if ran > attack.wall_seconds:
        return result(False, f"it ran for {ran:.0f} s")
    return result(True, f"{ends[0].ended}{f': {ends[0].note}' if ends[0].note else ''}")


def all_attacks() -> Iterator[Attack]:
    """Every attack, by kind."""
    from vlrl.code_execution.attacks import files, processes, resources

    yield from (*resources.ATTACKS, *files.ATTACKS, *processes.ATTACKS)
