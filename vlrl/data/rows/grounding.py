"""ms-swift's grounding rows: `<ref-object>` and `<bbox>` stand for what the column `objects` holds.

    {"messages": […"<image>Find <ref-object>" … "<bbox>"], "objects": {"ref": ["cow"], "bbox": [[10, 20, 30, 40]]}}

Both are filled in reading order, over question and response. A box is written as `[10, 20, 30, 40]`, in the row's own
coordinates, as the verifier `box` reads it; which these are, `bbox_type` says (`real`: pixels, `norm1`: shares of the
sides), and it becomes the fact `gold_coordinates`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from vlrl.data.rows.placeholders import Piece
from vlrl.data.rows.row_view import is_empty
from vlrl.data.tables.cell_text import shortened
from vlrl.errors import BadRowError

_MARK = re.compile(r"<(ref-object|bbox)>")
BOX_TYPES = {"real": "pixels", "norm1": "0-1", "norm100": "0-100", "norm1000": "0-1000"}
_KNOWN = frozenset(("ref", "bbox", "bbox_type", "image_id", "width", "height"))


def fill_objects(
    objects: Any, asked: list[Piece], response: list[Piece] | None, place: str
) -> tuple[list[Piece], list[Piece] | None, dict[str, str]]:
    """Question and response with their marks filled, and the convention of the boxes as a fact, where one is declared.

    Raises BadRowError unless marks and objects fit one to one, and for an unknown convention.
    """
    if isinstance(objects, str):
        try:
            objects = json.loads(objects)
        except ValueError as error:
            raise BadRowError(f"{place}, objects", f"is not valid JSON: {error}", "mend the row") from error
    if not isinstance(objects, Mapping) or not {key for key in objects if not is_empty(objects[key])} <= _KNOWN:
        raise BadRowError(f"{place}, objects", f"got {shortened(objects)}", 'give {"ref": […], "bbox": [[…]]}')
    refs, boxes = list(objects.get("ref") or ()), list(objects.get("bbox") or ())
    left = {"ref-object": refs, "bbox": [json.dumps(list(box)) for box in boxes]}

    def fill(match: re.Match[str]) -> str:
        if not left[match[1]]:
            raise BadRowError(f"{place}, objects", f"has too few values for {match[0]}", "give one for each mark")
        return str(left[match[1]].pop(0))

    def filled(pieces: list[Piece]) -> list[Piece]:
        return [_MARK.sub(fill, piece) if isinstance(piece, str) else piece for piece in pieces]

    result = filled(asked), None if response is None else filled(response)
    for mark, values in left.items():
        if values:
            raise BadRowError(
                f"{place}, objects", f"{len(values)} values have no <{mark}> in the messages", "give one mark for each"
            )
    return *result, _convention(objects.get("bbox_type"), f"{place}, objects")


def _convention(given: Any, place: str) -> dict[str, str]:
    if is_empty(given):
        return {}
    found = BOX_TYPES.get(str(given).lower().replace("_", ""))
    if found is None:
        raise BadRowError(place, f"its bbox_type is {shortened(given)}", f"one of: {', '.join(BOX_TYPES)}")
    return {"gold_coordinates": found}


def refuse_marks(text: str, place: str) -> None:
    """Raises BadRowError for a mark that nothing fills."""
    match = _MARK.search(text)
    if match:
        raise BadRowError(place, f"holds {match[0]}, and no column `objects` fills it", "set `layout: ms-swift`")
