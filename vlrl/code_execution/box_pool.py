"""Programs on this host: boxes that are kept warm and lent to one thread at a time, and what their words mean."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from vlrl.code_execution import bubblewrap, languages, seccomp
from vlrl.code_execution.box import MIB, Box, BoxError, Role, Told, payload_of
from vlrl.code_execution.languages import Language
from vlrl.code_execution.outcome import Ended, Execution, Program
from vlrl.code_execution.sandbox_settings import Limits, SandboxSettings
from vlrl.errors import ConfigError

T = TypeVar("T")
SYSTEM_MEMORY = 48 * MIB  # what a job's own processes hold besides the program (the interpreter's pages, counted twice)
_OUT_OF_MEMORY = (
    b"MemoryError",
    b"bad_alloc",
    b"OutOfMemoryError",
    b"heap out of memory",
    b"Allowed memory size",
    b"annot allocate memory",
    b"virtual memory exhausted",
    b"out of memory",
)


def check_host(settings: SandboxSettings) -> None:
    """Raises ConfigError with what to install or to allow where this host can't isolate programs as it is asked to."""
    if settings.isolation == "bubblewrap":
        if (refused := bubblewrap.refusal()) is not None:
            raise ConfigError("sandbox", *refused)
        seccomp.filter_code()
        bubblewrap.box_python(settings)


class BoxPool:
    """An executor of this host: as many boxes as programs may run at a time, started when they are first needed.

    Boxes are started from a thread that lives as long as the pool: the kernel ends what bubblewrap holds with the
    *thread* that has started it.

    sockets  whether programs may open them (see `Box`)

    Raises ConfigError where the host can't isolate.
    """

    def __init__(self, settings: SandboxSettings, sockets: bool = False) -> None:
        check_host(settings)
        self.settings, self._sockets = settings, sockets
        self.separate_testers = True
        self._free: queue.LifoQueue[Box | None] = queue.LifoQueue()
        for _ in range(settings.count):
            self._free.put(None)
        self._living: set[Box] = set()
        self._orders: queue.SimpleQueue[tuple[Future[Box], SandboxSettings] | None] = queue.SimpleQueue()
        self._starter = threading.Thread(target=self._start_boxes, name="sandbox starter", daemon=True)
        self._starter.start()
        self._closed = False

    def prepare(self, program: Program, limits: Limits | None = None) -> PreparedHere | Execution:
        """See `Executor`. A compilation has limits of its own (`compiling`)."""
        language = program.entry
        limits = limits or self.settings.limits
        name = language.file_of(program.source)
        files = {name: program.source.encode("utf-8", "surrogatepass"), **program.files}
        if not language.runner:
            return PreparedHere(self, language, payload_of(files), "main.py", limits)
        payload = payload_of(files)
        if language.compiler:
            built = self._compile(language, payload, name)
            if isinstance(built, Execution):
                return built
            payload = built
        return PreparedHere(self, language, payload, name, limits)

    def run_tested(self, tester: Program, tested: Program, limits: Limits | None = None) -> Execution:
        """See `Executor`."""
        limits = limits or self.settings.limits
        roles = [
            Role(
                payload_of({"main.py": program.source.encode("utf-8", "surrogatepass"), **program.files}),
                python="main.py",
                hold=True,
                shut=program is tester,
            )
            for program in (tester, tested)
        ]
        return self._finished(roles, limits, None)

    def missing(self) -> Mapping[str, str]:
        """See `Executor`."""
        return languages.host_is_missing()

    def run(self, language: Language, payload: bytes, name: str, limits: Limits, stdin: bytes) -> Execution:
        """One run of what was prepared."""
        role = self._role(language, payload, name, limits, language.runner, stdin)
        return self._finished([role], limits, language)

    def _compile(self, language: Language, payload: bytes, name: str) -> bytes | Execution:
        """The files that a compilation leaves, packed; or how it failed."""
        limits = self.settings.compiling
        role = self._role(language, payload, name, limits, language.compiler, b"")
        overhead = SYSTEM_MEMORY + language.overhead_mib * MIB
        try:
            told = self.lend(lambda box: box.run([role], limits, language.keep, overhead))
        except BoxError as error:
            return Execution.fault(str(error))
        ended = execution_of(told, limits)
        if ended.is_fault:
            return ended
        if ended.ended == "finished" and told.kept:
            return told.kept
        note = ended.note or "the compiler left no program"
        return Execution("compile_error", ended.exit_code, ended.stdout, ended.stderr, ended.cpu_seconds, note=note)

    def _role(
        self, language: Language, payload: bytes, name: str, limits: Limits, line: tuple[str, ...], stdin: bytes
    ) -> Role:
        return Role(
            payload,
            argv=language.command(line, name, limits.memory_mib) if line else (),
            python="" if line else name,
            stdin=stdin,
            reserves=language.reserves,
            extra_memory=language.overhead_mib * MIB,
            extra_threads=language.threads,
        )

    def _finished(self, roles: list[Role], limits: Limits, language: Language | None) -> Execution:
        overhead = SYSTEM_MEMORY * len(roles) + (0 if language is None else language.overhead_mib * MIB)
        try:
            told = self.lend(lambda box: box.run(roles, limits, overhead_bytes=overhead))
        except BoxError as error:
            return Execution.fault(str(error))
        return execution_of(told, limits)

    def lend(self, use: Callable[[Box], T]) -> T:
        """Gives a box to `use`; one that fails is closed, and its place is filled by the next call."""
        box = self._free.get()
        kept: Box | None = None
        try:
            if box is not None and not box.is_alive():  # it was ended from outside while nobody used it
                self._living.discard(box)
                box.close()
                box = None
            if box is None:
                box = self._started()
                self._living.add(box)
            result = use(box)
            kept = box
            return result
        finally:
            if self._closed:
                kept = None
            if kept is None and box is not None:
                self._living.discard(box)
                box.close()
            self._free.put(kept)

    def _started(self) -> Box:
        order: Future[Box] = Future()
        self._orders.put((order, self.settings))
        return order.result()

    def _start_boxes(self) -> None:
        while (order := self._orders.get()) is not None:
            place, settings = order
            try:
                place.set_result(Box(settings, self._sockets))
            except BaseException as error:  # whatever it is belongs to the thread that waits for the box
                place.set_exception(error)

    def process_ids(self) -> list[int]:
        """Of the boxes that run now, as the host sees them."""
        return [box.process_id for box in list(self._living) if box.process_id is not None]

    def close(self) -> None:
        """Ends all boxes that aren't lent; the others end when they come back."""
        self._closed = True
        held = []
        while True:
            try:
                held.append(self._free.get_nowait())
            except queue.Empty:
                break
        for box in held:
            if box is not None:
                self._living.discard(box)
                box.close()
            self._free.put(None)
        self._orders.put(None)


