"""Domain `image_rotation`: by how much was an image turned?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from vlrl.scenes.canvas import WHITE, Canvas
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import pick
from vlrl.scenes.image_pool import crop, differ
from vlrl.scenes.panels import badge, paste
from vlrl.scenes.photo_puzzle import PhotoPuzzle
from vlrl.types import Draft

TURNS = ("0", "90", "180", "270")


@domain("image_rotation", family="puzzles", modality="real")
@dataclass(frozen=True)
class ImageRotation(PhotoPuzzle):
    """Image 1 is upright, image 2 the same one turned clockwise by 0, 90, 180 or 270 degrees.

    size      pixels in width; the image is half as high
    images  photographs, scenes, or a folder
    split     train and held-out problems share no photograph, or part of one
    """

    size: int = 320

    verifier = "choice"
    least_size: ClassVar[int] = 96

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One pair. Difficulty 0: the whole image is seen; 1: only a small part of the turned one."""
        side = round(self.size * 0.47)
        shown = round(side * (1 - 0.55 * difficulty))  # the middle of the turned one, at its scale
        inset = (side - shown) // 2
        turns = int(rng.integers(4))
        while True:
            pixels = crop(rng, self.images, self.split, side)
            part = np.rot90(pixels, -turns)[inset : inset + shown, inset : inset + shown]
            scene = {"upright": pixels[inset : inset + shown, inset : inset + shown], "turned": part}
            if self.answers(scene) == {TURNS[turns]}:
                break
        canvas = Canvas(self.size, WHITE, height=50)
        paste(canvas, pixels, 1.5, 1.5, 47)
        # drawn a little smaller: equal rows side by side would make the file of an unturned image smaller
        wide = 47 * shown / side * float(rng.uniform(0.82, 0.97))
        paste(canvas, part, 51.5 + (47 - wide) / 2, 1.5 + (47 - wide) / 2, wide)
        badge(canvas, 5, 5, "1")
        badge(canvas, 55, 5, "2")
        question = pick(
            rng,
            (
                "Image 2 is image 1 turned clockwise. By how many degrees: 0, 90, 180 or 270?",
                "By how many degrees was image 1 turned clockwise to give image 2: 0, 90, 180 or 270?",
            ),
        )
        thought = f"quarter turns {turns}, {turns}*90={turns * 90}"
        return Draft(
            question,
            TURNS[turns],
            (canvas.image(),),
            thought,
            metadata={"choices": list(TURNS)},
            guess_rate=0.25,
            scene=scene,
        )

    def answers(self, scene: Any) -> set[str]:
        """The turns after which what is seen of the upright image doesn't clearly differ from the turned one."""
        turned = scene["turned"]
        return {TURNS[k] for k in range(4) if not differ(np.rot90(scene["upright"], -k), turned)}
