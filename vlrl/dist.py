"""Several processes as one: how many ranks there are, and objects that they exchange. One process: nothing happens.

`torchrun` and the `deepspeed` launcher start a process a device and say in the environment who is who (RANK,
WORLD_SIZE, LOCAL_RANK). All ranks run the same code on the same problems and seeds; what differs is each one's share of
the work, and only the first writes the run folder.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import TypeVar

from vlrl.errors import ConfigError

T = TypeVar("T")
U = TypeVar("U")


def launched() -> bool:
    """Whether a launcher started this process as one of several."""
    world_size, number = os.environ.get("WORLD_SIZE", "1"), os.environ.get("RANK", "")
    return world_size.isdecimal() and int(world_size) > 1 and number.isdecimal()


def check_variables() -> None:
    """Raises ConfigError where a launcher's variables are no numbers, or no rank of that world."""
    given = {name: os.environ[name] for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK") if name in os.environ}
    remedy = "a launcher such as torchrun sets it; unset it to run alone"
    for name, value in given.items():
        if not value.isdecimal() or (name == "WORLD_SIZE" and not int(value)):
            raise ConfigError(f"environment variable {name}", f"is {value!r}, no whole number of processes", remedy)
    if launched() and rank() >= world():
        raise ConfigError("environment variable RANK", f"is {rank()}, and WORLD_SIZE is {world()}", remedy)


def stand_alone() -> None:
    """This process is none of the ranks, though one of them started it and its variables came with that."""
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        os.environ.pop(name, None)


def rank() -> int:
    """0-based number of this process."""
    return int(os.environ["RANK"]) if launched() else 0


def world() -> int:
    """How many processes work together."""
    return int(os.environ["WORLD_SIZE"]) if launched() else 1


def local_rank() -> int:
    """0-based number of this process on its machine: the number of its CUDA device."""
    return int(os.environ.get("LOCAL_RANK", "0")) if launched() else 0


def is_first() -> bool:
    """Whether this process writes the run folder."""
    return rank() == 0


def start(alone: bool = False, patience_minutes: float = 60.0) -> None:
    """Meet the other ranks; twice is once. Objects and CPU tensors go over gloo, CUDA tensors over NCCL.

    alone             also where no launcher started this process: a library wants a group, be it of one
    patience_minutes  a rank that waits longer for the others ends with an error instead of waiting for ever
    """
    if not (launched() or alone):
        return
    import torch
    from torch import distributed

    if distributed.is_initialized():
        return
    both = torch.cuda.is_available() and distributed.is_nccl_available()
    if both:
        torch.cuda.set_device(local_rank())
    over, patience = "cpu:gloo,cuda:nccl" if both else "gloo", timedelta(minutes=patience_minutes)
    if launched():
        distributed.init_process_group(over, timeout=patience)
    else:
        store = torch._C._distributed_c10d.HashStore()
        distributed.init_process_group(over, timeout=patience, store=store, rank=0, world_size=1)


def end() -> None:
    """Leave the group; without one this does nothing."""
    if launched():
        from torch import distributed

        if distributed.is_initialized():
            distributed.destroy_process_group()


def leave(code: int = 0) -> None:
    """The end of this process where it is one of several: with this exit code, after the exit handlers, not finalised.

    Libraries keep references to the group, so that gloo's threads outlive `end`. One of them may still hold a tensor of
    Python's, and letting go of it while the interpreter is finalised aborts the process ("terminate called without an
    active exception").
    """
    if not launched():
        return
    if not code:  # after an error the others don't come to the end
        end()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def barrier() -> None:
    """Wait until every rank is here."""
    gather(None)


def gather(mine: T) -> list[T]:
    """Every rank's object, by rank, on every rank."""
    if not launched():
        return [mine]
    from torch import distributed

    start()
    found: list[T | None] = [None] * world()
    distributed.all_gather_object(found, mine)
    return found  # type: ignore[return-value]


def from_first(make: Callable[[], T]) -> T:
    """What `make` returns on the first rank, on every rank. The others don't call it."""
    if not launched():
        return make()
    from torch import distributed

    start()
    held: list[T | None] = [make() if is_first() else None]
    distributed.broadcast_object_list(held, src=0)
    return held[0]  # type: ignore[return-value]


def spread(
    items: Sequence[T],
    shares: Sequence[Sequence[int]],
    work: Callable[[Sequence[T]], Sequence[U]],
    together: Callable[[], AbstractContextManager[None]] = nullcontext,
    on_every_rank: bool = False,
) -> list[U]:
    """`work` on the items of each rank's share (indices in `items` by rank); all results in order, on every rank.

    together       what every rank is in while any works, be its own share empty
    on_every_rank  `work` is called on every rank, be its share empty. Ranks may have the same share, and so the same
                   results
    """
    if not launched():
        with together():
            return list(work(items))
    mine = shares[rank()]
    with together():
        done = list(work([items[i] for i in mine])) if mine or on_every_rank else []
    by_place = {
        i: result
        for indices, results in zip(shares, gather(done), strict=True)
        for i, result in zip(indices, results, strict=True)
    }
    return [by_place[i] for i in range(len(items))]
