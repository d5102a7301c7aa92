"""A domain of one's own in one file: how many cars may go? Named under `plugins:` in a recipe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from vlrl.scenes.domain import domain
from vlrl.types import Draft

COLOURS = ("#dc2626", "#f59e0b", "#16a34a")  # from top to bottom: stop, wait, go


@domain("traffic_lights", family="counting")
@dataclass(frozen=True)
class TrafficLights:
    """Traffic lights in a row, some of them green. Difficulty 0: two; 1: six."""

    size: int = 96  # pixels, square

    verifier = "number"
    one_answer = "every light shows one of three colours, and none covers another"

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One row of lights."""
        count = 2 + round(4 * difficulty)
        lit = rng.integers(0, 3, size=count)
        image = Image.new("RGB", (self.size, self.size), "#e8eef4")
        pen = ImageDraw.Draw(image)
        lamp = self.size // 8
        for i, colour in enumerate(lit):
            left = int((i + 0.5) * self.size / count - lamp / 2)
            top = int(rng.integers(2, self.size - 3 * lamp - 2))
            pen.rectangle((left - 1, top - 1, left + lamp, top + 3 * lamp), fill="#1f2937")
            for place in range(3):
                box = (left, top + place * lamp, left + lamp - 1, top + (place + 1) * lamp - 1)
                pen.ellipse(box, fill=COLOURS[place] if place == colour else "#4b5563")
        green = int((lit == 2).sum())
        thought = " ".join(("stop", "wait", "go")[colour] for colour in lit)
        return Draft("How many traffic lights are green?", str(green), images=(image,), thought=thought)
