"""Domain `odd_transform`: four views of one image, and one of them was changed in another way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from vlrl.scenes.domain import domain
from vlrl.scenes.draws import pick
from vlrl.scenes.image_pool import crop, differ
from vlrl.scenes.panels import page
from vlrl.scenes.photo_puzzle import PhotoPuzzle
from vlrl.types import Draft

WORDINGS = {
    "mirror": (
        "Three panels show one image, turned or not, and one shows its mirror image. Which one is it: A, B, C or D?",
        "Which panel is mirrored, while the others are only turned: A, B, C or D?",
    ),
    "turn": (
        "Which panel shows the image turned another way than the rest: A, B, C or D?",
        "One panel is not turned like the others. Which one is it: A, B, C or D?",
    ),
    "blur": (
        "Which panel is less sharp than the others: A, B, C or D?",
        "One panel is blurred. Which one is it: A, B, C or D?",
    ),
    "swap": (
        "In one panel two quarters of the image have changed places. Which one is it: A, B, C or D?",
        "Which panel has two of its quarters swapped: A, B, C or D?",
    ),
}


@domain("odd_transform", family="puzzles", modality="real")
@dataclass(frozen=True)
class OddTransform(PhotoPuzzle):
    """Find the panel with the odd change; the thought names change and panel.

    Settings are those of `PhotoPuzzle`.
    """

    verifier = "choice"

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One page. Difficulty 0: the odd panel is turned; .5: swapped or blurred; 1: mirrored, all turned."""
        kind = "turn" if difficulty < 0.3 else pick(rng, ("swap", "blur")) if difficulty < 0.75 else "mirror"
        side = round(self.size * 0.475)
        while True:
            pixels = crop(rng, self.images, self.split, side)
            mirrored = pixels[:, ::-1]
            half = side // 2
            quarters = [pixels[y : y + half, x : x + half] for y in (0, side - half) for x in (0, side - half)]
            swapped = [(a, b) for a in range(4) for b in range(a) if differ(quarters[a], quarters[b], 25)]
            if (
                swapped
                and all(differ(mirrored, np.rot90(pixels, k)) for k in range(4))
                and all(differ(pixels, np.rot90(pixels, k)) for k in (1, 2, 3))
            ):
                break
        odd = int(rng.integers(4))
        panels = [pixels] * 4
        if kind == "turn":
            panels[odd] = np.rot90(pixels, int(rng.integers(1, 4)))
        elif kind == "blur":
            panels[odd] = np.asarray(cv2.GaussianBlur(pixels, (0, 0), side * (0.024 - 0.01 * difficulty)))
        elif kind == "swap":
            changed, (a, b) = pixels.copy(), pick(rng, swapped)
            for place, which in ((a, b), (b, a)):
                y, x = place // 2 * (side - half), place % 2 * (side - half)
                changed[y : y + half, x : x + half] = quarters[which]
            panels[odd] = changed
        else:
            panels[odd] = mirrored
            panels = [np.rot90(p, int(k)) for p, k in zip(panels, rng.integers(4, size=4), strict=True)]
        if kind == "blur" and not _sharper(pixels, panels[odd]):  # it was blurred before
            return self.draw(rng, difficulty)
        canvas = page(self.size, panels, "ABCD")
        answer = "ABCD"[odd]
        word = {"turn": "turned", "blur": "blurred", "swap": "swapped", "mirror": "mirrored"}[kind]
        return Draft(
            pick(rng, WORDINGS[kind]),
            answer,
            (canvas.image(),),
            f"{word}: {answer}",
            metadata={"choices": list("ABCD")},
            guess_rate=0.25,
            scene={"kind": kind, "panels": panels},
        )

    def answers(self, scene: Any) -> set[str]:
        """The panels that clearly differ from each of the others, turned or not where the question allows it."""
        turns = range(4) if scene["kind"] == "mirror" else (0,)

        def same(one: np.ndarray, other: np.ndarray) -> bool:
            if scene["kind"] == "blur":
                return not _sharper(one, other) and not _sharper(other, one)
            if scene["kind"] == "swap":  # a quarter of the image may be all that changed
                return not differ(one, other, 6)
            return any(not differ(one, np.rot90(other, k)) for k in turns)

        shown = scene["panels"]
        alike = [sum(same(a, b) for b in shown) for a in shown]
        return {letter for letter, count in zip("ABCD", alike, strict=True) if count == 1}


def _sharper(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether one image has clearly more fine detail than another: twice the variance of the Laplacian."""
    fine, coarse = (float(cv2.Laplacian(np.ascontiguousarray(p), cv2.CV_32F).var()) for p in (one, other))
    return fine > 2 * coarse
