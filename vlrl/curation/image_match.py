"""Which images of many are copies of one: found by thumbnails, aligned, and compared place by place.

Every pair of thumbnails is compared, as one matrix product in blocks: 10⁴ × 10⁵ images take a minute on two cores. The
`most_candidates` nearest are aligned, and compared at a coarse level first, which most look-alikes don't pass.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from vlrl.curation.image_alignment import FINE, align, sharpened
from vlrl.curation.image_difference import FLOOR, MOST_APART, largest_difference
from vlrl.curation.image_views import MOST_PIXELS, THUMBNAIL, ImageViews
from vlrl.data.images import open_image
from vlrl.types import Image

MAX_DIFFERENCE = 2.5  # windows; edits of small type leave up to 2.5, other rows of a template differ by 9 and more
_MAX_COARSE, _COARSE_FLOOR = 3.0, 60.0  # at the coarse level thin strokes are grey, and clipping changes their greys
MIN_SIMILARITY = 0.35  # correlation of thumbnails
MOST_CANDIDATES = 6  # 98 of 100 edited images of a template are the nearest or second to their original
_SMALL = 160 * 160  # pixels; of a smaller image less may differ, in proportion
_LEAST_CORRELATION = 0.5  # of aligned images
_HELD = 256  # images in memory, about 1 MB each
_BLOCK = 1024


class ImageComparison:
    """Compares images by reference; the ones that were used last stay in memory, and verdicts by the two digests."""

    def __init__(self, max_difference: float = MAX_DIFFERENCE, most_apart: float = MOST_APART) -> None:
        self._max_difference, self._most_apart = max_difference, most_apart
        self._views: OrderedDict[str, ImageViews] = OrderedDict()
        self._same: dict[tuple[str, str], bool] = {}
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
        if one.digest == other.digest:
            return True
        key = (one.digest, other.digest)
        if key not in self._same:
            self._same[key] = self._is_copy(self.views(one), self.views(other))
            self.compared += 1
        return self._same[key]

    def _is_copy(self, one: ImageViews, other: ImageViews) -> bool:
        alignment = align(one, other)
        if alignment is None or alignment.correlation < _LEAST_CORRELATION:
            return False
        coloured = one.coloured and other.coloured
        if largest_difference(alignment, coloured, FINE, _COARSE_FLOOR) > max(_MAX_COARSE, self._max_difference):
            return False
        alignment = sharpened(alignment)
        pixels = min(alignment.one.grey.size, alignment.other.grey.size)
        most = self._max_difference * min(1.0, pixels / _SMALL)
        return largest_difference(alignment, coloured, MOST_PIXELS, FLOOR, self._most_apart) <= most


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

    def candidates(self, images: Sequence[Image]) -> list[list[int]]:
        """Of each image, the numbers of those that look most like it from afar, nearest first."""
        found: list[list[int]] = []
        for start in range(0, len(images), _BLOCK):
            block = np.stack([self._comparison.views(i).thumbnails() for i in images[start : start + _BLOCK]])
            found += self._nearest(block)
        return found

    def _nearest(self, block: np.ndarray) -> list[list[int]]:
        """block (Q, 2, D): the best of the four pairs of views counts."""
        own = self._thumbnails[: len(self.images)]
        similar = np.full((len(block), len(own)), -1.0, np.float32)
        for a in range(block.shape[1]):
            for b in range(own.shape[1]):
                np.maximum(similar, block[:, a] @ own[:, b].T, out=similar)
        nearest = np.argsort(-similar, axis=1, kind="stable")[:, : self._most]
        return [[int(n) for n in row if similar[q, n] >= MIN_SIMILARITY] for q, row in enumerate(nearest)]
