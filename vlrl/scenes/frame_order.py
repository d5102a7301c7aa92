"""Domain `frame_order`: frames of a moving camera, in the wrong order."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vlrl.scenes.domain import domain
from vlrl.scenes.draws import pick
from vlrl.scenes.image_pool import crop, differ
from vlrl.scenes.panels import page
from vlrl.scenes.photo_puzzle import PhotoPuzzle
from vlrl.types import Draft

MOVES = {"right": "moves to the right", "left": "moves to the left", "in": "moves closer", "out": "moves away"}
LEAST = 4.0  # grey levels by which one frame differs from the next


@domain("frame_order", family="puzzles", modality="real")
@dataclass(frozen=True)
class FrameOrder(PhotoPuzzle):
    """Which frame came first, second, third, fourth? The thought names the order.

    Settings are those of `PhotoPuzzle`.
    """

    verifier = "list"

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """Four frames. Difficulty 0: large steps of the camera; 1: small ones."""
        move = pick(rng, tuple(MOVES))
        side = round(self.size * 0.475)
        share = 0.62 - 0.12 * (1 - difficulty)  # of the image's height that the closest frame covers
        step = (0.22 - 0.13 * difficulty) * side * share
        frames = []
        if move in ("right", "left"):
            pixels = crop(rng, self.images, self.split, side, pieces=2)
            extent = round(side * share)
            top = int(rng.integers(side - extent + 1))
            start = (side - extent - 3 * step) / 2
            lefts = [round(start + i * step) for i in range(4)]
            frames = [pixels[top : top + extent, x : x + extent] for x in (lefts if move == "right" else lefts[::-1])]
        else:
            pixels = crop(rng, self.images, self.split, side, pieces=2)
            extents = [round(side * (1 - (0.16 - 0.08 * difficulty) * i)) for i in range(4)]
            for extent in extents if move == "in" else extents[::-1]:
                inset = (side - extent) // 2
                frames.append(pixels[inset : inset + extent, inset : inset + extent])
        frames = [np.asarray(cv2.resize(f, (side, side), interpolation=cv2.INTER_LINEAR)) for f in frames]
        order = rng.permutation(4).tolist()  # order[panel] = when it was taken
        scene = (frames, order)
        if len(self.answers(scene)) > 1:
            return self.draw(rng, difficulty)
        canvas = page(self.size, [frames[i] for i in order], "ABCD")
        answer = ", ".join("ABCD"[order.index(i)] for i in range(4))
        question = pick(
            rng,
            (
                "The camera {}. List the frames A, B, C and D in the order in which they were taken.",
                "Four frames of a film: the camera {}. Which came first, second, third and fourth?",
            ),
        )
        return Draft(question.format(MOVES[move]), answer, (canvas.image(),), f"in order {answer}", scene=scene)

    def answers(self, scene: tuple[list[np.ndarray], list[int]]) -> set[str]:
        """The order in which the frames were taken, and others with neighbours exchanged that can't be told apart."""
        frames, order = scene
        letters = ["ABCD"[order.index(i)] for i in range(4)]
        found = {", ".join(letters)}
        for i in range(3):
            if not differ(frames[i], frames[i + 1], LEAST):
                found.add(", ".join([*letters[:i], letters[i + 1], letters[i], *letters[i + 2 :]]))
        return found
