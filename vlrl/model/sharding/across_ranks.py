"""What an optimiser over shards needs of the whole: the norm of all gradients, and Muon's steps of whole matrices.

Muon orthogonalises whole matrices, of which a rank has rows. Matrices are dealt out to owners, one a rank at a time:
each sends its rows to the owners, an owner computes its matrix's step and sends back to each rank the rows that it has.
No rank holds more than one whole matrix, and its step, at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import torch

from vlrl import dist
from vlrl.model.optimization.muon import steps_along
from vlrl.model.sharding.shards import first_row


class ShardedParameters:
    """AcrossRanks for this rank's rows of parameters; one that `shapes` doesn't name is whole on every rank.

    shapes  by the id of a rank's rows, the shape of the whole parameter
    """

    def __init__(self, shapes: Mapping[int, Sequence[int]]) -> None:
        self._shapes = shapes

    def shape_of(self, matrix: torch.Tensor) -> Sequence[int]:
        """Of the whole matrix that these rows belong to."""
        return self._shapes.get(id(matrix), matrix.shape)

    def gradient_norm(self, parameters: Sequence[torch.Tensor]) -> float:
        """Of all ranks' gradients together."""
        by_place: dict[bool, list[torch.Tensor]] = {True: [], False: []}
        for parameter in parameters:
            if parameter.grad is not None and parameter.numel():
                by_place[id(parameter) in self._shapes].append(parameter.grad)
        device = parameters[0].device if parameters else torch.device("cpu")
        total = _squares(by_place[True], device)
        if dist.world() > 1:
            torch.distributed.all_reduce(total)
        return math.sqrt(float(total + _squares(by_place[False], device)))

    def steps_along(
        self, matrices: Sequence[torch.Tensor], directions: Sequence[torch.Tensor]
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """(index, this rank's rows of the step) of every direction, of which `matrices` names the whole shape."""
        cut = [i for i, matrix in enumerate(matrices) if id(matrix) in self._shapes]
        here = [i for i, matrix in enumerate(matrices) if id(matrix) not in self._shapes]
        for place, step in steps_along([directions[i] for i in here]):
            yield here[place], step
        cut.sort(key=lambda i: -math.prod(self.shape_of(matrices[i])))  # alike ones together: owners work as long
        for start in range(0, len(cut), dist.world()):
            some = cut[start : start + dist.world()]
            yield from zip(some, self._round([(directions[i], self.shape_of(matrices[i])) for i in some]), strict=True)

    def _round(self, some: Sequence[tuple[torch.Tensor, Sequence[int]]]) -> list[torch.Tensor]:
        """At most one matrix a rank: (this rank's rows, the whole shape), and the same rows of its step."""
        ranks, rank = dist.world(), dist.rank()
        sent = [rows.numel() for rows, _ in some] + [0] * (ranks - len(some))
        flat = torch.cat([rows.flatten() for rows, _ in some])
        mine = some[rank][1] if rank < len(some) else (0, 0)
        bounds = [first_row(mine[0], ranks, r) for r in range(ranks + 1)]
        come = [(stop - start) * mine[1] for start, stop in pairwise(bounds)]
        own = _exchanged(flat, sent, come)
        if rank < len(some):
            ((_, step),) = steps_along([own.view(*mine)])
            own = step.contiguous().flatten()
        back = _exchanged(own, come, sent).split(sent)
        return [piece.view_as(rows) for piece, (rows, _) in zip(back, some, strict=False)]


def _squares(gradients: Sequence[torch.Tensor], device: torch.device) -> torch.Tensor:
    if not gradients:
        return torch.zeros((), dtype=torch.float64, device=device)
    return torch.stack(torch._foreach_norm(list(gradients))).double().square().sum()


def _exchanged(values: torch.Tensor, sent: Sequence[int], come: Sequence[int]) -> torch.Tensor:
    """(sum of `come`,) from all ranks, in the order of ranks; `sent` of the values go to each."""
    found = values.new_empty(sum(come))
    if dist.world() == 1:
        return values
    torch.distributed.all_to_all_single(found, values, list(come), list(sent))
    return found
