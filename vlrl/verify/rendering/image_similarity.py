"""How alike two images are to the eye: structure, edges and colours, on a scale where a blank page is 0.

Arrays are (H, W, 3) RGB uint8. Most of a page or a chart is background, so that a blank page already agrees with it in
most pixels: each part is rescaled so that the better of two blank images (the target's commonest colour, and its mean
one) has 0 and the target itself 1. A part by which the target is as good as blank says nothing of it, and is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

MAX_SIDE = 512  # both are compared at this size at most
SCALES = 3  # of structure, each half as large as the one before
EDGE_TOLERANCE = 3  # pixels that an edge may be off
BLOCKS = 16  # of colours, on each side
SEEN = 0.999  # a part in which a blank image has more doesn't see the target
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # Wang et al. 2004, §III-B


@dataclass(frozen=True)
class Similarity:
    """Shares in [0, 1]: `score` lies half way between the parts' mean, so that whatever is right earns something, and
    their geometric mean, so that none can be traded for another.

    parts   by name: structure, edges, colours, without those by which the target is as good as blank
    aspect  the smaller of both ratios of width to height over the larger one; `score` is multiplied by it
    """

    score: float
    parts: Mapping[str, float]
    aspect: float


@dataclass(frozen=True)
class Target:
    """A target as images are compared with it.

    pixels  (h, w, 3), MAX_SIDE at most
    width, height  before it was shrunk
    floors  what the better blank image has, by part; those below SEEN count
    """

    pixels: Pixels
    width: int
    height: int
    floors: Mapping[str, float]

    @classmethod
    def of(cls, image: Pixels) -> Target:
        """Raises ValueError for one that shows nothing: by no part it differs from a blank one."""
        pixels = _shrunk(image)
        blanks = [np.broadcast_to(colour, pixels.shape).astype(np.uint8) for colour in _backgrounds(pixels)]
        floors = {name: max(part(blank, pixels) for blank in blanks) for name, part in PARTS.items()}
        floors = {name: floor for name, floor in floors.items() if floor < SEEN}
        if not floors:
            raise ValueError("the target shows nothing: it is as good as blank")
        return cls(pixels, image.shape[1], image.shape[0], floors)

    def similarity(self, image: Pixels) -> Similarity:
        """How alike an image (H, W, 3) is."""
        height, width = self.pixels.shape[:2]
        shown = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
        found = {
            name: float(np.clip((PARTS[name](shown, self.pixels) - floor) / (1 - floor), 0.0, 1.0))
            for name, floor in self.floors.items()
        }
        values = list(found.values())
        score = (float(np.mean(values)) + float(np.prod(values)) ** (1 / len(values))) / 2
        aspects = sorted((self.width / self.height, image.shape[1] / image.shape[0]))
        return Similarity(score * aspects[0] / aspects[1], found, aspects[0] / aspects[1])


def structure(image: Pixels, target: Pixels) -> float:
    """Mean structural similarity of the grey values over SCALES sizes (Wang et al. 2004, Gaussian window of σ 1.5)."""
    a, b = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(np.float64) for one in (image, target))
    found = []
    for _ in range(SCALES):
        found.append(_ssim(a, b))
        if min(a.shape) < 32:
            break
        a, b = _halved(a), _halved(b)
    return float(np.mean(found))


def _halved(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.resize(values, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), dtype=np.float64)


def _ssim(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    def blur(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5), dtype=np.float64)

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    ratio = ((2 * mean_a * mean_b + C1) * (2 * covariance + C2)) / ((mean_a**2 + mean_b**2 + C1) * (var_a + var_b + C2))
    return float(ratio.mean())


def edges(image: Pixels, target: Pixels) -> float:
    """F1 of the edges (Canny): those of either that have one of the other within EDGE_TOLERANCE pixels."""
    a, b = (cv2.Canny(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY), 50, 150) > 0 for one in (image, target))
    if not a.any() or not b.any():
        return float(not a.any() and not b.any())
    window = np.ones((2 * EDGE_TOLERANCE + 1, 2 * EDGE_TOLERANCE + 1), np.uint8)
    near_a, near_b = (cv2.dilate(one.astype(np.uint8), window) > 0 for one in (a, b))
    precision, recall = float((a & near_b).sum() / a.sum()), float((b & near_a).sum() / b.sum())
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def colours(image: Pixels, target: Pixels) -> float:
    """One less the mean difference of BLOCKS × BLOCKS block colours (CIE Lab, 0–100), weighed by how far the target's
    block is from its background, so that what it shows counts and not what it leaves free."""
    a, b = (
        cv2.cvtColor(
            cv2.resize(one, (BLOCKS, BLOCKS), interpolation=cv2.INTER_AREA).astype(np.float32) / 255, cv2.COLOR_RGB2LAB
        )
        for one in (image, target)
    )
    difference = np.minimum(np.linalg.norm(a - b, axis=2), 100.0)
    ground = cv2.cvtColor((_backgrounds(target)[0] / 255.0).astype(np.float32).reshape(1, 1, 3), cv2.COLOR_RGB2LAB)
    weights = 1.0 + np.linalg.norm(b - ground, axis=2)
    return 1 - float((difference * weights).sum() / weights.sum()) / 100


def _backgrounds(pixels: Pixels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The commonest colour, and the mean one."""
    flat = pixels.reshape(-1, 3)
    packed = flat.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    values, counts = np.unique(packed, return_counts=True)
    commonest = int(values[counts.argmax()])
    return np.array([commonest >> 16, commonest >> 8 & 255, commonest & 255], np.float64), flat.mean(0)


def _shrunk(pixels: Pixels) -> Pixels:
    longest = max(pixels.shape[:2])
    if longest <= MAX_SIDE:
        return pixels
    height, width = (max(1, round(side * MAX_SIDE / longest)) for side in pixels.shape[:2])
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


PARTS: Mapping[str, Callable[[Pixels, Pixels], float]] = {"structure": structure, "edges": edges, "colours": colours}
