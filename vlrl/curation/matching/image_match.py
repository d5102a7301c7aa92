"""Which images of many are copies of one: found by thumbnails, aligned, and compared place by place.

Every pair of thumbnails is compared, as a matrix product in blocks. The `most_candidates` nearest are aligned from
coarse to fine, and what doesn't look alike at a level isn't compared at the next.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from enum import IntEnum

import numpy as np

from vlrl.curation.matching.image_alignment import FINE, Alignment, aligned, refined, sharpened
from vlrl.curation.matching.image_difference import FLOOR, MOST_APART, difference, redrawn
from vlrl.curation.matching.image_views import MOST_PIXELS, THUMBNAIL, ImageViews
from vlrl.data.images.open_images import open_image
from vlrl.types import Image

CLOSE_DIFFERENCE = 0.6  # windows; another digit of 12 px makes 0.9
CLOSE_APART = 0.42  # of a window's contrast: letters of 10 px have strokes of one pixel, JPEG at 60 of them stays below
MAX_DIFFERENCE = 2.5  # windows; edits of small type leave up to 2.5, other rows of a template differ by 9 and more
_MAX_COARSE, _COARSE_FLOOR = 3.0, 60.0  # at the coarse level thin strokes are grey, and clipping changes their greys
MIN_SIMILARITY = 0.35  # correlation of thumbnails
MOST_CANDIDATES = 6  # 98 of 100 edited images of a template are the nearest or second to their original
_SMALL = 160 * 160  # pixels; of a smaller image less may differ, in proportion
_HOPELESS = 40.0  # windows; a better alignment doesn't make a copy of it: copies have up to 29 before it
_HELD = 256  # images in memory, about 1 MB each
_BLOCK = 64


class Likeness(IntEnum):
    """How much one image is another: CLOSE if no small letter differs, COPY if no more than strong editing explains."""

    OTHER = 0
    COPY = 1
    CLOSE = 2


class ImageComparison:
    """Compares images by reference; the ones that were used last stay in memory, and verdicts by the two digests.

    With `strict`, a copy is one where no small letter differs; otherwise it may be edited strongly.
    """

    def __init__(self, max_difference: float = MAX_DIFFERENCE, strict: bool = False) -> None:
        self._max_difference, self._strict = max_difference, strict
        self._views: OrderedDict[str, ImageViews] = OrderedDict()
        self._likeness: dict[tuple[str, str], Likeness] = {}
        self.compared = 0

    def views(self, image: Image) -> ImageViews:
        """The image as it is compared. Raises BadImageError where it can't be read."""
        found = self._views.get(image.digest)
        if found is None:
            found = self._views[image.digest] = ImageViews(np.asarray(open_image(image)))
            if len(self._views) > _HELD:
                self._views.popitem(last=False)
        self._views.move_to_end(image.digest)
        return found

    def same(self, one: Image, other: Image) -> bool:
        """Whether one is an edited copy of the other. Raises BadImageError where one can't be read."""
        return self.likeness(one, other) is not Likeness.OTHER

    def likeness(self, one: Image, other: Image) -> Likeness:
        """How much one is the other. Raises BadImageError where one can't be read."""
        if one.digest == other.digest:
            return Likeness.CLOSE
        key = (one.digest, other.digest)
        if key not in self._likeness:
            self._likeness[key] = self._compared(self.views(one), self.views(other))
            self.compared += 1
        return self._likeness[key]

    def _compared(self, one: ImageViews, other: ImageViews) -> Likeness:
        """Every step costs more than the one before, and most images that look alike from afar fail early."""
        other_detail = redrawn(one.views[0], other.views[0])
        if other_detail and self._strict:
            return Likeness.OTHER
        coloured = one.coloured and other.coloured
        most = max(_MAX_COARSE, self._max_difference)
        fine: list[Alignment] = []
        for alignment in aligned(one, other):
            largest = difference(alignment, coloured, FINE).largest(_COARSE_FLOOR)
            if largest > max(_HOPELESS, most):
                continue
            alignment = refined(alignment)
            if largest <= most or difference(alignment, coloured, FINE).largest(_COARSE_FLOOR) <= most:
                fine.append(alignment)
        if not fine:
            return Likeness.OTHER
        alignment = sharpened(max(fine, key=lambda found: found.correlation))
        pixels = min(alignment.one.grey.size, alignment.other.grey.size)
        small = min(1.0, pixels / _SMALL)
        found = difference(alignment, coloured, MOST_PIXELS)
        if found.largest(FLOOR, CLOSE_APART if self._strict else MOST_APART) > self._max_difference * small:
            return Likeness.OTHER
        close = not other_detail and found.largest(FLOOR, CLOSE_APART) <= CLOSE_DIFFERENCE * small
        return Likeness.CLOSE if close else Likeness.COPY


class ImageIndex:
    """Images by number, from 0; finds which of them may be copies of others."""

    def __init__(self, comparison: ImageComparison, most_candidates: int = MOST_CANDIDATES) -> None:
        self._comparison, self._most = comparison, most_candidates
        self.images: list[Image] = []
        self._thumbnails = np.empty((0, 2, THUMBNAIL**2), np.float32)  # room for twice as many where it is full

    def add(self, image: Image) -> None:
        """Raises BadImageError where it can't be read."""
        if len(self.images) == len(self._thumbnails):
            room = np.empty((max(4, len(self.images)), *self._thumbnails.shape[1:]), np.float32)
            self._thumbnails = np.concatenate([self._thumbnails, room])
        self._thumbnails[len(self.images)] = self._comparison.views(image).thumbnails()
        self.images.append(image)

    def candidates(self, images: Sequence[Image]) -> Iterator[list[int]]:
        """Of each image in order, the numbers of those that look most like it from afar, nearest first.

        Blocks are small enough that an image is still in memory where it is compared at once.
        """
        for start in range(0, len(images), _BLOCK):
            block = np.stack([self._comparison.views(i).thumbnails() for i in images[start : start + _BLOCK]])
            yield from self._nearest(block)

    def _nearest(self, block: np.ndarray) -> list[list[int]]:
        """block (Q, 2, D): the best of the four pairs of views counts."""
        own = self._thumbnails[: len(self.images)]
        similar = np.full((len(block), len(own)), -1.0, np.float32)
        for a in range(block.shape[1]):
            for b in range(own.shape[1]):
                np.maximum(similar, block[:, a] @ own[:, b].T, out=similar)
        found = []
        for row in similar:
            near = np.flatnonzero(row >= MIN_SIMILARITY)
            if len(near) > self._most:
                least = np.partition(row[near], -self._most)[-self._most]
                near = near[row[near] >= least]
            found.append([int(n) for n in near[np.argsort(-row[near], kind="stable")][: self._most]])
        return found
