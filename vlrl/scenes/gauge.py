"""Domain `gauge`: the value that a needle points to on a round scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, PAPERS, WHITE, Canvas, mixed, towards
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick
from vlrl.types import Draft

SWEEP = 240  # degrees from the first to the last mark
WORDINGS = ("What value does the needle show?", "Read the gauge.", "What value does this gauge show?")


@domain("gauge", family="gauges")
@dataclass(frozen=True)
class Gauge:
    """The value under a needle that always stands on a mark; the thought: label + marks × step, `40+3*2=46`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "the needle stands on a mark"

    def __post_init__(self) -> None:
        check_at_least("domain 'gauge', size", self.size, 48)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One gauge. Difficulty 0: on a labelled mark; .5: between labels; 1: odd steps, two needles."""
        sections = int(rng.integers(4, 7))
        marks = 1 if difficulty < 0.2 else int(rng.integers(2, 6)) if difficulty < 0.7 else int(rng.integers(4, 11))
        step = pick(rng, (1, 2, 5, 10) if difficulty < 0.7 else (1, 2, 3, 4, 5, 20))
        first = 0 if difficulty < 0.4 else int(rng.integers(-4, 9)) * marks * step
        at = int(rng.integers(sections * marks + 1))
        value = first + at * step
        colours = list(NAMED.items())
        colour_name, colour = colours[int(rng.integers(3))]  # red, blue or green
        second = difficulty >= 0.8
        question = f"What value does the {colour_name} needle show?" if second else pick(rng, WORDINGS)

        canvas, centre = Canvas(self.size, pick(rng, PAPERS)), (50.0, 54.0)
        canvas.disc(centre, 44, mixed(INK, WHITE, float(rng.uniform(0.1, 0.6))))
        canvas.disc(centre, 41, WHITE)
        for mark in range(sections * marks + 1):
            degrees = self._degrees(mark, sections * marks)
            major = mark % marks == 0
            outer = 28.8 if major else 27.6
            canvas.line(towards(centre, degrees, 25.5), towards(centre, degrees, outer), INK, 1.1 if major else 0.5)
            if major:
                words = str(first + mark * step)
                canvas.text(towards(centre, degrees, 35.2), words, {3: 4.6, 4: 3.6}.get(len(words), 5.2), INK)
        if second:
            _, other = colours[3 + int(rng.integers(3))]
            apart = int(rng.integers(sections * marks)) + 1
            degrees = self._degrees((at + apart) % (sections * marks + 1), sections * marks)
            canvas.line(towards(centre, degrees + 180, 5), towards(centre, degrees, 24.5), other, 1.8)
        degrees = self._degrees(at, sections * marks)
        left, right = towards(centre, degrees - 90, 1.7), towards(centre, degrees + 90, 1.7)
        canvas.polygon([left, towards(centre, degrees, 25.5), right, towards(centre, degrees + 180, 6)], colour)
        canvas.disc(centre, 3.4, INK)

        label, rest = divmod(at, marks)
        base = first + label * marks * step
        thought = f"{base}+{rest}*{step}={value}" if rest else f"{value}"
        return Draft(question, str(value), (canvas.image(),), thought)

    @staticmethod
    def _degrees(mark: int, last: int) -> float:
        return -SWEEP / 2 + SWEEP * mark / last
