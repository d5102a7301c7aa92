"""How one image lies in another: shift, small rotation, scale, found from coarse to fine.

A template search over scales and small rotations gives first guesses, the enhanced correlation coefficient (Evangelidis
and Psarakis 2008, OpenCV's `findTransformECC`) makes affine maps of the best of them. Brightness and contrast don't
count.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vlrl.curation.matching.image_views import ImageViews, View

COARSE, FINE, _FINEST = 64 * 64, 160 * 160, 360 * 360  # pixels of the levels
LEAST_OVERLAP = 0.6  # of the first view's area
_SCALES = (0.88, 0.94, 1.0, 1.06, 1.13)  # of the frame: 5 % cropped at each side is 0.9, a border of 6 % 1.12
_ROTATIONS = (-1.2, 0.0, 1.2)  # degrees; from there ECC reaches ±3
_MARGIN = 0.14  # share of the frame at each side that the template leaves: as far as it may shift
_GUESSES, _MOST_FOUND = 4, 2
_CERTAIN = 0.995  # of the coarse correlation: no other guess is tried
_CERTAIN_GUESS = 0.98  # no other pair of views is tried
_LEAST_GUESS, _LEAST_COARSE = 0.65, 0.7  # of the correlation; edited copies have 0.83 and more
_CLEARLY_BEST = 0.02  # by so much, and no second map is refined
_PLAIN = 1.0  # of 255: a view whose values deviate by less has one colour
_MOST_ASPECT = 0.25  # difference of log(width / height)
_IDENTITY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True)
class Alignment:
    """`to_other` (2, 3) maps points of `one` to points of `other`, both in units of their frames, [0, 1]²."""

    one: View
    other: View
    to_other: np.ndarray
    correlation: float


def aligned(one: ImageViews, other: ImageViews) -> list[Alignment]:
    """The best maps from views of one image to views of the other, at the coarse level, best first; often just one.

    None at all where the images don't look alike from afar.
    """
    guesses: list[Alignment] = []
    for a, b in _pairs(one, other):
        guesses += [Alignment(a, b, matrix, score) for score, matrix in _guesses(a, b)]
        if guesses and max(guess.correlation for guess in guesses) > _CERTAIN_GUESS:
            break
    guesses.sort(key=lambda guess: -guess.correlation)
    coarse: list[Alignment] = []
    for guess in guesses[:_GUESSES]:
        if guess.correlation < _LEAST_GUESS:
            break
        coarse.append(_refined(guess, COARSE))
        if coarse[-1].correlation > _CERTAIN:
            break
    coarse.sort(key=lambda found: -found.correlation)
    least = max([_LEAST_COARSE, *(found.correlation - _CLEARLY_BEST for found in coarse[:1])])
    return [found for found in coarse if found.correlation >= least][:_MOST_FOUND]


def refined(alignment: Alignment) -> Alignment:
    """The alignment made better at the fine level."""
    return _refined(alignment, FINE)


def _pairs(one: ImageViews, other: ImageViews) -> list[tuple[View, View]]:
    """Views of similar shape: the whole images first, then the innermost views, then all others."""
    last = len(one.views) - 1, len(other.views) - 1
    numbers = [(a, b) for a in range(len(one.views)) for b in range(len(other.views))]
    numbers.sort(key=lambda pair: (pair != (0, 0), pair != last, pair))
    pairs = [(one.views[a], other.views[b]) for a, b in numbers]
    return [(a, b) for a, b in pairs if abs(np.log(a.aspect / b.aspect)) <= _MOST_ASPECT]


def sharpened(alignment: Alignment) -> Alignment:
    """The alignment made better at the finest level, for images that are compared there."""
    return _refined(alignment, _FINEST)


def in_pixels(to_other: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The map of frames as a map of pixel centres of two arrays; (2, 3) float32."""
    (h, w), (other_h, other_w) = one.shape[:2], other.shape[:2]
    from_pixels = np.array([[1 / w, 0, 0.5 / w], [0, 1 / h, 0.5 / h], [0, 0, 1]])
    matrix = np.diag([other_w, other_h]) @ to_other @ from_pixels
    matrix[:, 2] -= 0.5
    return np.asarray(matrix, np.float32)


