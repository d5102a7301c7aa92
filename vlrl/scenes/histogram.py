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
# what is counted, the unit along the axis, and what one has: "How many trees are 5 metres tall?"
SUBJECTS = (
    ("pupils", "points", "have {}", "with {}"),
    ("trees", "metres", "are {} tall", "that are {} tall"),
    ("parcels", "kilograms", "weigh {}", "that weigh {}"),
    ("runners", "minutes", "took {}", "who took {}"),
)


@domain("histogram", family="charts")
@dataclass(frozen=True)
class Histogram:
    """A count from the bars of a histogram; every bar ends on a grid line. The thought adds bars: `3+5=8`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "every bound that is asked about is an edge between two bars"

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
        noun, unit, verb, clause = pick(rng, SUBJECTS)
        fewer = "fewer" if unit == "points" else "less"
        if difficulty < 0.3:
            low = int(rng.integers(classes))
            high = low + 1
            where = f"{edges[low]} to under {edges[high]} {unit}"
        elif difficulty < 0.75:
            cut = int(rng.integers(1, classes))
            low, high = (0, cut) if rng.random() < 0.5 else (cut, classes)
            where = f"{fewer} than {edges[cut]} {unit}" if low == 0 else f"{edges[cut]} {unit} or more"
        else:
            low = int(rng.integers(classes - 2))
            high = int(rng.integers(low + 3, min(classes, low + 5) + 1))
            where = f"{edges[low]} to under {edges[high]} {unit}"
        question = pick(rng, ("How many {0} {1}?", "Count the {0} {2}."))
        question = question.format(noun, verb.format(where), clause.format(where))
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
        return Draft(question, str(answer), (canvas.image(),), thought)
