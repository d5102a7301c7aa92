"""Domain `light_ray`: follow a ray of light from mirror to mirror until it leaves the grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import GREY, INK, NAMED, PAPERS, WHITE, Canvas, Point, mixed
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, either, pick, scaled, shuffled
from vlrl.types import Draft

Square = tuple[int, int]  # row, column; outside the grid where the ray enters and leaves
TURNS = {"/": {(0, 1): (-1, 0), (0, -1): (1, 0), (1, 0): (0, -1), (-1, 0): (0, 1)}}
TURNS["\\"] = {way: (-down, -right) for way, (down, right) in TURNS["/"].items()}
NAMES = {(0, 1): "right", (0, -1): "left", (1, 0): "down", (-1, 0): "up"}


@domain("light_ray", family="trajectories")
@dataclass(frozen=True)
class LightRay:
    """Which letter does the ray reach? The thought names its directions in turn: `right up left B`.

    size  pixels, square
    """

    size: int = 288

    verifier = "choice"
    one_answer = "a ray has one path between mirrors, and each way out has its own letter"

    def __post_init__(self) -> None:
        check_at_least("domain 'light_ray', size", self.size, 128)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One grid. Difficulty 0: one or two mirrors are met; 1: four to six, among more that are not."""
        side = scaled((4, 6), difficulty)
        least, most = scaled((1, 4), difficulty), scaled((2, 6), difficulty)
        while True:
            cells = [(i // side, i % side) for i in rng.permutation(side * side).tolist()]
            mirrors = {cell: pick(rng, "/\\") for cell in cells[: scaled((4, 12), difficulty)]}
            row = int(rng.integers(side))
            start, way = pick(
                rng, (((row, -1), (0, 1)), ((row, side), (0, -1)), ((-1, row), (1, 0)), ((side, row), (-1, 0)))
            )
            goal, ways, met = _trace(mirrors, start, way, side)
            if goal == start or not least <= len(met) <= most:
                continue
            others = {_trace({k: v for k, v in mirrors.items() if k != m}, start, way, side)[0] for m in met}
            others |= {_trace({**mirrors, m: "/\\"[mirrors[m] == "/"]}, start, way, side)[0] for m in met}
            wrong = shuffled(rng, sorted(others - {goal, start}))
            rim = [
                (r, c)
                for r in range(-1, side + 1)
                for c in range(-1, side + 1)
                if (r in (-1, side)) != (c in (-1, side))
            ]
            wrong = [*wrong, *shuffled(rng, [r for r in rim if r not in wrong and r not in (goal, start)])][:3]
            break
        ends = shuffled(rng, [goal, *wrong])
        choices = list("ABCD")
        answer = choices[ends.index(goal)]

        canvas, step = Canvas(self.size, pick(rng, PAPERS)), 78 / side
        grid = mixed(GREY, WHITE, 0.55)
        canvas.box(11, 11, 89, 89, WHITE)
        for i in range(side + 1):
            canvas.line((11 + i * step, 11), (11 + i * step, 89), grid, 0.4)
            canvas.line((11, 11 + i * step), (89, 11 + i * step), grid, 0.4)

        def middle(cell: Square) -> Point:
            x, y = (11 + (i + 0.5) * step if 0 <= i < side else 5.5 if i < 0 else 94.5 for i in (cell[1], cell[0]))
            return x, y

        for cell, form in mirrors.items():
            (x, y), reach = middle(cell), step * 0.36
            lift = -reach if form == "/" else reach
            canvas.line((x - reach, y - lift), (x + reach, y + lift), INK, 1.9)
            canvas.line((x - reach, y - lift), (x + reach, y + lift), (120, 170, 215), 0.8)
        x, y = middle(start)
        tip = (x + way[1] * 3.4, y + way[0] * 3.4)
        canvas.line((x - way[1] * 3, y - way[0] * 3), tip, NAMED["red"], 1.3)
        degrees = {(0, 1): 90.0, (0, -1): 270.0, (1, 0): 180.0, (-1, 0): 0.0}[way]
        canvas.arrow_head((tip[0] + way[1] * 2.4, tip[1] + way[0] * 2.4), degrees, 5, NAMED["red"])
        for letter, cell in zip(choices, ends, strict=True):
            canvas.disc(middle(cell), 4.2, INK)
            canvas.text(middle(cell), letter, 5.6, WHITE, bold=True)
        question = pick(
            rng,
            (
                "Which letter does the ray of light reach: {}?",
                "The mirrors turn the ray of light. At which letter does it leave the grid: {}?",
            ),
        )
        return Draft(
            question.format(either(choices)),
            answer,
            (canvas.image(),),
            " ".join([*(NAMES[w] for w in ways), answer]),
            metadata={"choices": choices},
            guess_rate=0.25,
        )


def _trace(
    mirrors: dict[Square, str], start: Square, way: Square, side: int
) -> tuple[Square, list[Square], list[Square]]:
    """Where the ray leaves, its directions in turn, and the mirrors that it meets, each once."""
    here, ways = start, [way]
    met: list[Square] = []
    while True:
        here = here[0] + way[0], here[1] + way[1]
        if not (0 <= here[0] < side and 0 <= here[1] < side):
            return here, ways, met
        if here in mirrors:
            way = TURNS[mirrors[here]][way]
            ways.append(way)
            if here not in met:
                met.append(here)
