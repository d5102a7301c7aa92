"""Domain `polygon_angle`: the missing angle of a triangle, a quadrilateral or a pentagon."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, PAPERS, WHITE, Canvas, Point, mixed, towards
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.types import Draft

WORDINGS = ("How many degrees is angle x?", "Find angle x in degrees.", "What is the size of angle x in degrees?")


@domain("polygon_angle", family="geometry")
@dataclass(frozen=True)
class PolygonAngle:
    """All angles but one are labelled, and drawn as large as they are; the thought: `50+60=110 180-110=70`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "the sum of a polygon's angles leaves one"

    def __post_init__(self) -> None:
        check_at_least("domain 'polygon_angle', size", self.size, 160)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One polygon. Difficulty 0: a triangle in tens of degrees; .5: a quadrilateral; 1: a pentagon, x outside."""
        corners = scaled((3, 5), difficulty)
        outside = difficulty >= 0.7 and rng.random() < 0.5
        points, angles = self._polygon(rng, corners, 10 if difficulty < 0.3 else 5 if difficulty < 0.7 else 1)
        asked = int(rng.integers(corners))
        total = 180 * (corners - 2)
        others = [angle for i, angle in enumerate(angles) if i != asked]
        inner = angles[asked]
        steps = [f"{'+'.join(map(str, others))}={sum(others)}", f"{total}-{sum(others)}={inner}"]
        if outside:
            steps.append(f"180-{inner}={180 - inner}")
        answer = 180 - inner if outside else inner

        if outside:  # leaves room for what lies around the polygon
            points = [(50 + (x - 50) * 0.78, 50 + (y - 50) * 0.78) for x, y in points]
        marked: list[tuple[Point, float, float, str]] = []  # corner, first arm, sweep, words
        canvas = Canvas(self.size, pick(rng, PAPERS))
        colour = pick(rng, tuple(NAMED.values()))
        canvas.polygon(points, mixed(colour, WHITE, 0.75), INK, 0.8)
        for i, (point, angle) in enumerate(zip(points, angles, strict=True)):
            ahead, behind = points[(i + 1) % corners], points[i - 1]
            start, end = _direction(point, ahead), _direction(point, behind)
            if i == asked and outside:  # between the side that is drawn on and the next side
                end = (end + 180) % 360
                canvas.line(point, towards(point, end, 15), INK, 0.6)
            sweep = (end - start) % 360
            if sweep > 180:
                start, sweep = end, 360 - sweep
            canvas.arc(point, 6.5, start, start + sweep, colour if i != asked else INK, 0.7)
            marked.append((point, start, sweep, "x" if i == asked else f"{angle}°"))
        for point, start, sweep, words in marked:
            between = [
                towards(point, start + sweep * share, reach)
                for reach in range(12, 27, 2)
                for share in (0.5, 0.4, 0.6, 0.3, 0.7)
            ]
            if not canvas.place(between, words, 6 if words == "x" else 5.2, INK, bold=words == "x"):
                return self.draw(rng, difficulty)
        return Draft(pick(rng, WORDINGS), str(answer), (canvas.image(),), " ".join(steps), metadata={"unit": "degrees"})

    @staticmethod
    def _polygon(rng: np.random.Generator, corners: int, step: int) -> tuple[list[Point], list[int]]:
        """Corners in drawing order and whole inner angles in multiples of `step`; the drawing has just these angles."""
        total = 180 * (corners - 2)
        while True:
            low, high = (30 if corners == 3 else 60), (120 if corners == 3 else 145)
            angles = [step * int(rng.integers(-(-low // step), high // step + 1)) for _ in range(corners - 1)]
            angles.append(total - sum(angles))
            if not low <= angles[-1] <= high or 90 in angles[-1:]:
                continue
            # Walk around: directions follow from the angles; the last two sides close the figure.
            headings, heading = [], float(rng.uniform(0, 360))
            for i in range(corners):
                headings.append(heading)
                heading += 180 - angles[(i + 1) % corners]
            lengths = rng.uniform(0.8, 1.3, size=corners - 2).tolist()
            place: Point = (0.0, 0.0)
            points = [place]
            for turn, length in zip(headings, lengths, strict=False):
                place = towards(place, turn, length)
                points.append(place)
            a, b = headings[-2], headings[-1]
            matrix = np.array(
                [
                    [math.sin(math.radians(a)), math.sin(math.radians(b))],
                    [-math.cos(math.radians(a)), -math.cos(math.radians(b))],
                ]
            )
            fit = np.linalg.solve(matrix, -np.array(place))
            if min(fit) < 0.6 or max(fit) > 2.2:
                continue
            points.append(towards(place, a, float(fit[0])))
            xs, ys = [p[0] for p in points], [p[1] for p in points]
            span = max(max(xs) - min(xs), max(ys) - min(ys))
            scale = 80 / span
            shift = 50 - scale * (max(xs) + min(xs)) / 2, 50 - scale * (max(ys) + min(ys)) / 2
            placed = [(x * scale + shift[0], y * scale + shift[1]) for x, y in points]
            if min(math.dist(p, q) for p, q in zip(placed, placed[1:] + placed[:1], strict=True)) > 30:
                return placed, angles


def _direction(start: Point, end: Point) -> float:
    """Degrees clockwise from 12 o'clock."""
    return math.degrees(math.atan2(end[0] - start[0], start[1] - end[1])) % 360
