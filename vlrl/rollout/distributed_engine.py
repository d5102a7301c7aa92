"""Rollouts over several ranks: each rank's engine answers its share of the requests, and all ranks get all answers.

A request carries its seed, so that the one that answers it draws with the same randomness. An engine with processes of
its own (the Ray pool) is opened by the first rank alone and serves all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import Any

from vlrl import dist
from vlrl.model.cost import balance, cost_of
from vlrl.model.load import LoadedModel
from vlrl.model.sharding.streamed_saving import help_saving
from vlrl.rollout.engine import Request, RolloutEngine
from vlrl.rollout.engine_registry import EngineCapabilities, EngineSettings, opened, require_engine
from vlrl.rollout.request_load import load_of_request
from vlrl.rollout.slot_utilization import mean_utilisation
from vlrl.types import Rollout


def check_engine(settings: EngineSettings, ranks: int | None = None) -> None:
    """Raises ConfigError where the library of an engine, or of its actors' engine, is missing, or where it can't work
    in one of this many ranks; without `ranks` as many as there are now.
    """
    require_engine(settings)
    settings.check_ranks(dist.world() if ranks is None else ranks)


def open_engine(settings: EngineSettings, loaded: LoadedModel) -> RolloutEngine:
    """The engine of this process, or its part in that of all ranks."""
    if dist.world() == 1 and loaded.shards is None:
        return opened(settings, loaded)
    if settings.capabilities.serves_all_ranks:
        if dist.is_first():
            return FirstRanksEngine(opened(settings, loaded))
        loaded.help_saving()  # by which such an engine hands the model to its processes
        return FirstRanksEngine(None)
    return SharedEngine(opened(settings, loaded), loaded, settings.capabilities)


class SharedEngine:
    """RolloutEngine whose requests are shared out by cost, responses at their longest. A request is never split.

    An engine that goes in step has weights of its own: nothing is read through the trainer's shards while it writes.
    """

    def __init__(self, own: RolloutEngine, loaded: LoadedModel, capabilities: EngineCapabilities) -> None:
        self._own, self._capabilities = own, capabilities
        self._reading = nullcontext if capabilities.in_step else loaded.reading
        self._cost = cost_of(loaded.config, loaded.model, trained=(), checkpointed=False)

    def generate(self, requests: Sequence[Request]) -> list[tuple[Rollout, ...]]:
        """k responses per request, in request order, on every rank."""
        costs = [self._cost.rollout(load_of_request(one)) for one in requests]
        ranks = self._capabilities.ranks_per_engine
        of_engine = balance(costs, dist.world() // ranks)
        shares = [of_engine[rank // ranks] for rank in range(dist.world())]
        return dist.spread(requests, shares, self._own.generate, self._reading, self._capabilities.in_step)

    def pop_metrics(self) -> dict[str, float]:
        """Those of the first rank's engine, and rollout/slot_utilisation, the mean over ranks."""
        of_ranks = dist.gather(self._own.pop_metrics())
        return {**of_ranks[0], **mean_utilisation(of_ranks)}

    def load_weights(self, weights: Iterable[tuple[str, Any]], version: int) -> None:
        """Into this rank's engine."""
        self._own.load_weights(weights, version)

    def sleep(self) -> None:
        """This rank's engine."""
        self._own.sleep()

    def wake(self) -> None:
        """This rank's engine."""
        self._own.wake()

    def close(self) -> None:
        """This rank's engine."""
        self._own.close()


class FirstRanksEngine:
    """RolloutEngine that only the first rank has; the others wait for its answers."""

    def __init__(self, own: RolloutEngine | None) -> None:
        self._own = own

    def generate(self, requests: Sequence[Request]) -> list[tuple[Rollout, ...]]:
        """k responses per request, in request order, on every rank."""
        own = self._own
        return dist.from_first(lambda: own.generate(requests) if own is not None else [])

    def pop_metrics(self) -> dict[str, float]:
        """Those of the first rank's engine, on every rank."""
        own = self._own
        return dist.from_first(lambda: own.pop_metrics() if own is not None else {})

    def load_weights(self, weights: Iterable[tuple[str, Any]], version: int) -> None:
        """Into the first rank's engine; the others' part is to gather them with it."""
        if self._own is not None:
            self._own.load_weights(weights, version)
        else:
            help_saving(weights)

    def sleep(self) -> None:
        """The first rank's engine."""
        if self._own is not None:
            self._own.sleep()

    def wake(self) -> None:
        """The first rank's engine."""
        if self._own is not None:
            self._own.wake()

    def close(self) -> None:
        """The first rank's engine."""
        if self._own is not None:
            self._own.close()
