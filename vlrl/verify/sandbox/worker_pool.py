"""Worker processes with hard limits on each answer (wall clock, memory), killed and replaced.

Workers are forked from a `fork_server`, a process that has loaded the libraries and holds nothing of the trainer: a
trainer has torch and threads and is never forked, and a new worker costs milliseconds. Loading the fork server takes a
second or more; `WorkerPool.start` begins it ahead of time. The first answer waits for it, outside its own clock; of
every answer the clock runs from the call to the verdict, whatever happens to its worker or to the fork server.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vlrl.verify.sandbox.worker_client import ForkServer, LoadFault, TooHeavy, Worker, WorkerFault

__all__ = ["TooHeavy", "WorkerFault", "WorkerPool"]

WALL_SECONDS = 1.8  # an answer may take 2 s in all; the rest is for the end of its worker and the trainer's side
PROCESSOR_SECONDS = 1.5  # what an answer may compute: mathematics needs half of it at most
MEMORY_BYTES = 512 * 2**20  # with the 70 MB that the libraries take
LOAD_SECONDS = 60.0  # for the fork server to load on a busy machine, before the first answer
LOADS = 3  # first fork servers that say they can't load; then answers are faults at once
JOBS_PER_WORKER = 4000  # ours: parser caches grow with every new text, so a worker retires


class WorkerPool:
    """Up to `size` workers of one program at a time; safe to use from several threads and after a fork.

    Starts with `start` or with the first answer.
    """

    def __init__(
        self,
        program: Path,
        size: int | None = None,
        wall_seconds: float = WALL_SECONDS,
        memory_bytes: int = MEMORY_BYTES,
        jobs_per_worker: int = JOBS_PER_WORKER,
        processor_seconds: float = PROCESSOR_SECONDS,
        argument: str | None = None,
        waits_while_working: bool = False,
    ) -> None:
        """`argument` is what the program's `load` is called with.

        waits_while_working  an answer whose worker still gets processor time isn't ended by the wall clock, and neither
                             is one that waits for a worker: how busy the machine is changes no verdict
        """
        self.waits_while_working = waits_while_working
        self._limit, self._argument = processor_seconds, argument
        self.program, self.wall_seconds, self.memory_bytes = program, wall_seconds, memory_bytes
        self.size = size or min(4, os.cpu_count() or 1)
        self.jobs_per_worker = jobs_per_worker
        self.started = 0  # workers ever forked, for reports and tests
        self.jobs = 0  # answers ever asked
        self.processor_seconds = 0.0  # of all workers
        self.load_seconds = LOAD_SECONDS
        self._fill()
        atexit.register(self.close)

    def _fill(self) -> None:
        self._owner = os.getpid()
        self._fork_server: ForkServer | None = None
        self._loaded = False  # whether a fork server was ever ready
        self._load_faults: list[LoadFault] = []  # of the first ones
        self._idle: list[Worker] = []
        self._busy = 0
        self._changed = threading.Condition()

    def start(self) -> None:
        """Begins to load the libraries, unless they are; returns at once."""
        self._own()
        with self._changed:
            if len(self._load_faults) < LOADS:
                self._living_fork_server()

    def ask(
        self, job: Mapping[str, Any], wall_seconds: float | None = None, spent: list[float] | None = None
    ) -> dict[str, Any]:
        """The reply of a worker to this job, within these seconds or the pool's. Raises TooHeavy or WorkerFault.

        spent  gets the processor seconds of this job appended
        """
        self._own()
        if not self._loaded:
            self.start()
            self._wait_until_loaded(time.monotonic() + self.load_seconds)
        wall = wall_seconds or self.wall_seconds
        deadline = time.monotonic() + wall
        with self._worker(deadline) as worker:
            before = worker.seconds
            try:
                if self.waits_while_working:
                    return worker.ask(job, time.monotonic() + wall, 2 * self._limit)
                return worker.ask(job, deadline)
            finally:
                seconds = max(0.0, worker.seconds - before)
                if spent is not None:
                    spent.append(seconds)
                with self._changed:
                    self.jobs += 1
                    self.processor_seconds += seconds

    def close(self) -> None:
        """Ends all idle workers and the fork server; the pool can be used again afterwards."""
        if os.getpid() != self._owner:
            return
        with self._changed:
            while self._idle:
                self._idle.pop().end()
            if self._fork_server is not None:
                self._fork_server.close()
            self._fork_server, self._loaded, self._load_faults = None, False, []

    def _own(self) -> None:
        if os.getpid() != self._owner:
            self._fill()  # a forked child must not share its parent's sockets

    def _living_fork_server(self) -> ForkServer:
        """The fork server; another one where it has died. Called with the lock held."""
        if self._fork_server is None or not self._fork_server.alive:
            if self._fork_server is not None:
                self._fork_server.close()
            self._fork_server = ForkServer(self.program, self.memory_bytes, self._limit, self._argument)
        return self._fork_server

    def _wait_until_loaded(self, deadline: float) -> None:
        with self._changed:
            if len(self._load_faults) >= LOADS:
                raise LoadFault(str(self._load_faults[-1]))
            fork_server = self._living_fork_server()
        try:
            fork_server.wait_until_ready(deadline)
        except LoadFault as fault:
            if not self._loaded:  # what was loaded once failed for a moment's reason
                self._load_faults.append(fault)
            raise
        self._loaded, self._load_faults = True, []

    @contextlib.contextmanager
    def _worker(self, deadline: float) -> Iterator[Worker]:
        with self._changed:
            while self._busy >= self.size:
                if not self._changed.wait(None if self.waits_while_working else max(0.0, deadline - time.monotonic())):
                    raise WorkerFault("no worker was free: others took all of processor time")
            self._busy += 1
        worker: Worker | None = None
        try:
            if self.waits_while_working:
                deadline = time.monotonic() + self.wall_seconds
            worker = self._take() or self._fork(deadline)
            yield worker
        finally:
            with self._changed:
                self._busy -= 1
                if worker is not None and not worker.ended:
                    self._idle.append(worker)
                self._changed.notify()

    def _take(self) -> Worker | None:
        """An idle worker that lives and isn't due to retire; None where there is none."""
        with self._changed:
            while self._idle:
                worker = self._idle.pop()
                if worker.alive and worker.jobs < self.jobs_per_worker:
                    return worker
                worker.end()
        return None

    def _fork(self, deadline: float) -> Worker:
        self._wait_until_loaded(deadline)
        with self._changed:
            fork_server = self._living_fork_server()
            self.started += 1
        return fork_server.fork(deadline)
