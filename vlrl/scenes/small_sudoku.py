"""Domain `small_sudoku`: which number belongs into the marked square?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vlrl.scenes.canvas import GREY, INK, NAMED, PAPERS, WHITE, Canvas, mixed
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, shuffled
from vlrl.types import Draft

WORDINGS = (
    "Every row, column and framed box holds each number from 1 to {0} once. Which one belongs at the question mark?",
    "Fill the grid: no number from 1 to {0} occurs twice in a row, column or framed box. What is at the question mark?",
    "This is a small sudoku with the numbers 1 to {0}. Which number belongs at the question mark?",
)
Cell = tuple[int, int]


@domain("small_sudoku", family="games")
@dataclass(frozen=True)
class SmallSudoku:
    """The number that row, column and box leave over. The thought lists what is seen: `seen 1 2 4, so 3`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"

    def __post_init__(self) -> None:
        check_at_least("domain 'small_sudoku', size", self.size, 128)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One grid. Difficulty 0: 4 × 4, one line tells; .4: row, column and box together; .7: 6 × 6; 1: by steps."""
        high, wide = (2, 2) if difficulty < 0.6 else (2, 3)
        side = high * wide
        together, steps = difficulty >= 0.25, 2 if difficulty >= 0.85 else 1
        while True:
            full = _solved(rng, high, wide)
            cells = shuffled(rng, [(r, c) for r in range(side) for c in range(side)])
            target, share = cells[0], float(rng.uniform(0.35, 0.6))
            given = {cell: full[cell] for cell in cells[1 : 1 + round(share * side * side)]}
            found = _solve(given, target, high, wide)
            if found is None or len(found) != steps:
                continue
            lines = [{given[c] for c in unit if c in given} for unit in _units(target, high, wide)]
            if (max(map(len, lines)) < side - 1) == together:
                break
        canvas = Canvas(self.size, pick(rng, PAPERS))
        step = 88 / side
        tint = NAMED[pick(rng, ("blue", "green", "purple", "orange"))]
        canvas.box(6, 6, 94, 94, WHITE)
        for r, c in cells:
            if (r // high + c // wide) % 2:
                canvas.box(6 + c * step, 6 + r * step, 6 + (c + 1) * step, 6 + (r + 1) * step, mixed(tint, WHITE, 0.86))
        r, c = target
        canvas.box(
            6 + c * step, 6 + r * step, 6 + (c + 1) * step, 6 + (r + 1) * step, mixed(NAMED["yellow"], WHITE, 0.45)
        )
        for i in range(side + 1):
            thick = mixed(GREY, WHITE, 0.2), 0.4
            canvas.line((6, 6 + i * step), (94, 6 + i * step), *((INK, 1.1) if i % high == 0 else thick))
            canvas.line((6 + i * step, 6), (6 + i * step, 94), *((INK, 1.1) if i % wide == 0 else thick))
        for (r, c), number in given.items():
            canvas.text((6 + (c + 0.5) * step, 6 + (r + 0.5) * step), str(number), step * 0.55, INK)
        canvas.text(
            (6 + (target[1] + 0.5) * step, 6 + (target[0] + 0.5) * step), "?", step * 0.6, NAMED["red"], bold=True
        )
        answer = full[target]
        thought = ", then ".join(
            f"row {r + 1} column {c + 1} sees {' '.join(map(str, sorted(seen)))}, so {full[r, c]}"
            for (r, c), seen in found
        )
        scene = {"given": given, "target": target, "box": (high, wide)}
        return Draft(pick(rng, WORDINGS).format(side), str(answer), (canvas.image(),), thought, scene=scene)

    def answers(self, scene: Any) -> set[str]:
        """The numbers at the question mark with which the grid can be filled."""
        given, target, (high, wide) = scene["given"], scene["target"], scene["box"]
        side = high * wide
        open_cells = {(r, c) for r in range(side) for c in range(side)} - set(given)

        def can_be_filled(known: dict[Cell, int]) -> bool:
            free = {cell: _free(cell, known, high, wide) for cell in open_cells - set(known)}
            if not free:
                return True
            cell = min(free, key=lambda c: (len(free[c]), c))
            return any(can_be_filled({**known, cell: number}) for number in sorted(free[cell]))

        return {str(n) for n in _free(target, given, high, wide) if can_be_filled({**given, target: n})}


def _units(cell: Cell, high: int, wide: int) -> list[list[Cell]]:
    """Row, column and box of a cell."""
    (r, c), side = cell, high * wide
    top, left = r // high * high, c // wide * wide
    box = [(top + i, left + j) for i in range(high) for j in range(wide)]
    return [[(r, i) for i in range(side)], [(i, c) for i in range(side)], box]


def _free(cell: Cell, known: dict[Cell, int], high: int, wide: int) -> set[int]:
    """The numbers that no cell in the row, column or box has."""
    seen = {known[c] for unit in _units(cell, high, wide) for c in unit if c in known}
    return set(range(1, high * wide + 1)) - seen


def _solved(rng: np.random.Generator, high: int, wide: int) -> dict[Cell, int]:
    """A full grid: one pattern with its numbers, rows of a band, bands, columns of a stack and stacks mixed."""
    side = high * wide
    rows = [band * high + r for band in rng.permutation(wide).tolist() for r in rng.permutation(high).tolist()]
    columns = [stack * wide + c for stack in rng.permutation(high).tolist() for c in rng.permutation(wide).tolist()]
    numbers = (rng.permutation(side) + 1).tolist()
    return {
        (i, j): numbers[(wide * (r % high) + r // high + c) % side]
        for i, r in enumerate(rows)
        for j, c in enumerate(columns)
    }


def _solve(given: dict[Cell, int], target: Cell, high: int, wide: int) -> list[tuple[Cell, set[int]]] | None:
    """Cells to fill one after another, each from what it sees, the target last; None if that doesn't reach it.

    At most one cell comes before the target: the first whose number lets the target be read off.
    """
    side = high * wide
    everything = set(range(1, side + 1))

    def seen(cell: Cell, known: dict[Cell, int]) -> set[int]:
        return {known[c] for unit in _units(cell, high, wide) for c in unit if c in known}

    at_once = seen(target, given)
    if len(at_once) == side - 1:
        return [(target, at_once)]
    for cell in sorted({c for unit in _units(target, high, wide) for c in unit} - given.keys() - {target}):
        first = seen(cell, given)
        if len(first) == side - 1:
            (number,) = everything - first
            then = seen(target, {**given, cell: number})
            if len(then) == side - 1:
                return [(cell, first), (target, then)]
    return None
