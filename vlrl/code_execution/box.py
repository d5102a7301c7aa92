"""One box: a server inside of bubblewrap that runs programs one after another, and what is told to it."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vlrl.code_execution import bubblewrap, seccomp
from vlrl.code_execution.sandbox_settings import Limits, SandboxSettings
from vlrl.errors import ConfigError

START_SECONDS = 60.0
MIB = 1 << 20
STACK_BYTES = 64 * MIB
INODES = 4096
_SEALS = 0x0001 | 0x0002 | 0x0004 | 0x0008  # F_SEAL_SEAL, _SHRINK, _GROW, _WRITE
_F_ADD_SEALS = 1033


class BoxError(Exception):
    """The box is gone or can't be started: a fault of the sandbox."""


@dataclass(frozen=True)
class Role:
    """One process of a job: what it executes, or the Python file that it continues with.

    payload   its files as `payload_of` packs them
    reserves  whether memory is counted by writable data instead of address space
    extra_memory, extra_threads   of the language's runtime
    hold      its files stay in memory; `shut`: its memory is closed to other processes
    """

    payload: bytes
    argv: Sequence[str] = ()
    python: str = ""
    stdin: bytes = b""
    reserves: bool = False
    extra_memory: int = 0
    extra_threads: int = 0
    hold: bool = False
    shut: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: bubblewrap.ENVIRONMENT)

    def spec(self, limits: Limits, folder_is_tmp: bool) -> dict[str, Any]:
        """The role as the server takes it."""
        memory = limits.memory_mib * MIB + self.extra_memory
        return {
            "argv": list(self.argv),
            "python": self.python,
            "environment": dict(self.environment),
            "address": None if self.reserves else memory,
            "data": memory + self.extra_threads * STACK_BYTES if self.reserves else None,
            "hold": self.hold,
            "shut": self.shut,
            "limits": {
                "cpu": limits.cpu_seconds,
                "file_bytes": limits.output_mib * MIB,
                "open_files": limits.open_files,
                "processes": limits.processes + self.extra_threads,
            },
        }


@dataclass(frozen=True)
class Told:
    """What a server says of a job: exit status (None: it has no word of it), what ended it, and what it took.

    why  "" for an end of its own, else cpu, wall, memory, or starved (it never got a processor)
    """

    status: int | None
    why: str
    cpu: float
    wall: float
    waited: float
    peak: int
    compiled: bool
    setup: str
    stdout: bytes
    stderr: bytes
    kept: bytes


