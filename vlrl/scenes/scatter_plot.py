"""Domain `scatter_plot`: count the points of a region, or of one kind in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vlrl.scenes.canvas import GREY, INK, NAMED, PALE, WHITE, Canvas, Point
from vlrl.scenes.chart_frame import legend
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled, shuffled
from vlrl.scenes.figures import figure
from vlrl.types import Draft

LEFT, RIGHT, TOP, BOTTOM = 11.0, 95.0, 6.0, 82.0
FAR = 10  # both axes run from 0 to FAR
MOST = 6
KINDS = ("disc", "square", "triangle")


@domain("scatter_plot", family="charts")
@dataclass(frozen=True)
class ScatterPlot:
    """How many points have an x above 6? No point lies near a grid line that is asked about.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"

    def __post_init__(self) -> None:
        check_at_least("domain 'scatter_plot', size", self.size, 160)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One plot. Difficulty 0: one kind of point, one bound; .5: two kinds, one asked; 1: three, two bounds."""
        kinds = scaled((1, 3), difficulty)
        across, up = rng.integers(3, 8, size=2).tolist()
        bounds = {"x": (across, pick(rng, ("greater", "less"))), "y": (up, pick(rng, ("greater", "less")))}
        asked = ["x", "y"] if difficulty >= 0.75 else [pick(rng, "xy")]
        answer, other = int(rng.integers(MOST + 1)), int(rng.integers(3, 8))
        points: list[tuple[float, float]] = []
        marks: list[int] = []
        slope = pick(rng, (-1, 0, 1))
        while len(points) < answer + other:
            x = float(rng.uniform(0.4, FAR - 0.4))
            y = float(rng.uniform(0.4, FAR - 0.4))
            if slope and rng.random() < 0.5:  # half of the points follow a trend
                y = min(max((x if slope > 0 else FAR - x) + float(rng.uniform(-1.5, 1.5)), 0.4), FAR - 0.4)
            at = {"x": x, "y": y}
            if any(abs(at[a] - bounds[a][0]) < 0.3 for a in asked):
                continue
            if any(abs(x - a) + abs(y - b) < 0.9 for a, b in points):
                continue
            inside = all((at[a] > bounds[a][0]) == (bounds[a][1] == "greater") for a in asked)
            wanted = len(points) < answer
            if wanted and not inside:
                continue
            if not wanted and inside and kinds == 1:
                continue
            if wanted:
                mark = 0
            elif inside:
                mark = int(rng.integers(1, kinds))
            else:
                mark = int(rng.integers(kinds))
            points.append((x, y))
            marks.append(mark)
        names = shuffled(rng, ("red", "blue", "green", "purple"))[:kinds]
        forms = shuffled(rng, KINDS)
        conditions = [f"{a} {bounds[a][1]} than {bounds[a][0]}" for a in asked]
        noun = f"{names[0]} points" if kinds > 1 else "points"
        question = pick(rng, ("How many {} have {}?", "Count the {} with {}.")).format(noun, " and ".join(conditions))

        canvas = Canvas(self.size, WHITE)
        for i in range(FAR + 1):
            canvas.line(_at((i, 0)), _at((i, FAR)), PALE if i else GREY, 0.3)
            canvas.line(_at((0, i)), _at((FAR, i)), PALE if i else GREY, 0.3)
            canvas.text((_at((i, 0))[0], BOTTOM + 3.6), str(i), 4)
            canvas.text((LEFT - 1.6, _at((0, i))[1]), str(i), 4, anchor="rm")
        canvas.text((RIGHT + 2.5, BOTTOM), "x", 4.6, INK, bold=True)
        canvas.text((LEFT, TOP - 3), "y", 4.6, INK, bold=True)
        for i in rng.permutation(len(points)).tolist():
            figure(canvas, forms[marks[i]], _at(points[i]), 1.7, NAMED[names[marks[i]]], outline=False)
        if kinds > 1:
            legend(canvas, [(name, NAMED[name]) for name in sorted(names)])
        hits = sorted(round(p[0], 1) for p, m in list(zip(points, marks, strict=True))[:answer] if m == 0)
        thought = f"at x {', '.join(map(str, hits))}: {answer}" if hits else "none: 0"
        counted = [p for p, mark in zip(points, marks, strict=True) if mark == 0]
        scene = {"points": counted, "bounds": [(a, *bounds[a]) for a in asked]}
        return Draft(question, str(answer), (canvas.image(),), thought, scene=scene)

    def answers(self, scene: Any) -> set[str]:
        """The counts of points on the asked side of every bound, when it is read up to a quarter of a unit off."""
        found = set()
        for off in (-0.25, 0.0, 0.25):
            inside = [
                all((point["xy".index(a)] > bound + off) == (side == "greater") for a, bound, side in scene["bounds"])
                for point in scene["points"]
            ]
            found.add(str(sum(inside)))
        return found


def _at(place: tuple[float, float]) -> Point:
    return LEFT + (RIGHT - LEFT) * place[0] / FAR, BOTTOM - (BOTTOM - TOP) * place[1] / FAR
