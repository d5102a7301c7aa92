"""Rows of a benchmark that can't be asked: they end the evaluation by name, or are left out, named and counted.

A figure without some of the rows is another figure: the protocol's hash tells, and the number stands beside it.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Literal

from vlrl.data.images.open_images import BadImageError
from vlrl.data.rows.bad_rows import NAMED_ROWS, bad_row, reason_of
from vlrl.errors import DataError

OnBad = Literal["error", "skip"]

log = logging.getLogger(__name__)


class LeftOut:
    """What one benchmark leaves out, and why.

    reasons  reason → rows
    """

    def __init__(self, name: str, on_bad_row: OnBad = "error", on_bad_image: OnBad | None = None) -> None:
        self._name, self._on_bad_row, self._on_bad_image = name, on_bad_row, on_bad_image
        self.reasons: Counter[str] = Counter()

    def add(self, place: str, found: DataError) -> None:
        """Count a row. Raises the error, with the row's place, where the benchmark stops for it."""
        error = bad_row(place, found)
        apart = self._on_bad_image if isinstance(error, BadImageError) else None
        if (apart or self._on_bad_row) == "error":
            raise error from found
        self.reasons[reason_of(error)] += 1
        if self.reasons.total() <= NAMED_ROWS:
            log.warning("benchmark %r leaves out a row: %s: %s", self._name, error.place, error.problem)
