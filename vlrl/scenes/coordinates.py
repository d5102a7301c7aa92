"""Domain `coordinates`: points in a grid with axes: read one, halve a distance, mirror, complete a parallelogram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import GREY, INK, NAMED, WHITE, Canvas, Point, mixed, towards
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled, shuffled
from vlrl.types import Draft

FAR = 5  # the axes run from -FAR to FAR
Spot = tuple[int, int]


@domain("coordinates", family="geometry")
@dataclass(frozen=True)
class Coordinates:
    """The answer is a point such as `(-3, 2)` in the units of the axes and has to be exact.

    size  pixels, square
    """

    size: int = 288

    verifier = "point"
    one_answer = "points lie on the grid; the order of the letters fixes the fourth corner of a parallelogram"

    def __post_init__(self) -> None:
        check_at_least("domain 'coordinates', size", self.size, 160)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One grid. Difficulty 0: read a point; .5: a midpoint or a mirror image; 1: the corner of a parallelogram."""
        letters = shuffled(rng, "ABCDEF")
        corners: list[int] = []
        if difficulty < 0.3:
            spots = _spots(rng, scaled((1, 4), difficulty))
            target = spots[0]
            question = pick(
                rng, ("What are the coordinates of {0}?", "Where is point {0}?", "Read the position of {0}.")
            )
            thought = f"{letters[0]} at x {target[0]}, y {target[1]}"
        elif difficulty < 0.75:
            spots = _spots(rng, 4)
            if rng.random() < 0.5:
                (x, y), target = spots[0], _spots(rng, 1)[0]
                while not _inside((2 * target[0] - x, 2 * target[1] - y)) or target == spots[0] or target in spots:
                    target = _spots(rng, 1)[0]
                spots[1] = (2 * target[0] - x, 2 * target[1] - y)
                spots[2:] = [s for s in spots[2:] if s != spots[1]]
                question = pick(
                    rng, ("What is the midpoint of {0} and {1}?", "Which point lies halfway from {0} to {1}?")
                )
                thought = f"x ({x}+{_signed(spots[1][0])})/2={target[0]}, y ({y}+{_signed(spots[1][1])})/2={target[1]}"
            else:
                x, y = spots[0]
                axis = pick(rng, ("x", "y"))
                target = (x, -y) if axis == "x" else (-x, y)
                question = pick(
                    rng,
                    (
                        "{0} is mirrored in the {axis}-axis. Where is its image?",
                        "What are the coordinates of the mirror image of {0} in the {axis}-axis?",
                    ),
                )
                question = question.replace("{axis}", axis)
                thought = f"{letters[0]} at ({x}, {y}), its image at ({target[0]}, {target[1]})"
        else:
            while True:
                p, q, r = _spots(rng, 3)
                target = (p[0] + r[0] - q[0], p[1] + r[1] - q[1])
                area = abs((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))
                if _inside(target) and area >= 6 and target not in (p, q, r):
                    break
            spots, corners = [p, q, r], [0, 1, 2]
            letters = ["A", "B", "C"]
            question = pick(rng, ("ABCD is a parallelogram. Where is D?", "Which point D makes ABCD a parallelogram?"))
            across = f"{p[0]}+{_signed(r[0])}-{_signed(q[0])}={target[0]}"
            thought = f"x {across}, y {p[1]}+{_signed(r[1])}-{_signed(q[1])}={target[1]}"
        canvas = Canvas(self.size, WHITE)
        self._grid(canvas)
        colour = pick(rng, [c for n, c in NAMED.items() if n != "yellow"])
        if corners:
            canvas.curve([_at(spots[i]) for i in corners], mixed(colour, WHITE, 0.4), 0.8)
        for spot in spots:
            canvas.disc(_at(spot), 1.6, colour)
        self._numbers(canvas)
        for (x_at, y_at), letter in zip(map(_at, spots), letters, strict=False):
            around = [towards((x_at, y_at), 45 + 30 * i, far) for far in (4.9, 5.6) for i in range(12)]
            canvas.place(around, letter, 5, mixed(colour, INK, 0.4), bold=True)
        if canvas.illegible():
            return self.draw(rng, difficulty)
        question = question.format(*letters) + " Answer as (x, y)."
        return Draft(question, f"({target[0]}, {target[1]})", (canvas.image(),), thought, metadata={"radius": 0})

    @staticmethod
    def _grid(canvas: Canvas) -> None:
        pale = mixed(GREY, WHITE, 0.6)
        for i in range(-FAR, FAR + 1):
            canvas.line(_at((i, -FAR)), _at((i, FAR)), pale, 0.3)
            canvas.line(_at((-FAR, i)), _at((FAR, i)), pale, 0.3)
        (left, middle), (right, _), (across, top), (_, bottom) = (
            _at(p) for p in ((-FAR, 0), (FAR, 0), (0, FAR), (0, -FAR))
        )
        canvas.line((left - 3, middle), (right + 3, middle), INK, 0.6)
        canvas.line((across, bottom + 3), (across, top - 3), INK, 0.6)
        canvas.arrow_head((right + 5, middle), 90, 3, INK)
        canvas.arrow_head((across, top - 5), 0, 3, INK)
        canvas.text((right + 4.6, middle - 4), "x", 4.4)
        canvas.text((across + 4, top - 5), "y", 4.4)

    @staticmethod
    def _numbers(canvas: Canvas) -> None:
        across, middle = _at((0, 0))
        for i in range(-FAR, FAR + 1):
            if i:
                canvas.text((_at((i, 0))[0], middle + 3.4), str(i), 3.4)
                canvas.text((across - 1.4, _at((0, i))[1]), str(i), 3.4, anchor="rm")


def _at(spot: tuple[float, float]) -> Point:
    return 50 + spot[0] * 8.2, 50 - spot[1] * 8.2


def _inside(spot: Spot) -> bool:
    return all(-FAR <= c <= FAR for c in spot)


def _spots(rng: np.random.Generator, count: int) -> list[Spot]:
    """Different points, none on an axis, no two next to each other."""
    found: list[Spot] = []
    while len(found) < count:
        x, y = rng.integers(-FAR, FAR + 1, size=2).tolist()
        if x and y and all(abs(x - a) + abs(y - b) > 1 for a, b in found):
            found.append((x, y))
    return found


def _signed(number: int) -> str:
    return f"({number})" if number < 0 else str(number)
