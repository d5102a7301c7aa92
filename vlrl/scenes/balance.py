"""Domain `balance`: weigh shapes against each other on level scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vlrl.scenes.canvas import GREY, INK, NAMED, PAPERS, Canvas, Colour, Point
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled, shuffled
from vlrl.types import Draft

SHAPES = ("disc", "square", "triangle", "diamond")
PLURALS = {"disc": "discs", "square": "squares", "triangle": "triangles", "diamond": "diamonds"}


@domain("balance", family="mechanics")
@dataclass(frozen=True)
class Balance:
    """How many discs weigh as much as one triangle? The thought replaces step by step: `2+1=3 3*2=6`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"

    def __post_init__(self) -> None:
        check_at_least("domain 'balance', size", self.size, 96)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """Scales. Difficulty 0: one; .5: two in a chain; 1: three, and more than one piece is asked."""
        scales = scaled((1, 3), difficulty)
        shapes = shuffled(rng, SHAPES)[: scales + 1]  # shapes[0] is the unit in which the answer is asked
        colours = dict(zip(shapes, shuffled(rng, tuple(NAMED.values())[:6]), strict=False))
        weights, contents, steps = [1], [], []
        for i in range(1, scales + 1):
            before = int(rng.integers(1, 3)) if i > 1 else int(rng.integers(2, 7))  # pieces of the shape before
            units = int(rng.integers(0 if before > 1 else 1, 4)) if i > 1 else 0
            weight = before * weights[-1] + units
            if i > 1:
                steps.append(
                    f"{before}*{weights[-1]}+{units}={weight}" if units else f"{before}*{weights[-1]}={weight}"
                )
            weights.append(weight)
            contents.append(([shapes[i]], [shapes[i - 1]] * before + [shapes[0]] * units))
        asked = 1 if difficulty < 0.75 else int(rng.integers(1, 4))
        answer = asked * weights[-1]
        if asked > 1:
            steps.append(f"{asked}*{weights[-1]}={answer}")
        noun = f"one {shapes[-1]}" if asked == 1 else f"{asked} {PLURALS[shapes[-1]]}"
        question = pick(rng, ("How many {0} weigh as much as {1}?", "All scales are level. How many {0} balance {1}?"))
        canvas = Canvas(self.size, pick(rng, PAPERS))
        room = min(94 / scales, 46)
        top = 50 - room * scales / 2
        for i, at in enumerate(rng.permutation(scales).tolist()):
            sides = contents[at] if rng.random() < 0.5 else contents[at][::-1]
            self._scale(canvas, top + (i + 1) * room - 2, room, sides, colours)
        thought = " ".join(steps) or str(answer)
        scene = {"scales": contents, "unit": shapes[0], "other": (asked, shapes[-1])}
        return Draft(question.format(PLURALS[shapes[0]], noun), str(answer), (canvas.image(),), thought, scene=scene)

    def answers(self, scene: Any) -> set[str]:
        """What the scales' equations leave for the ratio of the two weights: one number, or nothing certain."""
        shapes = sorted({shape for sides in scene["scales"] for side in sides for shape in side})
        rows = [[left.count(s) - right.count(s) for s in shapes] for left, right in scene["scales"]]
        _, sizes, directions = np.linalg.svd(np.array(rows, float), full_matrices=True)
        if (sizes > 1e-9).sum() < len(shapes) - 1:
            return {"any number"}
        weights = dict(zip(shapes, directions[-1], strict=True))
        pieces, other = scene["other"]
        return {f"{pieces * weights[other] / weights[scene['unit']]:.6g}"}

    def _scale(
        self, canvas: Canvas, floor: float, room: float, sides: tuple[list[str], ...], colours: dict[str, Colour]
    ) -> None:
        beam = floor - room * 0.3
        canvas.polygon([(50, beam), (45, floor), (55, floor)], GREY)
        canvas.line((26, beam), (74, beam), INK, 1.2)
        canvas.disc((50, beam), 1.6, INK)
        for middle, pieces in zip((26.0, 74.0), sides, strict=True):
            plate = beam - 4
            canvas.line((middle, beam), (middle, plate), INK, 1.0)
            canvas.line((middle - 21, plate), (middle + 21, plate), INK, 1.2)
            half = min(5.0, room * 0.19)
            across = min(half * 2 + 1.2, 42 / max(len(pieces), 1))
            half = min(half, across / 2 - 0.3)
            for i, shape in enumerate(pieces):
                x = middle + (i - (len(pieces) - 1) / 2) * across
                _piece(canvas, shape, (x, plate - 1 - half), half, colours[shape])


def _piece(canvas: Canvas, shape: str, centre: Point, half: float, colour: Colour) -> None:
    x, y = centre
    if shape == "disc":
        canvas.disc(centre, half, colour)
    elif shape == "square":
        canvas.box(x - half * 0.9, y - half * 0.8, x + half * 0.9, y + half, colour)
    elif shape == "triangle":
        canvas.polygon([(x, y - half), (x + half, y + half), (x - half, y + half)], colour)
    else:
        canvas.polygon([(x, y - half), (x + half, y), (x, y + half), (x - half, y)], colour)
