"""How alike two images are to the eye: structure, edges and colours, on a scale where a blank page is 0.

Arrays are (H, W, 3) RGB uint8. Most of a page or a chart is background, so that a blank page already agrees with it in
most pixels: each part is rescaled so that the better of two blank images (the target's commonest colour, and its mean
one) has 0 and the target itself 1.
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
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # Wang et al. 2004, §III-B


@dataclass(frozen=True)
class Similarity:
    """Shares in [0, 1]: `score` lies half way between the parts' mean, so that whatever is right earns something, and
    their geometric mean, so that none can be traded for another.

    aspect  the smaller of both ratios of width to height over the larger one; `score` is multiplied by it
    """

    score: float
    structure: float
    edges: float
    colours: float
    aspect: float

    @property
    def parts(self) -> Mapping[str, float]:
        """By name."""
        return {name: getattr(self, name) for name in ("structure", "edges", "colours", "aspect")}


def similarity(image: Pixels, target: Pixels) -> Similarity:
    """How alike an image is to a target. Raises ValueError for a target of one colour, which nothing can be like."""
    if (target == target[0, 0]).all():
        raise ValueError("the target shows nothing: all of it has one colour")
    aspects = sorted(one.shape[1] / one.shape[0] for one in (image, target))
    goal = _shrunk(target)
    shown = cv2.resize(image, (goal.shape[1], goal.shape[0]), interpolation=cv2.INTER_AREA).astype(np.uint8)
    blanks = [np.broadcast_to(colour, goal.shape).astype(np.uint8) for colour in _backgrounds(goal)]
    parts = {part.__name__: _above_blank(part, shown, goal, blanks) for part in (structure, edges, colours)}
    found = list(parts.values())
    score = (float(np.mean(found)) + float(np.prod(found)) ** (1 / 3)) / 2
    aspect = aspects[0] / aspects[1]
    return Similarity(score=score * aspect, aspect=aspect, **parts)


def _above_blank(part: Callable[[Pixels, Pixels], float], image: Pixels, target: Pixels, blanks: list[Pixels]) -> float:
    floor = max(part(blank, target) for blank in blanks)
    if floor >= 1.0:  # this part sees nothing in the target
        return 1.0 if part(image, target) >= 1.0 else 0.0
    return float(np.clip((part(image, target) - floor) / (1 - floor), 0.0, 1.0))


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
    values, counts = np.unique(flat, axis=0, return_counts=True)
    return values[counts.argmax()].astype(np.float64), flat.mean(0)


def _shrunk(pixels: Pixels) -> Pixels:
    longest = max(pixels.shape[:2])
    if longest <= MAX_SIDE:
        return pixels
    height, width = (max(1, round(side * MAX_SIDE / longest)) for side in pixels.shape[:2])
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
