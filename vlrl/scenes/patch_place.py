"""Domain `patch_place`: which patch fills the hole in an image?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from vlrl.scenes.canvas import GREY, WHITE, Canvas
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import pick, shuffled
from vlrl.scenes.image_pool import crop, differ
from vlrl.scenes.panels import badge, paste
from vlrl.scenes.photo_puzzle import PhotoPuzzle
from vlrl.types import Draft


@domain("patch_place", family="puzzles", modality="real")
@dataclass(frozen=True)
class PatchPlace(PhotoPuzzle):
    """One of four patches was cut out of the image; the others come from the same image, all the right way up.

    Settings are those of `PhotoPuzzle`.
    """

    verifier = "choice"

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One image. Difficulty 0: a large hole; 1: a small one, and the wrong patches come from nearby."""
        side = round(self.size * 0.7)
        hole = round(side * (0.3 - 0.08 * difficulty))
        reach = side if difficulty < 0.6 else round(hole * 1.6)
        while True:
            pixels = crop(rng, self.images, self.split, side, pieces=2)
            top, left = rng.integers(side // 20, side - hole - side // 20, size=2).tolist()
            corners = [(top, left)]
            for y, x in rng.integers(0, side - hole, size=(60, 2)).tolist():
                near = max(abs(y - top), abs(x - left)) <= reach
                if near and all(max(abs(y - a), abs(x - b)) > hole * 0.6 for a, b in corners):
                    corners.append((y, x))
            patches = [pixels[y : y + hole, x : x + hole] for y, x in corners[:4]]
            if len(patches) == 4 and all(differ(a, b) for a, b in combinations(patches, 2)):
                break
        order = shuffled(rng, range(4))
        answer = "ABCD"[order.index(0)]
        canvas, place = Canvas(self.size, WHITE), (100 - 70) / 2
        paste(canvas, pixels, place, 1.5, 70)
        x, y, wide = place + 70 * left / side, 1.5 + 70 * top / side, 70 * hole / side
        canvas.box(x, y, x + wide, y + wide, GREY)
        canvas.text((x + wide / 2, y + wide / 2), "?", wide * 0.6, WHITE, bold=True)
        for i, which in enumerate(order):
            paste(canvas, patches[which], 3 + 24.5 * i, 76, 21)
            badge(canvas, 5.5 + 24.5 * i, 78.5, "ABCD"[i])
        question = pick(
            rng,
            (
                "Which patch fills the hole: A, B, C or D?",
                "A patch was cut out at the question mark. Which one was it: A, B, C or D?",
            ),
        )
        return Draft(
            question,
            answer,
            (canvas.image(),),
            f"patch {answer}",
            metadata={"choices": list("ABCD")},
            guess_rate=0.25,
            scene={"hole": patches[0], "offered": [patches[i] for i in order]},
        )

    def answers(self, scene: Any) -> set[str]:
        """The patches that don't clearly differ from what was in the hole."""
        return {c for c, patch in zip("ABCD", scene["offered"], strict=True) if not differ(patch, scene["hole"])}
