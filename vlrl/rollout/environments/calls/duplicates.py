"""Whether a call asks for much the same as an earlier one: the same tool with the same arguments, boxes by overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlrl.types import ToolCall

_WORDS = ("label", "description", "reason")  # arguments that say why, and change nothing


def asks_again(earlier: ToolCall, later: ToolCall, least_overlap: float) -> bool:
    """Whether both name one tool, and their arguments are equal but for boxes that overlap by `least_overlap` (IoU)."""
    if earlier.name != later.name or earlier.outcome != "done":
        return False
    first, second = (_without_words(call.arguments) for call in (earlier, later))
    if first.keys() != second.keys():
        return False
    return all(_alike(first[name], second[name], least_overlap) for name in first)


def _without_words(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name not in _WORDS}


def _alike(first: Any, second: Any, least_overlap: float) -> bool:
    boxes = _box(first), _box(second)
    if boxes[0] is not None and boxes[1] is not None:
        return overlap(boxes[0], boxes[1]) >= least_overlap
    return bool(first == second)


def _box(value: Any) -> tuple[float, float, float, float] | None:
    """Four numbers as a box with its corners in order; None for anything else."""
    if not isinstance(value, list) or len(value) != 4:
        return None
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in value):
        return None
    left, top, right, bottom = map(float, value)
    return min(left, right), min(top, bottom), max(left, right), max(top, bottom)


def overlap(first: tuple[float, float, float, float], second: tuple[float, float, float, float]) -> float:
    """Area of what two boxes share over the area that either covers, in [0, 1]."""
    across = min(first[2], second[2]) - max(first[0], second[0])
    down = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(0.0, across) * max(0.0, down)
    covered = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)) - shared
    return shared / covered if covered > 0 else float(first == second)
