"""Ray in this process, one call at a time, each when the test lets it: for the order of things in the pool."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace
from typing import Any

from ray_cases import written

from vlrl.errors import EngineError
from vlrl.rollout.engine import Request
from vlrl.rollout.ray.work_queue import Answer


class RayError(Exception):
    """An actor is gone."""


class RayTaskError(RayError):
    """A call raised its `cause`."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Actor:
    """RolloutActor over nothing. It notes what it did, and raises what it is told to, by method."""

    def __init__(self, raises: dict[str, Exception], far: bool) -> None:
        self.raises, self.far = raises, far
        self.done: list[str] = []
        self.asleep = False
        self.serial = self.version = 0

    def _do(self, what: str) -> None:
        if what in self.raises:
            raise self.raises[what]
        self.done.append(what)

    def open(self, model: Any, engine: Any, threads: int, files: dict[str, bytes] | None) -> bool:
        if self.far and files is None:
            return False
        self._do("open")
        self.files = files
        return True

    def load_weights(self, manifest: Any, *shards: Any) -> int:
        self._do("load_weights")
        self.serial, self.version = manifest.serial, manifest.version
        return int(manifest.serial)

    def generate(self, serial: int, requests: Sequence[Request]) -> Answer:
        if self.asleep:
            raise EngineError("stand-in", "the engine sleeps")
        self._do("generate")
        return Answer(tuple(written(request, self.version) for request in requests), self.serial, self.version, {})

    def sleep(self) -> None:
        self._do("sleep")
        self.asleep = True

    def wake(self) -> None:
        self._do("wake")
        self.asleep = False

    def close(self) -> None:
        """Nothing to end."""


@dataclass(frozen=True, eq=False)
class Call:
    """A future: how many were asked before, number of the actor, method, and what to do when its end is taken in."""

    asked: int
    number: int
    method: str
    run: Callable[[], Any]


class StandInRay:
    """What the pool uses of Ray and of its RayCluster.

    actors  all that were ever started, in order
    new     what the next actors raise, by method
    far     numbers of those whose node doesn't see our disk
    held    (number of an actor, method) → whether such a call may end now; without an entry it may
    """

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)
    private = True

    def __init__(self) -> None:
        self.ray, self._asked = self, count()
        self.actors: list[Actor] = []
        self.new: list[dict[str, Exception]] = []
        self.far: set[int] = set()
        self.held: dict[tuple[int, str], Callable[[], bool]] = {}

    def is_initialized(self) -> bool:
        return True

    def put(self, value: Any) -> Any:
        return value

    def kill(self, actor: Any) -> None:
        """Nothing runs that could be ended."""

    def free(self) -> str:
        return "1 CPU, 0 GPU free"

    def close(self) -> None:
        """Nothing was started."""

    def remote(self, kind: type) -> Any:
        return SimpleNamespace(options=lambda **options: SimpleNamespace(remote=self._start))

    def _start(self) -> Handle:
        self.actors.append(Actor(self.new.pop(0) if self.new else {}, len(self.actors) in self.far))
        return Handle(self.actors[-1], len(self.actors) - 1, self._asked)

    def wait(self, calls: Sequence[Call], num_returns: int, timeout: float) -> tuple[list[Call], list[Call]]:
        ended = [call for call in calls if self.held.get((call.number, call.method), lambda: True)()]
        ready = sorted(ended, key=lambda call: call.asked)[:num_returns]
        return ready, [call for call in calls if call not in ready]

    def get(self, call: Call) -> Any:
        try:
            return call.run()
        except Exception as error:
            raise RayTaskError(error) from error


class Handle:
    """An actor's methods as Ray gives them out: `.remote()` of one is a call."""

    def __init__(self, actor: Actor, number: int, asked: Iterator[int]) -> None:
        self._actor, self._number, self._asked = actor, number, asked

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._actor, method)
        return SimpleNamespace(
            remote=lambda *given: Call(next(self._asked), self._number, method, lambda: found(*given))
        )
