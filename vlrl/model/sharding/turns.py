"""Reading through shards: each rank runs passes of its own, and the others help to gather what a pass needs.

A layer's weights are gathered by all ranks at once. What a rank reads without gradients (log-probabilities, rollouts,
features of images) takes passes that no other rank foresees: how many there are depends on its rows. So before every
pass the ranks agree on whose kind comes next. Those that asked for it compute; the others only take part in gathering
the same layers, one after another, without a forward pass. A rank that has nothing left helps until nobody has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch

from vlrl import dist


class Unit(Protocol):
    """What is gathered and let go at once: a layer, or a block of the tower."""

    def unshard(self) -> None: ...

    def reshard(self) -> None: ...


class Turns:
    """Whose pass is next. `kinds` has, by kind of pass, the units that it gathers, in order."""

    def __init__(self, kinds: Mapping[str, Sequence[Unit]]) -> None:
        self._names = list(kinds)
        self._kinds = kinds
        self._taking = False

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Within the block a rank announces its passes; at its end it helps the others until all are at their end.

        All ranks enter together. A rank that fails leaves at once: its process ends, and the launcher ends the others.
        """
        assert not self._taking, "turns within turns: the ranks would wait for one another"
        self._taking = True
        try:
            yield
            self._help_until(None)
        finally:
            self._taking = False

    def announce(self, kind: str) -> None:
        """To be called before a pass; returns when it is its turn. Outside of `taking` all ranks make it anyway."""
        if self._taking:
            self._help_until(kind)

    def _help_until(self, mine: str | None) -> None:
        while (chosen := self._next(mine)) != mine:
            assert chosen is not None
            for unit in self._kinds[chosen]:
                unit.unshard()
                unit.reshard()

    def _next(self, mine: str | None) -> str | None:
        """The first of the kinds that any rank wants; None where none wants any."""
        if dist.world() == 1:
            return mine
        nothing = len(self._names)
        wanted = torch.tensor(nothing if mine is None else self._names.index(mine))
        torch.distributed.all_reduce(wanted, torch.distributed.ReduceOp.MIN)
        first = int(wanted)
        return None if first == nothing else self._names[first]
