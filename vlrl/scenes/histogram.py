"""Domain `histogram`: how many values lie in a range of classes?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, WHITE, Canvas, mixed
from vlrl.scenes.chains import running_sum
from vlrl.scenes.chart_frame import BOTTOM, LEFT, RIGHT, grid_lines, height_of
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.types import Draft

LEVELS = 10
SUBJECTS = (("pupils", "points"), ("trees", "metres"), ("parcels", "kilograms"), ("runners", "minutes"))


@domain("histogram", family="charts")
@dataclass(frozen=True)
class Histogram:
    """A count from the bars of a histogram; every bar ends on a grid line. The thought adds bars: `3+5=8`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"

    def __post_init__(self) -> None:
        check_at_least("domain 'histogram', size", self.size, 160)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One histogram. Difficulty 0: one class of four; .5: all above or below an edge; 1: between two, of eight."""
        classes = scaled((4, 8), difficulty)
        width, first = pick(rng, (2, 5, 10, 20)), int(rng.integers(4))
        step = 1 if difficulty < 0.3 else pick(rng, (1, 2, 5))
        peak = float(rng.uniform(0, classes))
        shape = np.exp(-(((np.arange(classes) + 0.5 - peak) / classes) ** 2) * 4)
        counts = np.clip(np.rint(shape * LEVELS * rng.uniform(0.5, 1.1, size=classes)), 1, LEVELS).astype(int)
        edges = [(first + i) * width for i in range(classes + 1)]
        noun, unit = pick(rng, SUBJECTS)
        if difficulty < 0.3:
            low = int(rng.integers(classes))
            high = low + 1
            where = f"{edges[low]} to {edges[high]} {unit}"
        elif difficulty < 0.75:
            cut = int(rng.integers(1, classes))
            low, high = (0, cut) if rng.random() < 0.5 else (cut, classes)
            where = f"less than {edges[cut]} {unit}" if low == 0 else f"at least {edges[cut]} {unit}"
        else:
            low = int(rng.integers(classes - 2))
            high = int(rng.integers(low + 3, min(classes, low + 5) + 1))
            where = f"{edges[low]} to {edges[high]} {unit}"
        question = pick(rng, ("How many {0} have {1}?", "Count the {0} with {1}.", "{1}: how many {0} is that?"))
        question = question.format(noun, where)
        terms = [int(n) * step for n in counts[low:high]]
        answer = sum(terms)

        canvas = Canvas(self.size, WHITE)
        grid_lines(canvas, LEVELS, step, bottom=BOTTOM)
        colour, wide = pick(rng, tuple(NAMED.values())), (RIGHT - LEFT - 4) / classes
        for i, count in enumerate(counts.tolist()):
            left = LEFT + 2 + i * wide
            canvas.box(
                left, height_of(count, LEVELS), left + wide, BOTTOM, mixed(colour, WHITE, 0.3), mixed(colour, INK, 0.4)
            )
        for i, edge in enumerate(edges):
            canvas.text((LEFT + 2 + i * wide, BOTTOM + 4), str(edge), 4.2 if classes < 7 else 3.6, INK)
        canvas.text(((LEFT + RIGHT) / 2, BOTTOM + 11), unit, 4.6, INK)
        thought = running_sum(terms) if len(terms) > 1 else str(answer)
        return Draft(question[0].upper() + question[1:], str(answer), (canvas.image(),), thought)
