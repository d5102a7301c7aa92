"""Domain `missing_side`: a length that is not written down: by adding, by Pythagoras, by similar triangles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, PAPERS, WHITE, Canvas, Point, mixed, towards
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick
from vlrl.types import Draft

TRIPLES = (
    (3, 4, 5),
    (6, 8, 10),
    (5, 12, 13),
    (9, 12, 15),
    (8, 15, 17),
    (12, 16, 20),
    (7, 24, 25),
    (15, 20, 25),
    (20, 21, 29),
)
WORDINGS = ("How long is the side x?", "Find the length x.", "What is the length of the side x?")


@domain("missing_side", family="geometry")
@dataclass(frozen=True)
class MissingSide:
    """The length of one side of a triangle; the thought is the calculation: `5*5-3*3=16 4*4=16 x=4`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "perimeter, Pythagoras and similar triangles each leave one length"

    def __post_init__(self) -> None:
        check_at_least("domain 'missing_side', size", self.size, 128)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One figure. Difficulty 0: from the perimeter; .5: a right-angled triangle; 1: similar triangles."""
        while (made := self._figure(rng, difficulty)) is None:  # until every label has room
            continue
        return made

    def _figure(self, rng: np.random.Generator, difficulty: float) -> Draft | None:
        canvas = Canvas(self.size, pick(rng, PAPERS))
        shade = mixed(pick(rng, tuple(NAMED.values())), WHITE, 0.72)
        if difficulty < 0.3:
            question, answer, thought = self._perimeter(canvas, rng, shade)
        elif difficulty < 0.75:
            question, answer, thought = self._right_angle(canvas, rng, shade)
        else:
            question, answer, thought = self._similar(canvas, rng, shade)
        return None if canvas.illegible() else Draft(question, str(answer), (canvas.image(),), thought)

    def _perimeter(self, canvas: Canvas, rng: np.random.Generator, shade: tuple[int, int, int]) -> tuple[str, int, str]:
        while True:
            sides = rng.integers(3, 13, size=3).tolist()
            if 2 * max(sides) < sum(sides) - 1:
                break
        a, b, x = sides
        corners = _turned(rng, _triangle(a, b, x))
        canvas.polygon(corners, shade, INK, 0.9)
        _label_sides(canvas, corners, (str(a), str(b), "x"))
        around = a + b + x
        canvas.text((50, 6), f"perimeter {around}", 5.4, INK)
        question = pick(
            rng, ("The perimeter is written above. How long is x?", "Find the length x from the perimeter.")
        )
        return question, x, f"{around}-{a}-{b}={x}"

    def _right_angle(
        self, canvas: Canvas, rng: np.random.Generator, shade: tuple[int, int, int]
    ) -> tuple[str, int, str]:
        a, b, c = pick(rng, TRIPLES)
        if rng.random() < 0.5:
            a, b = b, a
        corners = _turned(rng, _triangle(a, b, c))  # the right angle lies between the first two sides
        canvas.polygon(corners, shade, INK, 0.9)
        p, q, r = corners[1], corners[0], corners[2]
        u, v = ((q[0] - p[0], q[1] - p[1]), (r[0] - p[0], r[1] - p[1]))
        u, v = ((w[0] * 5 / math.hypot(*w), w[1] * 5 / math.hypot(*w)) for w in (u, v))
        canvas.curve(
            [(p[0] + u[0], p[1] + u[1]), (p[0] + u[0] + v[0], p[1] + u[1] + v[1]), (p[0] + v[0], p[1] + v[1])], INK, 0.5
        )
        missing = int(rng.integers(3))
        _label_sides(canvas, corners, tuple("x" if i == missing else str(n) for i, n in enumerate((a, b, c))))
        if missing == 2:
            return pick(rng, WORDINGS), c, f"{a}*{a}+{b}*{b}={c * c} {c}*{c}={c * c} x={c}"
        known, x = (b, a) if missing == 0 else (a, b)
        return pick(rng, WORDINGS), x, f"{c}*{c}-{known}*{known}={x * x} {x}*{x}={x * x} x={x}"

    def _similar(self, canvas: Canvas, rng: np.random.Generator, shade: tuple[int, int, int]) -> tuple[str, int, str]:
        """A triangle cut by a line parallel to its base: the small and the whole triangle are similar."""
        factor = int(rng.integers(2, 5))
        small, base = int(rng.integers(2, 10)), int(rng.integers(3, 12))
        whole, wide = small * factor, base * factor
        lean, up = float(rng.uniform(-14, 14)), float(rng.uniform(62, 72))
        top: Point = (50 + lean, 52 - up / 2)
        left, right = (16.0, 52 + up / 2), (84.0, 52 + up / 2)
        cut_left, cut_right = (
            (top[0] + (p[0] - top[0]) / factor, top[1] + (p[1] - top[1]) / factor) for p in (left, right)
        )
        canvas.polygon([top, right, left], shade, INK, 0.9)
        canvas.line(cut_left, cut_right, INK, 0.8)
        for p, q in ((cut_left, cut_right), (left, right)):  # the sign for parallel lines
            canvas.arrow_head(((p[0] + q[0]) / 2 + 6, p[1]), 90, 3.4, INK)
        asks_base = bool(rng.integers(2))
        remaining = whole - small
        for p, q, words in ((top, cut_left, str(small)), (cut_left, left, str(remaining))):
            canvas.place([_beside(p, q, -far) for far in range(5, 12)], words, 5.2, INK, bold=True)
        above = ((cut_left[0] + cut_right[0]) / 2 - 3, cut_left[1] + 5)
        canvas.text(above, str(base) if asks_base else "x", 5.2, INK, bold=True)
        canvas.text((50, left[1] + 6), "x" if asks_base else str(wide), 5.2, INK, bold=True)
        question = pick(
            rng,
            (
                "The lines with arrowheads are parallel. How long is x?",
                "The lines with arrowheads are parallel. Find the length x.",
            ),
        )
        steps = f"{small}+{remaining}={whole} {whole}/{small}={factor}"
        if asks_base:
            return question, wide, f"{steps} {base}*{factor}={wide}"
        return question, base, f"{steps} {wide}/{factor}={base}"


def _triangle(a: float, b: float, c: float) -> list[Point]:
    """Corners such that the sides from each corner to the next are a, b and c long."""
    angle = math.degrees(math.acos((a * a + b * b - c * c) / (2 * a * b)))
    return [towards((0, 0), 0, a), (0.0, 0.0), towards((0, 0), angle, b)]


def _turned(rng: np.random.Generator, corners: list[Point]) -> list[Point]:
    """The figure at a random turn, mirrored or not, enlarged to fill the middle of the image."""
    turn, flip = math.radians(float(rng.uniform(0, 360))), pick(rng, (-1, 1))
    turned = [
        (flip * (x * math.cos(turn) - y * math.sin(turn)), x * math.sin(turn) + y * math.cos(turn)) for x, y in corners
    ]
    edges = [(min(p[i] for p in turned), max(p[i] for p in turned)) for i in (0, 1)]
    scale = min(66 / (high - low) for low, high in edges)
    x, y = ((low + high) / 2 for low, high in edges)
    return [(50 + (p[0] - x) * scale, 53 + (p[1] - y) * scale) for p in turned]


def _label_sides(canvas: Canvas, corners: list[Point], labels: tuple[str, ...]) -> None:
    """Each label beside the middle of its side, outside the triangle."""
    middle = sum(p[0] for p in corners) / 3, sum(p[1] for p in corners) / 3
    for i, words in enumerate(labels):
        a, b = corners[i], corners[(i + 1) % 3]
        side = max((1, -1), key=lambda s: math.dist(_beside(a, b, 6 * s), middle))
        canvas.place([_beside(a, b, far * side) for far in (5.5, 6.5, 7.5, 8.5)], words, 5.6, INK, bold=True)


def _beside(a: Point, b: Point, far: float) -> Point:
    """The point `far` to the right of the middle of the way from a to b (seen on the screen: clockwise)."""
    x, y = b[0] - a[0], b[1] - a[1]
    length = math.hypot(x, y)
    return (a[0] + b[0]) / 2 + y / length * far, (a[1] + b[1]) / 2 - x / length * far
