"""All metadata of a row, which its verifier reads, from one column: a JSON object as text."""

from __future__ import annotations

import json
from typing import Any

from vlrl.data.tables.cell_text import shortened
from vlrl.errors import BadRowError


def metadata_in(cell: Any, place: str) -> dict[str, Any]:
    """The metadata of a cell. Raises BadRowError at `place` for another value."""
    try:
        found = json.loads(cell)
    except (TypeError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise BadRowError(place, f"is {shortened(cell)}", 'write a JSON object as text: {"unit": "cm"}')
    return found
