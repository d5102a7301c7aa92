"""Plane figures by name on a canvas, at any size and turn: what domains scatter, hide, compare and point at."""

from __future__ import annotations

from vlrl.scenes.canvas import INK, Canvas, Colour, Point, mixed, towards

FIGURES = ("disc", "square", "triangle", "diamond", "star", "cross", "hexagon")
PLURALS = {
    "disc": "discs",
    "square": "squares",
    "triangle": "triangles",
    "diamond": "diamonds",
    "star": "stars",
    "cross": "crosses",
    "hexagon": "hexagons",
}
# How far each figure reaches from its middle, so that all look about equally large for one `half`.
_REACH = {"disc": 1.0, "square": 1.2, "triangle": 1.3, "diamond": 1.2, "star": 1.3, "cross": 1.2, "hexagon": 1.1}


def figure(
    canvas: Canvas, name: str, centre: Point, half: float, colour: Colour, turn: float = 0.0, outline: bool = True
) -> None:
    """One filled figure that reaches about `half` from its centre; `turn` is clockwise in degrees."""
    edge = mixed(colour, INK, 0.35) if outline else None
    if name == "disc":
        canvas.disc(centre, half, colour, edge, 0.5)
    else:
        canvas.polygon(corners_of(name, centre, half, turn), colour, edge, 0.5)


def corners_of(name: str, centre: Point, half: float, turn: float = 0.0) -> list[Point]:
    """The corners of a figure, clockwise; of a disc, 24 points of its rim."""
    reach = half * _REACH[name]
    if name == "disc":
        return [towards(centre, turn + 15 * i, reach) for i in range(24)]
    if name == "star":
        return [towards(centre, turn + 36 * i, reach if i % 2 == 0 else reach * 0.45) for i in range(10)]
    if name == "cross":
        arm = reach * 0.38
        offsets = [(-arm, -reach), (arm, -reach), (arm, -arm), (reach, -arm), (reach, arm), (arm, arm)]
        offsets += [(-x, -y) for x, y in offsets]
        return [_turned(centre, x, y, turn) for x, y in offsets]
    count, start = {"square": (4, 45), "triangle": (3, 0), "diamond": (4, 0), "hexagon": (6, 0)}[name]
    points = [towards((0, 0), start + 360 * i / count, reach) for i in range(count)]
    if name == "diamond":  # narrower than a square on its corner, so that the two are told apart at any turn
        points = [(x * 0.62, y * 1.1) for x, y in points]
    return [_turned(centre, x, y, turn) for x, y in points]


def _turned(centre: Point, x: float, y: float, turn: float) -> Point:
    right, down = towards((0, 0), turn + 90, 1), towards((0, 0), turn + 180, 1)
    return centre[0] + x * right[0] + y * down[0], centre[1] + x * right[1] + y * down[1]
