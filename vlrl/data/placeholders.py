"""Where a question puts its pictures: `<image>` in order, `<image 1>` or `<image1>` by number."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vlrl.errors import DataError

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PLACEHOLDER = re.compile(r"<image(?:[ _]?(\d+))?>")


def picture_order(found: Sequence[re.Match[str]], count: int, place: str) -> list[int]:
    """Which picture each placeholder shows. Raises DataError unless every picture has a place and every place one."""
    numbers = [match[1] for match in found]
    if all(number is None for number in numbers):
        if len(found) != count:
            raise DataError(
                place, f"the question has {len(found)} × <image> but {count} pictures", "give one placeholder a picture"
            )
        return list(range(count))
    if None in numbers:
        raise DataError(place, "the question mixes <image> and numbered placeholders", "number all of them or none")
    order = [int(number or 0) - 1 for number in numbers]
    wrong = [match[0] for match, index in zip(found, order, strict=True) if not 0 <= index < count]
    if wrong:
        raise DataError(place, f"the question names {wrong[0]} but has {count} pictures", "number pictures from 1")
    unnamed = sorted(set(range(count)) - set(order))
    if unnamed:
        raise DataError(
            place, f"has {count} pictures, the question doesn't name picture {unnamed[0] + 1}", "name it or drop it"
        )
    return order
