"""The program from which workers are born: it has loaded their libraries and forks one in milliseconds.

It is run as a script (`worker.ForkServer` starts it), holds one thread and nothing of the trainer, so that a fork of it
is safe. What the workers do stands in a file of its own with two functions:

    load() -> state                 once, in the fork server; load(argument) where the trainer gives one, a text
    answer(state, job) -> reply     in a worker, for every job; reply is a JSON object

A program with `LIMITED_ONCE_LOADED = True` may take what it likes while it loads; its workers' memory is what was taken
by then and what one answer may have.

Everything is JSON lines. On the trainer's socket, whose number is an argument:

    from here   {"ready": true}, or {"error": "ImportError: …"} and the end
    to here     {"fork": 3} with a socket for the worker; {"end": 3}
    from here   {"ended": 3, "status": -9, "seconds": 0.7}: exit status (minus the signal), processor time

On the worker's own socket its process id goes out, then jobs come in and replies go out, each with the processor
`seconds` of the worker so far. The
kernel ends a worker whose job takes more processor time than it may (SIGPROF). All workers end with the fork server,
and the fork server ends when the trainer closes its socket or is gone.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

LOOK_SECONDS = 2.0  # how often it looks whether the trainer still lives and whether a worker has died
ALARM_SECONDS = 1800.0  # of wall clock: the kernel ends a worker whose fork server was killed in the middle of its job


def limit_memory(limit_bytes: int) -> None:
    """No more address space than this for this process and each one forked from it."""
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def address_space() -> int:
    """Bytes of address space that this process has taken."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def read_program(path: Path) -> ModuleType:
    """The program as a module; its folder doesn't come on the path, so that no module beside it hides a library."""
    spec = importlib.util.spec_from_file_location("worker_program", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules["worker_program"] = module
    spec.loader.exec_module(module)
    return module


def work(program: ModuleType, state: Any, channel: socket.socket, processor_seconds: float) -> None:
    """A worker's life: one reply a job until its input closes."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # the kernel ends the process, also inside one long C call
    channel.sendall(json.dumps({"process": os.getpid()}).encode() + b"\n")
    with channel, channel.makefile("rb") as jobs:
        for line in jobs:
            job = json.loads(line)
            signal.setitimer(signal.ITIMER_REAL, job.get("alarm_seconds", ALARM_SECONDS))
            signal.setitimer(signal.ITIMER_PROF, processor_seconds)
            try:
                reply = program.answer(state, job)
            except MemoryError:
                reply = {"error": "memory"}
            except RecursionError:
                reply = {"error": "depth"}
            except Exception as error:  # any failure of a library on one text is that text's, told to the trainer
                reply = {"error": type(error).__name__}
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
            channel.sendall(json.dumps({**reply, "seconds": time.process_time()}).encode() + b"\n")


class WorkerProcesses:
    """The workers of one fork server by their numbers, each with its process id."""

    def __init__(self, program: ModuleType, state: Any, control: socket.socket, processor_seconds: float) -> None:
        self._program, self._state, self._control = program, state, control
        self._processor_seconds = processor_seconds
        self._living: dict[int, int] = {}
        self._dead: dict[int, tuple[int, float]] = {}

    def fork(self, number: int, channel: socket.socket, others: list[int]) -> None:
        """A new worker on this socket, without the `others` that have come for workers after it.

        Where no process can be had the socket closes, which the trainer sees.
        """
        with channel:
            try:
                process = os.fork()
            except OSError:
                return
            if process == 0:
                status = 1
                try:
                    self._control.close()
                    for descriptor in others:
                        os.close(descriptor)
                    work(self._program, self._state, channel, self._processor_seconds)
                    status = 0
                finally:
                    os._exit(status)
            self._living[number] = process

    def end(self, number: int) -> tuple[int, float]:
        """(exit status, processor seconds) of a worker that is no longer wanted; it is killed if it lives."""
        if number in self._living:
            os.kill(self._living[number], signal.SIGKILL)  # not yet waited for, so that the id is still its own
            self._reap(number, 0)
        return self._dead.pop(number, (-signal.SIGKILL, 0.0))

    def look(self) -> None:
        """Takes note of workers that have died by themselves, so that none stays a zombie."""
        for number in list(self._living):
            self._reap(number, os.WNOHANG)

    def end_all(self) -> None:
        """Kills all of them."""
        for number in list(self._living):
            self.end(number)

    def _reap(self, number: int, how: int) -> None:
        process, status, usage = os.wait4(self._living[number], how)
        if process:
            del self._living[number]
            self._dead[number] = os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime


def serve(births: WorkerProcesses, control: socket.socket, trainer: int) -> None:
    """Does what the trainer says until it is gone."""
    unread = b""
    channels: list[int] = []  # sockets that have come, for orders that are still to be read
    while os.getppid() == trainer:
        if not select.select([control], [], [], LOOK_SECONDS)[0]:
            births.look()
            continue
        data, received, _, _ = socket.recv_fds(control, 65536, 16)
        if not data:
            return
        channels += received
        *lines, unread = (unread + data).split(b"\n")
        for order in map(json.loads, lines):
            if "fork" in order:
                births.fork(order["fork"], socket.socket(fileno=channels.pop(0)), channels)
            else:
                status, seconds = births.end(order["end"])
                reply = {"ended": order["end"], "status": status, "seconds": seconds}
                control.sendall(json.dumps(reply).encode() + b"\n")


def main() -> None:
    """Arguments: program, number of the trainer's socket, bytes of memory and processor seconds of a worker."""
    trainer = os.getppid()
    path, descriptor, memory_bytes, processor_seconds, *argument = sys.argv[1:]
    control = socket.socket(fileno=int(descriptor))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the trainer, which then closes the socket
    try:
        program = read_program(Path(path))
        if not (late := getattr(program, "LIMITED_ONCE_LOADED", False)):
            limit_memory(int(memory_bytes))  # before anything is loaded: what is loaded counts
        state = program.load(*argument)
        if late:
            limit_memory(int(memory_bytes) + address_space())
    except (Exception, SystemExit) as error:  # whatever it is, the trainer says it to the user
        control.sendall(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode() + b"\n")
        return
    gc.collect()
    gc.freeze()  # what is loaded stays in pages that all workers share
    births = WorkerProcesses(program, state, control, float(processor_seconds))
    try:
        control.sendall(b'{"ready": true}\n')
        serve(births, control, trainer)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the trainer is gone
    finally:
        births.end_all()


if __name__ == "__main__":
    main()
