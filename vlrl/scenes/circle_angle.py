"""Domain `circle_angle`: angles at the middle and on the rim of a circle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, PAPERS, WHITE, Canvas, Point, mixed, towards
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.types import Draft

CENTRE: Point = (50.0, 50.0)
RADIUS = 40.0
WORDINGS = ("How many degrees is the angle x?", "Find the angle x in degrees.", "What is x in degrees?")


@domain("circle_angle", family="geometry")
@dataclass(frozen=True)
class CircleAngle:
    """Full angles, inscribed angles, triangles of two radii; the thought: `124/2=62`. M is the middle.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"

    def __post_init__(self) -> None:
        check_at_least("domain 'circle_angle', size", self.size, 128)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One circle. Difficulty 0: sectors of 360°; .5: rim and middle, or two radii; 1: one after the other."""
        canvas = Canvas(self.size, pick(rng, PAPERS))
        canvas.disc(CENTRE, RADIUS, mixed(pick(rng, tuple(NAMED.values())), WHITE, 0.8), INK, 0.8)
        start = float(rng.uniform(0, 360))
        if difficulty < 0.3:
            answer, thought = _sectors(canvas, rng, start, scaled((2, 4), difficulty))
        else:
            angle = 2 * int(rng.integers(22, 76))  # at the middle
            kinds = ("rim", "middle", "radii", "base") if difficulty < 0.75 else ("both", "back")
            answer, thought = _triangle(canvas, rng, start, angle, pick(rng, kinds))
        canvas.disc(CENTRE, 1.1, INK)
        return Draft(pick(rng, WORDINGS), str(answer), (canvas.image(),), thought)


def _sectors(canvas: Canvas, rng: np.random.Generator, start: float, count: int) -> tuple[int, str]:
    """Radii that divide the circle; all angles but one are written."""
    while True:
        parts = (rng.multinomial(360 - 35 * (count + 1), [1 / (count + 1)] * (count + 1)) + 35).tolist()
        shift = rng.integers(-30, 31, size=count + 1)
        parts = [int(p + s - round(shift.mean())) for p, s in zip(parts, shift, strict=True)]
        if sum(parts) == 360 and min(parts) >= 30:
            break
    at = start
    for i, part in enumerate(parts):
        canvas.line(CENTRE, towards(CENTRE, at, RADIUS), INK, 0.7)
        words = "x" if i == 0 else f"{part}°"
        canvas.text(towards(CENTRE, at + part / 2, 20), words, 5.4, INK, bold=i == 0)
        if i == 0:
            canvas.arc(CENTRE, 9, at, at + part, NAMED["red"], 0.8)
        at += part
    answer = parts[0]
    return answer, f"360-{'-'.join(map(str, parts[1:]))}={answer}"


def _triangle(canvas: Canvas, rng: np.random.Generator, start: float, angle: int, kind: str) -> tuple[int, str]:
    """Two points A and B on the rim, seen from the middle under `angle`, and mostly a third point C on the far arc."""
    a, b = towards(CENTRE, start, RADIUS), towards(CENTRE, start + angle, RADIUS)
    far = start + angle + (360 - angle) * float(rng.uniform(0.35, 0.65))
    c = towards(CENTRE, far, RADIUS)
    rim, base = angle // 2, (180 - angle) // 2
    for p in (a, b):
        canvas.line(CENTRE, p, INK, 0.7)
    if kind in ("rim", "middle", "both", "back"):
        for p in (a, b):
            canvas.line(c, p, INK, 0.7)
        canvas.text(towards(CENTRE, far, RADIUS + 5), "C", 4.8)
    if kind in ("radii", "base", "both", "back"):
        canvas.line(a, b, INK, 0.7)
    for p, name, way in ((a, "A", start), (b, "B", start + angle)):
        canvas.text(towards(CENTRE, way, RADIUS + 5), name, 4.8)
        canvas.disc(p, 0.9, INK)
    canvas.text(towards(CENTRE, start + angle / 2 + 180, 5), "M", 4.8)
    at_middle, at_rim, at_base = {
        "rim": (f"{angle}°", "x", ""),
        "middle": ("x", f"{rim}°", ""),
        "radii": (f"{angle}°", "", "x"),
        "base": ("x", "", f"{base}°"),
        "both": ("", f"{rim}°", "x"),
        "back": ("", "x", f"{base}°"),
    }[kind]
    red = NAMED["red"]
    if at_middle:
        canvas.arc(CENTRE, 7, start, start + angle, red, 0.7)
        canvas.text(towards(CENTRE, start + angle / 2, 15), at_middle, 5, INK, bold=at_middle == "x")
    if at_rim:
        towards_a = _direction(c, a)
        towards_b = _direction(c, b)
        spread = (towards_b - towards_a + 180) % 360 - 180
        canvas.arc(c, 10, towards_a, towards_a + spread, red, 0.7)
        canvas.text(towards(c, towards_a + spread / 2, 18), at_rim, 5, INK, bold=at_rim == "x")
    if at_base:
        to_b, to_middle = _direction(a, b), _direction(a, CENTRE)
        spread = (to_middle - to_b + 180) % 360 - 180
        canvas.arc(a, 10, to_b, to_b + spread, red, 0.7)
        canvas.text(towards(a, to_b + spread / 2, 17), at_base, 5, INK, bold=at_base == "x")
    return {
        "rim": (rim, f"{angle}/2={rim}"),
        "middle": (angle, f"{rim}*2={angle}"),
        "radii": (base, f"180-{angle}={180 - angle} {180 - angle}/2={base}"),
        "base": (angle, f"180-{base}-{base}={angle}"),
        "both": (base, f"{rim}*2={angle} 180-{angle}={180 - angle} {180 - angle}/2={base}"),
        "back": (rim, f"180-{base}-{base}={angle} {angle}/2={rim}"),
    }[kind]


def _direction(start: Point, end: Point) -> float:
    """The direction of `end` from `start`, clockwise from 12 o'clock in degrees."""
    return float(np.degrees(np.arctan2(end[0] - start[0], start[1] - end[1])))
