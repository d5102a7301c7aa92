"""A digest of a run card in the card itself: what is edited in it by hand no longer belongs to it.

It says that nobody changed a field by accident or in passing. A forger can compute it again; what
`vlrl card check` recomputes from the folder's other files doesn't rest on it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

DIGEST = "card_sha256"


def card_digest(card: Mapping[str, Any]) -> str:
    """SHA-256 of all fields but the digest's own, as JSON in the order of their names; 64 hexadecimal characters."""
    fields = json.loads(json.dumps({name: held for name, held in card.items() if name != DIGEST}))
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