@dataclass(frozen=True)
class PreparedHere:
    """A program that is ready to run in any box of the pool."""

    pool: BoxPool
    language: Language
    payload: bytes
    name: str
    limits: Limits

    def run(self, stdin: bytes = b"") -> Execution:
        """One run in a cell of its own."""
        return self.pool.run(self.language, self.payload, self.name, self.limits, stdin)


def execution_of(told: Told, limits: Limits) -> Execution:
    """What a server's word means. What a program prints decides nothing but the name of a failure."""
    ended, note = _ended(told, limits)
    return Execution(ended, told.status, told.stdout, told.stderr, told.cpu, told.wall, told.peak, note, told.waited)


def _ended(told: Told, limits: Limits) -> tuple[Ended, str]:
    if told.setup:
        return "sandbox_fault", f"the program could not be started: {told.setup}"
    if told.why == "starved":
        return "sandbox_fault", f"it got no processor within {told.wall:.0f} s"
    if told.why == "memory":
        return "memory_limit", f"more than {limits.memory_mib} MiB"
    if told.why == "cpu" or told.status in (-signal.SIGXCPU,) or told.cpu > limits.cpu_seconds:
        return "time_limit", f"more than {limits.cpu_seconds:g} s of processor time"
    if told.why == "wall":
        return "time_limit", f"more than {limits.wall_seconds:g} s"
    if told.status is None:
        return "sandbox_fault", "the box has no word of how it ended"
    most = limits.output_mib * MIB
    if told.status == -signal.SIGXFSZ or len(told.stdout) >= most or len(told.stderr) >= most:
        return "output_limit", f"a file or an output of more than {limits.output_mib} MiB"
    if not told.compiled:
        return "compile_error", last_line(told.stderr)
    if told.status == 0:
        return "finished", ""
    if any(word in told.stderr for word in _OUT_OF_MEMORY):
        return "memory_limit", last_line(told.stderr)
    if told.status < 0:
        try:
            name = signal.Signals(-told.status).name
        except ValueError:
            name = f"signal {-told.status}"
        return "runtime_error", name
    return "runtime_error", last_line(told.stderr) or f"exit code {told.status}"


def last_line(text: bytes) -> str:
    """What a program said last, short."""
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:200] if lines else ""