class Box:
    """A running server. It isn't shared between threads; `BoxPool` lends one at a time.

    sockets  whether programs may open them, for a browser; they still lead nowhere

    Raises BoxError where the server is gone, ConfigError where the host can't isolate.
    """

    def __init__(self, settings: SandboxSettings, sockets: bool = False) -> None:
        self.settings, self._sockets = settings, sockets
        self._isolated = settings.isolation == "bubblewrap"
        self._folder = None if self._isolated else tempfile.mkdtemp(prefix="vlrl-programs-")
        self._process: subprocess.Popen[bytes] | None = None
        self._errors = os.memfd_create("errors")
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                self._start(theirs)
            self._await_ready()
        except BaseException:
            self.close()
            raise

    def _start(self, theirs: socket.socket) -> None:
        code = b"" if not self._isolated and seccomp.library() is None else seccomp.filter_code(self._sockets)
        python = bubblewrap.box_python(self.settings)
        user = bubblewrap.drops_to()
        files = [_file(code)]
        script = f"{self._folder or '/box'}/box_server.py"
        command = [python, "-s", "-B", script, str(theirs.fileno()), "1" if self._isolated else "0"]
        command += [str(files[0]) if code else "-1", self._folder or "-", str(STACK_BYTES)]
        if self._folder is None:
            inside = {f"/box/{name}": _file(path.read_bytes()) for name, path in bubblewrap.INSIDE.items()}
            inside["/etc/passwd"] = _file(b"user:x:1000:1000::/tmp:/bin/bash\n")
            files += inside.values()
            command = bubblewrap.wrapped(command, inside)
        else:
            for name, path in bubblewrap.INSIDE.items():
                shutil.copyfile(path, f"{self._folder}/{name}")
            if user is not None:
                os.chown(self._folder, user, user)
        dropped: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=(theirs.fileno(), *files),
                env=bubblewrap.ENVIRONMENT,
                cwd="/",
                start_new_session=True,
                **dropped,
            )
        except OSError as error:
            raise BoxError(f"the box doesn't start: {error}") from error
        finally:
            for file in files:
                os.close(file)

    def _await_ready(self) -> None:
        if not select.select([self._control], [], [], START_SECONDS)[0] or not self._control.recv(1 << 16):
            if self._isolated and (refused := bubblewrap.refusal()) is not None:
                raise ConfigError("sandbox", *refused)
            raise BoxError(f"the box doesn't start: {self._last_words()}")

    def run(self, roles: Sequence[Role], limits: Limits, keep: Sequence[str] = (), overhead_bytes: int = 0) -> Told:
        """One job of one or two roles; `keep` names files of it that come back packed."""
        disk = limits.disk_mib * MIB
        spec = {
            "roles": [role.spec(limits, self._isolated) for role in roles],
            "cpu": limits.cpu_seconds,
            "wall": limits.wall_seconds,
            "memory": limits.memory_mib * MIB + overhead_bytes,
            "disk": disk,
            "inodes": INODES,
            "keep": list(keep),
        }
        kept = os.memfd_create("kept")
        files = [kept]
        outputs = []
        for role in roles:
            streams = [os.memfd_create("stdout"), os.memfd_create("stderr")]
            outputs.append(streams)
            files += [_file(role.payload), _file(role.stdin), *streams]
        try:
            self._send(json.dumps(spec).encode(), files)
            told = self._reply(max(limits.wall_seconds * 10, 75) + 30)
            most = limits.output_mib * MIB
            return Told(
                told.get("status"),
                str(told["why"]),
                float(told["cpu"]),
                float(told["wall"]),
                float(told["waited"]),
                int(told["peak"]),
                bool(told.get("compile", True)),
                str(told.get("setup", "" if told.get("begun") else "it did not begin")),
                _content(outputs[0][0], most),
                _content(outputs[0][1], most),
                _content(kept, disk + MIB) if told.get("kept") else b"",
            )
        finally:
            for file in files:
                os.close(file)

    def _send(self, data: bytes, files: Sequence[int]) -> None:
        try:
            socket.send_fds(self._control, [data], files)
        except OSError as error:
            raise BoxError(f"the box is gone: {self._last_words()}") from error

    def _reply(self, seconds: float) -> dict[str, Any]:
        if not select.select([self._control], [], [], seconds)[0]:
            raise BoxError(f"the box said nothing for {seconds:g} s")
        try:
            data = self._control.recv(1 << 16)
        except OSError:  # it died with something unread
            data = b""
        if not data:
            raise BoxError(f"the box is gone: {self._last_words()}")
        reply: dict[str, Any] = json.loads(data)
        return reply

    def _last_words(self) -> str:
        said = _content(self._errors, 1 << 16).decode(errors="replace").strip().splitlines()
        return said[-1] if said else "without a word"

    def is_alive(self) -> bool:
        """Whether the server still listens; between two jobs it has nothing to say."""
        return not select.select([self._control], [], [], 0)[0]

    @property
    def process_id(self) -> int | None:
        """Of bubblewrap (or of the server, without it)."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """Ends the server with all that it has started."""
        self._control.close()  # the server ends when it sees it
        if self._process is not None:
            try:
                self._process.wait(0.5)
            except subprocess.TimeoutExpired:
                self._process.kill()  # bubblewrap's processes die with it
                self._process.wait()
            self._process = None
        if self._errors >= 0:
            os.close(self._errors)
            self._errors = -1
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def payload_of(files: Mapping[str, bytes], executable: Sequence[str] = ()) -> bytes:
    """Files as the server unpacks them: a JSON line of names, sizes and modes, then the contents."""
    header = {"files": [[name, len(data), 0o755 if name in executable else 0o644] for name, data in files.items()]}
    return json.dumps(header).encode() + b"\n" + b"".join(files.values())


def _file(data: bytes) -> int:
    """A sealed file in memory, open at its beginning: nobody can change it."""
    file = os.memfd_create("file", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    os.lseek(file, 0, os.SEEK_SET)
    fcntl.fcntl(file, _F_ADD_SEALS, _SEALS)
    return file


def _content(file: int, most: int) -> bytes:
    size = min(os.fstat(file).st_size, most)
    return os.pread(file, size, 0)


def warm(settings: SandboxSettings) -> float:
    """Seconds that a box takes to start."""
    begun = time.monotonic()
    Box(settings).close()
    return time.monotonic() - begun
