"""Without a tool the answer of `small_glyph` is nowhere in the image; with it, it is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.images.open_images import resize_to_budget
from vlrl.scenes.small_glyph import CELL, COLOURS, SmallGlyph, _Bar, image_of
from vlrl.seeding import stream

PATTERNS = [one for one in product((False, True), repeat=4) if any(one)]


@pytest.mark.parametrize("colour", COLOURS)
def test_the_image_in_the_prompt_is_the_same_whatever_the_answer(colour):
    """Byte for byte, for all patterns at several cells, alone and beside another bar: no policy can tell them apart."""
    budget = ImageBudget(min_pixels=64 * 64, max_pixels=64 * 64)
    other = next(name for name in COLOURS if name != colour)
    for row, column in ((0, 0), (1, 2), (3, 3)):
        for beside in ([], [_Bar(other, row, (column + 1) % 4, (True, False, True, True))]):
            shown = {
                np.asarray(resize_to_budget(image_of([_Bar(colour, row, column, pattern), *beside]), budget)).tobytes()
                for pattern in PATTERNS
            }
            assert len(shown) == 1


def test_the_cell_by_itself_shows_every_pattern():
    crops = {image_of([_Bar("red", 2, 1, p)]).crop((CELL, 2 * CELL, 2 * CELL, 3 * CELL)).tobytes() for p in PATTERNS}
    assert len(crops) == len(PATTERNS)


def test_answers_are_alike_likely_and_bars_stand_apart():
    drafts = [SmallGlyph().draw(stream(0, "glyph", i), (i % 5) / 4) for i in range(400)]
    counts = [sum(draft.answer == str(n) for draft in drafts) for n in (1, 2, 3, 4)]
    assert sum(counts) == 400
    assert min(counts) > 70
    assert all(draft.guess_rate == 0.25 and len(draft.turns) == 1 for draft in drafts)
