"""Domain `winning_move`: which square completes a line of crosses?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vlrl.scenes.canvas import GREY, INK, NAMED, PAPERS, WHITE, Canvas, mixed
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled, shuffled
from vlrl.types import Draft

WORDINGS = (
    "It is X's move. In which numbered square does X complete a line of {0}?",
    "Where must X play to get {0} in a line? Give the number of the square.",
    "Which numbered square wins for X with {0} in a row, column or diagonal?",
)


@domain("winning_move", family="games")
@dataclass(frozen=True)
class WinningMove:
    """The one square that gives X a whole line; the thought: `row 2, column 3, 3*1+3=6`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"

    def __post_init__(self) -> None:
        check_at_least("domain 'winning_move', size", self.size, 128)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One board. Difficulty 0: 3 × 3; .5: 4 × 4; 1: 5 × 5; the line must fill the board from edge to edge."""
        side = scaled((3, 5), difficulty)
        target = int(rng.integers(side * side))  # first, so that all squares are alike likely
        lines = _lines(side)
        line = pick(rng, [way for way in lines if target in way])
        while True:
            board = dict.fromkeys((n for n in line if n != target), "X")
            free = shuffled(rng, [n for n in range(side * side) if n not in line])
            crosses = int(rng.integers(0, side // 2 + 1))
            board |= dict.fromkeys(free[:crosses], "X")
            noughts = min(sum(v == "X" for v in board.values()), len(free) - crosses)
            board |= dict.fromkeys(free[crosses : crosses + noughts], "O")
            gaps = [[n for n in way if board.get(n) != "X"] for way in lines]
            wins = {gap[0] for gap in gaps if len(gap) == 1 and gap[0] not in board}
            lost = any(all(board.get(n) == "O" for n in way) for way in lines)
            if wins == {target} and not lost:
                break
        canvas = Canvas(self.size, pick(rng, PAPERS))
        cell = 90 / side
        cross, nought = shuffled(rng, ("red", "blue", "green", "purple"))[:2]
        canvas.box(5, 5, 95, 95, WHITE)
        for i in range(1, side):
            canvas.line((5 + i * cell, 5), (5 + i * cell, 95), INK, 0.9)
            canvas.line((5, 5 + i * cell), (95, 5 + i * cell), INK, 0.9)
        for number in range(side * side):
            x, y = 5 + (number % side + 0.5) * cell, 5 + (number // side + 0.5) * cell
            reach = cell * 0.27
            mark = board.get(number)
            if mark == "X":
                canvas.line((x - reach, y - reach), (x + reach, y + reach), NAMED[cross], 2.2)
                canvas.line((x - reach, y + reach), (x + reach, y - reach), NAMED[cross], 2.2)
            elif mark == "O":
                canvas.ring((x, y), reach, NAMED[nought], 2.2)
            else:
                canvas.text((x, y), str(number + 1), 5.4, mixed(GREY, INK, 0.3))
        row, column = divmod(target, side)
        thought = f"row {row + 1}, column {column + 1}, {row}*{side}+{column + 1}={target + 1}"
        question = pick(rng, WORDINGS).format(side)
        return Draft(question, str(target + 1), (canvas.image(),), thought, scene={"side": side, "board": board})

    def answers(self, scene: Any) -> set[str]:
        """Every free square whose line holds crosses everywhere else."""
        side, board = scene["side"], scene["board"]
        free = [n for n in range(side * side) if n not in board]
        return {
            str(n + 1)
            for n in free
            if any(n in way and all(board.get(m) == "X" for m in way if m != n) for way in _lines(side))
        }


def _lines(side: int) -> list[tuple[int, ...]]:
    """All rows, columns and the two diagonals, as numbers of squares from 0."""
    rows = [tuple(range(r * side, (r + 1) * side)) for r in range(side)]
    columns = [tuple(range(c, side * side, side)) for c in range(side)]
    diagonals = [tuple(i * (side + 1) for i in range(side)), tuple((i + 1) * (side - 1) for i in range(side))]
    return [*rows, *columns, *diagonals]
