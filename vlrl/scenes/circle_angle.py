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
    one_answer = "the angles around the centre, at the rim and in a triangle of two radii each leave one value"

    def __post_init__(self) -> None:
        check_at_least("domain 'circle_angle', size", self.size, 128)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One circle. Difficulty 0: sectors of 360°; .5: rim and middle, or two radii; 1: one after the other."""
        kinds = ("rim", "middle", "radii", "base") if difficulty < 0.75 else ("both", "back")
        kind = "sectors" if difficulty < 0.3 else pick(rng, kinds)
        while True:
            canvas = Canvas(self.size, pick(rng, PAPERS))
            canvas.disc(CENTRE, RADIUS, mixed(pick(rng, tuple(NAMED.values())), WHITE, 0.8), INK, 0.8)
            start = float(rng.uniform(0, 360))
            if kind == "sectors":
                answer, thought = _sectors(canvas, rng, start, scaled((2, 4), difficulty))
            else:
                angle = 2 * int(rng.integers(22, 72))  # at the middle
                answer, thought = _triangle(canvas, rng, start, angle, kind)
            if answer is not None and not canvas.illegible():  # otherwise a label has no room
                break
        centre = "" if kind == "sectors" else "M is the centre of the circle. "
        return Draft(centre + pick(rng, WORDINGS), str(answer), (canvas.image(),), thought)


def _sectors(canvas: Canvas, rng: np.random.Generator, start: float, count: int) -> tuple[int | None, str]:
    """Radii that divide the circle; all angles but one are written."""
    while True:
        parts = (rng.multinomial(360 - 35 * (count + 1), [1 / (count + 1)] * (count + 1)) + 35).tolist()
        shift = rng.integers(-30, 31, size=count + 1)
        parts = [int(p + s - round(shift.mean())) for p, s in zip(parts, shift, strict=True)]
        if sum(parts) == 360 and min(parts) >= 30:
            break
    canvas.arc(CENTRE, 9, start, start + parts[0], NAMED["red"], 0.8)
    starts = [start + sum(parts[:i]) for i in range(len(parts))]
    for at in starts:
        canvas.line(CENTRE, towards(CENTRE, at, RADIUS), INK, 0.7)
    canvas.disc(CENTRE, 1.1, INK)
    for i, (at, part) in enumerate(zip(starts, parts, strict=True)):
        if not _between(canvas, CENTRE, at, part, "x" if i == 0 else f"{part}°", 20):
            return None, ""
    answer = parts[0]
    return answer, f"360-{'-'.join(map(str, parts[1:]))}={answer}"


def _between(canvas: Canvas, vertex: Point, start: float, sweep: float, words: str, far: float) -> bool:
    """Words between the arms of an angle, `far` from its vertex or where they have room; False where that is nowhere.

    x is the angle in question.
    """
    places = [
        towards(vertex, start + sweep * share, far + more)
        for more in range(0, 19, 2)
        for share in (0.5, 0.4, 0.6, 0.3, 0.7)
    ]
    return canvas.place(places, words, 5.4 if words == "x" else 5, INK, bold=words == "x")


def _triangle(canvas: Canvas, rng: np.random.Generator, start: float, angle: int, kind: str) -> tuple[int | None, str]:
    """Two points A and B on the rim, seen from the middle under `angle`, and mostly a third point C on the far arc.

    No answer where a label has no room.
    """
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
    at_middle, at_rim, at_base = {
        "rim": (f"{angle}°", "x", ""),
        "middle": ("x", f"{rim}°", ""),
        "radii": (f"{angle}°", "", "x"),
        "base": ("x", "", f"{base}°"),
        "both": ("", f"{rim}°", "x"),
        "back": ("", "x", f"{base}°"),
    }[kind]
    marked: list[tuple[Point, float, float, str, float]] = []  # vertex, first arm, sweep, words, reach of the arc
    if at_middle:
        marked.append((CENTRE, start, angle, at_middle, 7))
    for vertex, (one, other), words in ((c, (a, b), at_rim), (a, (b, CENTRE), at_base)):
        if words:
            first = _direction(vertex, one)
            marked.append((vertex, first, (_direction(vertex, other) - first + 180) % 360 - 180, words, 10))
    for vertex, first, sweep, _, reach in marked:
        canvas.arc(vertex, reach, first, first + sweep, NAMED["red"], 0.7)
    canvas.disc(CENTRE, 1.1, INK)
    beside = [towards(CENTRE, start + angle / 2 + 180 + turn, far) for far in (5, 6, 7) for turn in range(-80, 81, 20)]
    if not all(_between(canvas, v, first, sweep, words, reach + 7) for v, first, sweep, words, reach in marked):
        return None, ""
    if not canvas.place(beside, "M", 4.8):
        return None, ""
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
