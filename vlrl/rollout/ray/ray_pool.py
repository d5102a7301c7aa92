"""Rollouts by a pool of Ray actors, each with an engine and a model of its own, on one machine or many.

Requests are shared out by cost. An actor that dies is replaced and its requests are redone by the one that is free; a
request names its randomness, so the one that does it writes the same tokens. Each request is delivered exactly once.
"""

from __future__ import annotations

import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from vlrl.errors import EngineError, EngineFailedError, VlrlError
from vlrl.model.cost import cost_of
from vlrl.model.load import LoadedModel, save_model
from vlrl.rollout.engine import Request, check_requests
from vlrl.rollout.ray.ray_actor import RolloutActor, files_of
from vlrl.rollout.ray.ray_cluster import RayCluster, store_bytes
from vlrl.rollout.ray.ray_settings import RayPoolSettings
from vlrl.rollout.ray.ray_weights import Manifest, Shard, compare, ship
from vlrl.rollout.ray.ray_workers import Losses, RayWorker, RayWorkers
from vlrl.rollout.ray.work_queue import WorkQueue, pieces
from vlrl.rollout.request_load import load_of_request
from vlrl.rollout.slot_utilization import mean_utilisation
from vlrl.types import Rollout


class RayPool:
    """RolloutEngine over actors. The driver's model is copied once, as a folder; later weights come as shards.

    Calls are made from one thread; `resize` may come from any.
    """

    def __init__(self, loaded: LoadedModel, settings: RayPoolSettings) -> None:
        self._settings, self._context = settings, loaded.context
        self._cost = cost_of(loaded.config, loaded.model, (), False)
        parameters = dict(loaded.model.named_parameters())
        self._shapes = {name: tuple(p.shape) for name, p in parameters.items()}
        self._manifest, self._shards = Manifest(0, 0, ()), list[Any]()
        store = store_bytes(sum(p.nbytes for p in parameters.values()), settings.object_store_gib)
        self._cluster = RayCluster(settings.address, store)
        self._ray = self._cluster.ray
        self._folder = tempfile.TemporaryDirectory(prefix="vlrl-pool-")
        self._files, self._closed = cast(Any, None), False
        self.counts: Counter[str] = Counter()  # started, lost, redone, delivered
        self._members, self._losses = RayWorkers(settings.actors, settings.resize_file), Losses()
        self._told: list[Mapping[str, float]] = []  # figures of the actors' engines
        try:
            save_model(loaded, Path(self._folder.name))
            self._model = {
                "path": self._folder.name,
                "dtype": str(loaded.dtype).removeprefix("torch."),
                "device": settings.device,
                "context": loaded.context,
            }
            self._ever_opened = False
            self._pump(lambda: any(member.idle for member in self._members))
        except BaseException:
            self.close()
            raise

    # -- the protocol -------------------------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """Of the weights that new segments are written with."""
        return self._manifest.version

    def generate(self, requests: Sequence[Request]) -> list[tuple[Rollout, ...]]:
        """k responses per request, in request order.

        Raises EngineError for a request that can't be answered, one that costs `tries` actors, or when no actor starts.
        """
        if self._closed:
            raise EngineError("ray pool", "was closed", "open another one")
        check_requests(requests, self._context)
        if not requests:
            return []
        costs = [self._cost.rollout(load_of_request(r)) for r in requests]
        shared = pieces(costs, self._members.wanted() * self._settings.pieces_per_actor)
        ledger = WorkQueue([r.encoded.problem_id for r in requests], shared, self._settings.tries)
        try:
            self._pump(lambda: ledger.done, ledger, requests)
        finally:
            for member in self._members:
                member.abandon()
            self.counts["redone"] += ledger.redone
        self.counts["delivered"] += len(requests)
        return ledger.answers()

    def load_weights(self, weights: Iterable[tuple[str, Any]], version: int) -> None:
        """Put the weights into shared memory, once a node, and swap them in every actor.

        Raises EngineError, with the old weights in place, for names or shapes that are not the model's.
        """
        found: dict[str, tuple[int, ...]] = {}

        def put(shard: Shard) -> Any:
            found.update({name: shape for name, (shape, _, _) in shard.tensors.items()})
            return self._ray.put(shard)

        serial = self._manifest.serial + 1
        manifest, shards = ship(weights, serial, version, self._settings.shard_mib * 2**20, put)
        compare(found, self._shapes)
        self._manifest, self._shards = manifest, shards
        self._everybody(lambda member: member.serial == serial)

    def sleep(self) -> None:
        """Every actor frees memory; one that starts while the pool sleeps goes to sleep, too."""
        self._members.asleep = True
        self._everybody(lambda member: member.asleep)

    def wake(self) -> None:
        """Every actor takes its memory back."""
        self._members.asleep = False
        self._everybody(lambda member: not member.asleep)

    def close(self) -> None:
        """End all actors, and the cluster if it is our own. A cluster of the user's goes on."""
        if self._closed:
            return
        self._closed = True
        if self._ray.is_initialized():
            self._ask_to_close()
            for member in list(self._members):
                self._ray.kill(member.actor)
        self._members.clear()
        self._shards, self._files = [], None
        self._cluster.close()
        self._folder.cleanup()

    def pop_metrics(self) -> dict[str, float]:
        """rollout/slot_utilisation, the mean over pieces; pool/actors that are open now and pool/actors_starting, and
        since the pool was opened how many were started and lost, and how many requests were handed out again.
        """
        told, self._told = self._told, []
        counts = {"actors_started": "started", "actors_lost": "lost", "requests_redone": "redone"}
        return {
            **mean_utilisation(told),
            "pool/actors": float(self.size - self._members.starting),
            "pool/actors_starting": float(self._members.starting),
            **{f"pool/{name}": float(self.counts[key]) for name, key in counts.items()},
        }

    # -- besides the protocol -----------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Actors at work or starting."""
        return len(self._members)

    def process_ids(self) -> list[int]:
        """Of the actors that have started, each on its own node."""
        return [int(self._ray.get(m.actor.process_id.remote())) for m in self._members if not m.starting]

    def resize(self, actors: int) -> None:
        """How many actors there shall be; takes effect within a running call, or at the next one."""
        if actors < 1:
            raise EngineError("resize", f"{actors} actors", "keep at least one")
        self._members.resize(actors)

    # -- the work -----------------------------------------------------------------------------------------------------

    def _everybody(self, holds: Callable[[RayWorker], bool]) -> None:
        """Until every actor that has started is idle and in this state, and one has."""
        started = [member for member in self._members if not member.starting]

        def done() -> bool:
            here = [member for member in started if member in self._members]
            return any(m.idle for m in self._members) and all(m.idle and holds(m) for m in here)

        self._pump(done)

    def _pump(
        self, done: Callable[[], bool], ledger: WorkQueue | None = None, requests: Sequence[Request] = ()
    ) -> None:
        """Start, retire, hand out and take in until `done`."""
        self._members.progressed()
        while True:
            self._fit()
            for member in self._members:
                if member.idle:
                    self._next(member, ledger, requests)
            if done():
                return
            busy = {member.future: member for member in self._members if member.future is not None}
            ready, _ = self._ray.wait(list(busy), num_returns=1, timeout=1.0)
            for future in ready:
                self._take_in(busy[future], ledger)
            waited = self._members.seconds_without_progress()
            if waited > self._settings.start_timeout_seconds:
                raise EngineError(
                    "ray pool",
                    f"no actor was ready within {waited:.0f} s; the cluster has {self._cluster.free()}",
                    "ask for fewer actors or less for each, or raise start_timeout_seconds",
                )
            self._tell_late()

    def _tell_late(self) -> None:
        """Warn, once for each, of actors that don't come to open while the others work."""
        seconds = self._settings.start_timeout_seconds
        late = self._members.late(seconds)
        if not late:
            return
        # one that opened while no call was going on is only not taken in yet
        _, waiting = self._ray.wait([member.future for member in late], num_returns=len(late), timeout=0)
        if not waiting:
            return
        for member in late:
            member.told_late = member.future in waiting
        warnings.warn(
            f"{len(waiting)} of {self.size} actors have not opened within {seconds:g} s; the cluster has "
            f"{self._cluster.free()}; ask for fewer actors or less for each, or add machines",
            stacklevel=2,
        )

    def _fit(self) -> None:
        """As many actors as are wanted; idle ones go first, busy ones when their piece is done."""
        for _ in range(self._members.wanted() - len(self._members)):
            self._start()
        for member in self._members.spare():
            self._members.drop(member)
            self._ray.kill(member.actor)

    def _start(self) -> None:
        settings = self._settings
        options: dict[str, Any] = {"max_restarts": 0, "scheduling_strategy": "SPREAD"}
        options["num_cpus"] = 0 if self._cluster.private else settings.cpus_per_actor
        options["num_gpus"] = settings.gpus_per_actor
        options["resources"] = dict(settings.resources_per_actor)
        member = RayWorker(self._ray.remote(RolloutActor).options(**options).remote())
        self._open(member)
        self._members.add(member)
        self.counts["started"] += 1

    def _open(self, member: RayWorker, files: Any = None) -> None:
        threads = max(1, round(self._settings.cpus_per_actor))
        member.call("open", member.actor.open.remote(self._model, self._settings.engine, threads, files))

    def _next(self, member: RayWorker, ledger: WorkQueue | None, requests: Sequence[Request]) -> None:
        """What an idle actor does now: first what it missed, then a piece."""
        actor = member.actor
        if member.serial != self._manifest.serial:
            member.call("load_weights", actor.load_weights.remote(self._manifest, *self._shards))
        elif member.asleep != self._members.asleep:
            if self._members.asleep:
                member.call("sleep", actor.sleep.remote())
            else:
                member.call("wake", actor.wake.remote())
        elif ledger is not None and (piece := ledger.next()) is not None:
            asked = [requests[number] for number in piece]
            if ledger.waiting:  # a response of the next piece could take the slot of one that is left early
                asked = [replace(request, early_exit_below=0.0) for request in asked]
            member.call("generate", actor.generate.remote(self._manifest.serial, asked), piece)

    def _take_in(self, member: RayWorker, ledger: WorkQueue | None) -> None:
        """One finished call. What an engine refuses to write, and the first actor to open, is the caller's; any other
        failure ends the actor.
        """
        errors = self._ray.exceptions
        doing, piece, future = member.finish()
        try:
            result = self._ray.get(future)
        except errors.RayTaskError as error:
            refused = isinstance(error.cause, VlrlError) and not isinstance(error.cause, EngineFailedError)
            first = doing == "open" and not self._ever_opened
            if refused and (first or doing == "generate"):
                raise error.cause from None
            if refused and doing == "abandoned":
                return
            why = f"{type(error.cause).__name__}: {error.cause}"
            if first:
                raise EngineError("ray pool", f"an actor can't open its engine: {why}") from error
            self._reap(member, ledger, doing, piece, why)
            return
        except errors.RayError as error:
            self._reap(member, ledger, doing, piece, str(error).splitlines()[0])
            return
        if doing == "open" and result is False:  # another machine, without our disk
            self._files = self._files or self._ray.put(files_of(Path(self._folder.name)))
            self._open(member, self._files)
            return
        if doing == "open":
            member.starting, self._ever_opened = False, True
            if not any(other.starting for other in self._members):
                self._files = None
        elif doing == "load_weights":
            member.serial = int(result)
        elif doing in ("sleep", "wake"):
            member.asleep = doing == "sleep"
        elif doing == "generate" and ledger is not None:
            if (result.serial, result.version) != (self._manifest.serial, self._manifest.version):
                raise EngineError(
                    "ray pool",
                    f"an answer of version {result.version} (transfer {result.serial}) came, "
                    f"the weights are {self._manifest.version} (transfer {self._manifest.serial})",
                    "report this",
                )
            ledger.deliver(piece, result.responses)
            self._told.append(result.figures)
        self._losses.done(doing)
        self._members.progressed()

    def _reap(self, member: RayWorker, ledger: WorkQueue | None, doing: str, piece: tuple[int, ...], why: str) -> None:
        """The actor is gone or not to be trusted; the next `_fit` starts another."""
        self._members.drop(member)
        self._ray.kill(member.actor)
        self.counts["lost"] += 1
        if doing == "generate" and ledger is not None:
            ledger.lost(piece, why)
        self._losses.lost(doing, self._settings.tries + self._members.wanted(), why)

    def _ask_to_close(self) -> None:
        """Engines end their own processes; one that is busy or dead is not waited for."""
        asked = [m.actor.close.remote() for m in self._members if m.idle]
        if asked:
            self._ray.wait(asked, num_returns=len(asked), timeout=10.0)
