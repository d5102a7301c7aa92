"""Domain `cube_stack`: count stacked cubes, hidden ones too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, PAPERS, WHITE, Canvas, Colour, Point, mixed
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.types import Draft

HIGHEST = 4
WORDINGS = (
    "How many cubes are in the stack? Hidden cubes count too: each cube stands on another one or on the floor.",
    "Count all cubes, hidden ones too. Every cube stands on another one or on the floor.",
)


@domain("cube_stack", family="space")
@dataclass(frozen=True)
class CubeStack:
    """Cubes in columns that get lower towards the viewer, so that the top of every column can be seen.

    The thought adds the heights of the columns, from the back row to the front row: `3+2+2+1=8`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "columns get lower towards the viewer: the top of each can be seen, and nothing is hollow"

    def __post_init__(self) -> None:
        check_at_least("domain 'cube_stack', size", self.size, 96)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One stack. Difficulty 0: 2 × 2 columns of at most 2; 1: 4 × 4 columns of at most 4."""
        side, highest = scaled((2, 4), difficulty), scaled((2, HIGHEST), difficulty)
        heights = rng.integers(0, highest + 1, size=(side, side))
        heights = np.sort(np.sort(heights, axis=0)[::-1], axis=1)[:, ::-1]  # sinks towards the viewer along both sides
        heights[0, 0] = max(1, heights[0, 0])
        colour = pick(rng, tuple(NAMED.values()))
        colours = {  # light comes from above left
            "top": mixed(colour, WHITE, 0.45),
            "left": colour,
            "right": mixed(colour, INK, 0.35),
        }
        canvas = Canvas(self.size, pick(rng, PAPERS))
        edge = min(88 / (side + highest), 90 / (side * 1.732))
        origin = (50.0, 50 + (highest - side) * edge / 2)
        floor = [self._at(origin, edge, x, y, 0) for x, y in ((0, 0), (side, 0), (side, side), (0, side))]
        canvas.polygon(floor, mixed(PAPERS[1], INK, 0.12), mixed(INK, WHITE, 0.5), 0.4)
        for x in range(side):
            for y in range(side):
                for z in range(int(heights[x, y])):
                    self._cube(canvas, origin, edge, (x, y, z), colours)
        terms = [int(h) for h in heights.flatten() if h]
        total = sum(terms)
        thought = f"{'+'.join(map(str, terms))}={total}"
        return Draft(pick(rng, WORDINGS), str(total), (canvas.image(),), thought)

    @staticmethod
    def _at(origin: Point, edge: float, x: float, y: float, z: float) -> Point:
        """A corner of the room on the image: x runs down to the right, y down to the left, z up."""
        return origin[0] + (x - y) * edge * 0.866, origin[1] + ((x + y) * 0.5 - z) * edge

    def _cube(
        self, canvas: Canvas, origin: Point, edge: float, place: tuple[int, int, int], colours: dict[str, Colour]
    ) -> None:
        x, y, z = place
        faces = {
            "top": ((0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)),
            "left": ((0, 1, 1), (1, 1, 1), (1, 1, 0), (0, 1, 0)),
            "right": ((1, 0, 1), (1, 1, 1), (1, 1, 0), (1, 0, 0)),
        }
        for face, corners in faces.items():
            points = [self._at(origin, edge, x + a, y + b, z + c) for a, b, c in corners]
            canvas.polygon(points, colours[face], INK, 0.35)