def warped(other: np.ndarray, matrix: np.ndarray, one: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`other` as it lies over `one`, and where it does: an array of one's size and a mask (h, w)."""
    size, flags = (one.shape[1], one.shape[0]), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    over = cv2.warpAffine(other, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones(other.shape[:2], np.float32), matrix, size, flags=flags, borderValue=0)
    return over, inside > 0.99


def _guesses(one: View, other: View) -> list[tuple[float, np.ndarray]]:
    """The two best maps of a search at the coarse level, with their correlations."""
    a, b = one.level(COARSE), other.level(COARSE)
    height, width = b.shape
    guesses = [(_correlation(a, b, _IDENTITY), _IDENTITY)]
    y, x = round(height * _MARGIN), round(width * _MARGIN)
    if min(height - 2 * y, width - 2 * x) < 6:
        return guesses
    for scale in _SCALES:
        for degrees in _ROTATIONS:
            matrix = _about_the_middle(scale, np.radians(degrees), width / height)
            back = cv2.invertAffineTransform(matrix)
            template = warped(a, in_pixels(back, b, a), b)[0][y : height - y, x : width - x]
            if template.std() < _PLAIN:
                continue
            _, score, _, (left, top) = cv2.minMaxLoc(cv2.matchTemplate(b, template, cv2.TM_CCOEFF_NORMED))
            matrix[:, 2] += [(left - x) / width, (top - y) / height]
            guesses.append((score - 0.01, matrix))
    guesses.sort(key=lambda guess: -guess[0])
    return guesses[:2]


def _about_the_middle(scale: float, radians: float, aspect: float) -> np.ndarray:
    cos, sin = np.cos(radians) * scale, np.sin(radians) * scale
    matrix = np.array([[cos, -sin / aspect, 0.0], [sin * aspect, cos, 0.0]])
    matrix[:, 2] = 0.5 - matrix[:, :2] @ [0.5, 0.5]
    return matrix


def _refined(guess: Alignment, area: int) -> Alignment:
    """The guess made better at a level, or the guess itself where that fails; its correlation is that of the level."""
    a, b = guess.one.level(area), guess.other.level(area)
    kept = Alignment(guess.one, guess.other, guess.to_other, _correlation(a, b, guess.to_other))
    whole = np.ones(b.shape, np.uint8)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    try:
        _, pixels = cv2.findTransformECC(a, b, in_pixels(guess.to_other, a, b), cv2.MOTION_AFFINE, stop, whole, 1)
    except cv2.error:  # so it tells that two images have nothing in common, or that a view has one colour
        return kept
    found = _in_frames(pixels, a, b)
    stretch, shear = np.diag(found[:, :2]), np.abs([found[0, 1], found[1, 0]])
    if stretch.min() < 0.7 or stretch.max() > 1.45 or shear.max() > 0.25:
        return kept
    refined = Alignment(guess.one, guess.other, found, _correlation(a, b, found))
    return refined if refined.correlation > kept.correlation else kept


def _in_frames(pixels: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    (h, w), (other_h, other_w) = one.shape[:2], other.shape[:2]
    matrix = pixels.astype(np.float64) @ np.array([[w, 0, -0.5], [0, h, -0.5], [0, 0, 1]])
    matrix[:, 2] += 0.5
    return np.asarray(np.diag([1 / other_w, 1 / other_h]) @ matrix)


def _correlation(one: np.ndarray, other: np.ndarray, matrix: np.ndarray) -> float:
    over, inside = warped(other, in_pixels(matrix, one, other), one)
    if inside.mean() < LEAST_OVERLAP:
        return -1.0
    a, b = one[inside], over[inside]
    plain = a.std() < _PLAIN, b.std() < _PLAIN
    if any(plain):  # what is left is rounding, which differs between releases of OpenCV
        return float(all(plain))
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))
