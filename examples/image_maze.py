"""A maze that is walked by looking: a Gymnasium environment, problems that fix its seeds, and how a move is written.

    plugins: [examples/image_maze.py]

The environment knows nothing of ours and our trainer nothing of it: `environment: {name: gymnasium, id: ImageMaze-v0}`.
The domain draws seeds, and knows a shortest way for the warm-up. A turn is one word, so that a small model has little
to write: `@call_formats.register` makes it the call.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium
import numpy as np

from vlrl.rollout.environments.calls.call_formats import WrittenCall, call_formats
from vlrl.scenes.domain import domain
from vlrl.types import Draft, Problem, Verdict

MOVES = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
SIDE, CELL = 4, 16  # cells a side, pixels a cell
PAPER, WALL, WALKER, GOAL = (235, 235, 235), (20, 20, 20), (220, 40, 40), (40, 170, 60)
Cell = tuple[int, int]


class ImageMaze(gymnasium.Env):  # type: ignore[misc]  # untyped where it isn't installed
    """Red walks to green. A wall keeps it where it is; the reward is 1 at the goal."""

    metadata: ClassVar = {"render_modes": ["rgb_array"]}

    def __init__(self, render_mode: str = "rgb_array", walls: float = 0.35, farthest: int = 4) -> None:
        self.render_mode, self._share, self._farthest = render_mode, walls, farthest
        self.action_space = gymnasium.spaces.Discrete(len(MOVES))
        self.observation_space = gymnasium.spaces.Box(0, 255, (SIDE * CELL, SIDE * CELL, 3), np.uint8)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """Another maze a seed."""
        super().reset(seed=seed)
        pairs = [((r, c), (r + d, c + e)) for r in range(SIDE) for c in range(SIDE) for d, e in ((0, 1), (1, 0))]
        pairs = [(a, b) for a, b in pairs if max(b) < SIDE]
        self.walls: set[tuple[Cell, Cell]] = set()
        for index in self.np_random.permutation(len(pairs))[: int(self._share * len(pairs))].tolist():
            self.walls.add(pairs[index])
            if len(self._ways((0, 0))) < SIDE**2:
                self.walls.remove(pairs[index])
        self.walker = tuple(self.np_random.integers(SIDE, size=2).tolist())
        near = sorted(cell for cell, way in self._ways(self.walker).items() if 1 <= len(way) <= self._farthest)
        self.goal = near[int(self.np_random.integers(len(near)))]
        return self.render(), {}

    def step(self, action: int) -> Any:
        """One move."""
        down, right = list(MOVES.values())[int(action)]
        ahead = (self.walker[0] + down, self.walker[1] + right)
        if self._open(self.walker, ahead):
            self.walker = ahead
        arrived = self.walker == self.goal
        return self.render(), float(arrived), arrived, False, {}

    def render(self) -> Any:
        """(64, 64, 3) bytes."""
        drawn = np.full((SIDE * CELL, SIDE * CELL, 3), PAPER, np.uint8)
        for (row, column), colour in ((self.goal, GOAL), (self.walker, WALKER)):
            drawn[row * CELL + 4 : row * CELL + 12, column * CELL + 4 : column * CELL + 12] = colour
        for first, second in self.walls:
            (row, column), beside = second, first[0] == second[0]
            top, left = row * CELL, column * CELL
            if beside:
                drawn[top : top + CELL, left - 2 : left + 2] = WALL
            else:
                drawn[top - 2 : top + 2, left : left + CELL] = WALL
        return drawn

    def way(self) -> tuple[str, ...]:
        """A shortest one to the goal."""
        return self._ways(self.walker)[self.goal]

    def _open(self, here: Cell, there: Cell) -> bool:
        return min(there) >= 0 and max(there) < SIDE and (min(here, there), max(here, there)) not in self.walls

    def _ways(self, start: Cell) -> dict[Cell, tuple[str, ...]]:
        found: dict[Cell, tuple[str, ...]] = {start: ()}
        waiting = deque([start])
        while waiting:
            here = waiting.popleft()
            for move, (down, right) in MOVES.items():
                there = (here[0] + down, here[1] + right)
                if self._open(here, there) and there not in found:
                    found[there] = (*found[here], move)
                    waiting.append(there)
        return found


if "ImageMaze-v0" not in gymnasium.registry:
    gymnasium.register("ImageMaze-v0", ImageMaze)


@call_formats.register("moves")
def moves(text: str) -> list[WrittenCall]:
    """A turn that is a direction is a step; any other says nothing to the environment."""
    return [WrittenCall("act", {"action": text.strip()})] if text.strip() in MOVES else []


@domain("image_maze", family="looking closer", modality="synthetic")
@dataclass(frozen=True)
class ImageMazes:
    """Mazes by their seed; the environment shows them. The worked episode takes a shortest way.

    walls     share of walls that stand
    farthest  steps to the goal at most
    """

    walls: float = 0.35
    farthest: int = 4

    one_answer = "the environment judges; alone, the last move of the shortest way that it knows is right"

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """A seed."""
        maze, seed = ImageMaze(walls=self.walls, farthest=self.farthest), int(rng.integers(2**31))
        maze.reset(seed=seed)
        *before, last = maze.way()
        return Draft("Go to green.", last, metadata={"seed": seed}, response=last, turns=tuple(before))

    def verify(self, problem: Problem, response: str) -> Verdict:
        """A single turn, which no environment has judged."""
        said = response.strip()
        return Verdict.right(said) if said == problem.answer else Verdict.wrong("another move", said)
