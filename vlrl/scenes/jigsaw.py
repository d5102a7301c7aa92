"""Domain `jigsaw`: the pieces of an image lie in the wrong places; which piece belongs where?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar

import numpy as np

from vlrl.scenes.canvas import WHITE, Canvas
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import pick
from vlrl.scenes.image_pool import crop, differ
from vlrl.scenes.panels import badge, paste
from vlrl.scenes.photo_puzzle import PhotoPuzzle
from vlrl.types import Draft


@domain("jigsaw", family="puzzles", modality="real")
@dataclass(frozen=True)
class Jigsaw(PhotoPuzzle):
    """Piece numbers in the reading order of the whole image; the thought says which piece goes to each place.

    Settings are those of `PhotoPuzzle`.
    """

    verifier = "list"
    least_size: ClassVar[int] = 96

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One puzzle. Difficulty 0: 3 strips; .5: 2 × 2 pieces; 1: 3 × 2 pieces."""
        columns, rows = (3, 1) if difficulty < 0.3 else (2, 2) if difficulty < 0.75 else (3, 2)
        wide, high = 96 / columns, 96 / rows
        while True:
            pixels = crop(rng, self.images, self.split, round(self.size * 0.96), pieces=2 if rows == 2 else 3)
            far, tall = pixels.shape[1] // columns, pixels.shape[0] // rows
            pieces = [
                pixels[r * tall : (r + 1) * tall, c * far : (c + 1) * far] for r in range(rows) for c in range(columns)
            ]
            if all(differ(a, b) for a, b in combinations(pieces, 2)):
                break
        order = rng.permutation(len(pieces)).tolist()  # order[place on the page] = place in the whole image
        canvas = Canvas(self.size, WHITE)
        for at, place in enumerate(order):
            left, top = 1 + at % columns * (wide + 1), 1 + at // columns * (high + 1)
            paste(canvas, pieces[place], left, top, wide - 0.5, high - 0.5)
            badge(canvas, left + 4.5, top + 4.5, str(at + 1))
        answer = ", ".join(str(order.index(place) + 1) for place in range(len(pieces)))
        form = f"{rows} rows of {columns}" if rows > 1 else f"one row of {columns}"
        question = pick(
            rng,
            (
                "The pieces of an image are mixed up ({}). List their numbers in order, row by row from the top left.",
                "Put the image together ({}). Which pieces belong in its places, row by row from the top left?",
            ),
        )
        thought = f"in reading order {answer}"
        return Draft(
            question.format(form), answer, (canvas.image(),), thought, scene={"pieces": pieces, "order": order}
        )

    def answers(self, scene: Any) -> set[str]:
        """The right order, and every one with two pieces exchanged that don't clearly differ."""
        pieces, order = scene["pieces"], scene["order"]
        right = [str(order.index(place) + 1) for place in range(len(pieces))]
        found = {", ".join(right)}
        for a, b in combinations(range(len(pieces)), 2):
            if not differ(pieces[a], pieces[b]):
                found.add(", ".join({a: right[b], b: right[a]}.get(i, number) for i, number in enumerate(right)))
        return found
