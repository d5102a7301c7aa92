"""The trainer's side of a fork server and of its workers: sockets, limits, and what can happen to a job.

    answered                     the worker's reply
    over its processor time      `TooHeavy`: the kernel ends the worker
    over the memory              `TooHeavy`
    over the wall clock          `WorkerFault`: the worker got too little processor time; it is killed.
                                 One that may go on while it works got none since the last look at the clock
    the worker died              `WorkerFault`

`TooHeavy` is the model's doing and scores zero with a note; `WorkerFault` is the verifier's and becomes a fault.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CLOSE_SECONDS = 2.0  # for a fork server to end its workers and itself; then it is killed, and they end as sockets close
END_SECONDS = 0.1  # to hear how a worker ended; without it only the exit status and its processor time are unknown


class TooHeavy(Exception):
    """The answer needs more time or memory than one answer may have."""


class WorkerFault(RuntimeError):
    """The worker died, could not start, or got no processor time: nothing is known about the answer."""


class LoadFault(WorkerFault):
    """The program itself said why its libraries can't be loaded: the next fork server would say the same."""


class Lines:
    """JSON lines over a socket, each with a deadline on the monotonic clock. Raises TimeoutError, EOFError, OSError."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self._unread = b""

    def write(self, message: Mapping[str, Any], deadline: float, sockets: Sequence[socket.socket] = ()) -> None:
        """Sends one line whole, and these sockets with it."""
        self._allow(deadline)
        line = json.dumps(message).encode() + b"\n"
        if sockets:
            socket.send_fds(self.link, [line], [one.fileno() for one in sockets])
        else:
            self.link.sendall(line)

    def read(self, deadline: float) -> dict[str, Any]:
        """The next line."""
        while b"\n" not in self._unread:
            self._allow(deadline)
            data = self.link.recv(65536)
            if not data:
                raise EOFError("its output closed")
            self._unread += data
        line, self._unread = self._unread.split(b"\n", 1)
        message: dict[str, Any] = json.loads(line)
        return message

    @property
    def closed_there(self) -> bool:
        """Whether the other side is gone and nothing is left to read."""
        self.link.settimeout(0)
        try:
            return not self._unread and not self.link.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        """Ends the connection, also for copies of the socket that a forked process has."""
        with contextlib.suppress(OSError):
            self.link.shutdown(socket.SHUT_RDWR)
        self.link.close()

    def _allow(self, deadline: float) -> None:
        self.link.settimeout(max(0.001, deadline - time.monotonic()))


def processor_seconds(process: int | None) -> float:
    """What a process has had of processor time (proc(5): fields 14 and 15 of its stat); 0 of one that isn't there."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class ForkServer:
    """One fork server process. Starts to load at once; safe to use from several threads."""

    def __init__(self, program: Path, memory_bytes: int, processor_seconds: float, argument: str | None = None) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    str(Path(__file__).with_name("fork_server.py")),
                    str(program),
                    str(theirs.fileno()),
                    str(memory_bytes),
                    str(processor_seconds),
                    *([] if argument is None else [argument]),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
                start_new_session=True,
            )
        self._control = Lines(ours)
        self._lock = threading.Lock()
        self._born = 0
        self._ready = False

    def wait_until_ready(self, deadline: float) -> None:
        """Returns once its libraries are loaded. Raises WorkerFault if they can't be, or aren't by then."""
        with self._lock:
            if self._ready:
                return
            try:
                said = self._control.read(deadline)
            except TimeoutError:
                raise WorkerFault("the workers' libraries are still being loaded") from None
            except (EOFError, OSError) as error:
                self.close()
                raise WorkerFault(f"the workers' libraries could not be loaded: {error}") from None
            if "error" in said:
                self.close()
                raise LoadFault(f"the workers' libraries could not be loaded: {said['error']}")
            self._ready = True

    @property
    def alive(self) -> bool:
        """Whether it can be spoken to."""
        return self._control.link.fileno() >= 0 and self.process.poll() is None

    def fork(self, deadline: float) -> Worker:
        """A new worker, in milliseconds. Raises WorkerFault if the fork server is gone or doesn't listen."""
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            self._born += 1
            try:
                self._control.write({"fork": self._born}, deadline, [theirs])
            except OSError as error:
                ours.close()
                self.close()
                raise WorkerFault(f"no worker could be started: {error or type(error).__name__}") from None
            return Worker(self, self._born, ours)

    def end(self, number: int) -> tuple[int | None, float]:
        """Ends a worker; (its exit status, its processor seconds), (None, 0) where that can't be heard in time."""
        deadline = time.monotonic() + END_SECONDS
        with self._lock, contextlib.suppress(TimeoutError, EOFError, OSError):
            self._control.write({"end": number}, deadline)
            while True:
                said = self._control.read(deadline)
                if said.get("ended") == number:  # else one that came too late for the one who asked
                    return int(said["status"]), float(said["seconds"])
        return None, 0.0

    def close(self) -> None:
        """Ends it and all its workers."""
        self._control.close()
        try:
            self.process.wait(timeout=CLOSE_SECONDS if self._ready else 0.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Worker:
    """One worker and its socket."""

    def __init__(self, fork_server: ForkServer, number: int, link: socket.socket) -> None:
        self._fork_server, self._number = fork_server, number
        self._process: int | None = None  # its id, which it says first
        self._lines = Lines(link)
        self.jobs = 0
        self.seconds = 0.0  # processor time up to the last reply
        self.ended = False

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self.ended and not self._lines.closed_there

    def ask(self, job: Mapping[str, Any], deadline: float, most_seconds: float = 0.0) -> dict[str, Any]:
        """The worker's reply. Raises TooHeavy or WorkerFault; the worker has ended after either.

        most_seconds  of processor time for which the deadline is moved on as long as the worker gets any
        """
        self.jobs += 1
        start = time.monotonic()
        try:
            self._lines.write(job, deadline)
            reply = self._reply(deadline, most_seconds)
        except TimeoutError:
            self.end()
            spent = f"{time.monotonic() - start:.2f} s, with {self.seconds:.2f} s of processor time"
            raise WorkerFault(f"no reply in {spent}") from None
        except (EOFError, OSError):
            status = self.end()
            if status == -signal.SIGPROF:
                raise TooHeavy("takes more time than one answer may have") from None
            raise WorkerFault(f"the worker died (exit code {'unknown' if status is None else status})") from None
        self.seconds = float(reply.pop("seconds"))
        if reply.get("error") == "memory":
            self.end()
            raise TooHeavy("needs more memory than one answer may have")
        return reply

    def _reply(self, deadline: float, most_seconds: float) -> dict[str, Any]:
        """Its next line, without the first of all."""
        patience, spent = deadline - time.monotonic(), self.seconds
        while True:
            try:
                reply = self._lines.read(deadline)
            except TimeoutError:
                now = processor_seconds(self._process)
                if not spent < now < self.seconds + most_seconds:
                    raise
                spent, deadline = now, time.monotonic() + patience
                continue
            if self._process is not None:
                return reply
            self._process = int(reply["process"])

    def end(self) -> int | None:
        """Kills it if it lives, and returns its exit status; None where that is unknown."""
        if self.ended:
            return None
        self.ended = True
        status, seconds = self._fork_server.end(self._number)
        self._lines.close()
        self.seconds = max(self.seconds, seconds)
        return status
