"""Where two aligned images differ most, beyond what editing explains, and how large that place is.

Both are brought to the resolution of the coarser one, one is fitted to the other's brightness (with clipping) and
sharpness, and a pixel counts as different only if the other image has no such value within a pixel of its place. What
that leaves of a re-encoded, resized or rotated image is spread thinly over all edges; another digit or a moved shape is
left whole at its place: windows of a letter's size that lose most of their contrast, and lie side by side.
"""

from __future__ import annotations

from math import inf

import cv2
import numpy as np

from vlrl.curation.image_alignment import Alignment, in_pixels, warped
from vlrl.curation.image_views import to_area

WINDOW = 7  # px; about one letter
_LEAST_INSIDE = 0.6  # of the first view's area
_LEAST_PIXELS = 96 * 96  # a smaller pair is enlarged: a pixel's tolerance would hide strokes of two pixels
_EDGE = 0.02  # of each side: what a rotation or a blended border leaves there says nothing
_CONTRAST = 10.0  # of 255; below, a window has no detail of its own
FLOOR = 25.0  # of 255; a difference is measured against this contrast at least
MOST_APART = 0.6  # of a window's contrast; JPEG at 30 of small type reaches 0.5
_NOISE = 0.6  # px; blur that takes the noise of pixels away
_SAMPLE = 4000  # pixels that brightness and sharpness are fitted on
_SHARPNESS = ((0.0, 0.0), (0.7, 0.0), (1.2, 0.0), (1.8, 0.0), (0.0, 0.7), (0.0, 1.2))  # blur of one and other, px


def largest_difference(
    alignment: Alignment, coloured: bool, area: int, floor: float = FLOOR, most_apart: float = MOST_APART
) -> float:
    """The largest connected region that differs, in windows; inf where too little of the images overlaps.

    `coloured` compares the colours too; `area` bounds the pixels that are compared; a window differs if it loses the
    share `most_apart` of its contrast, of which `floor` is the least that counts.
    """
    one, other, inside = _at_one_resolution(alignment, coloured, area)
    if inside.mean() < _LEAST_INSIDE:
        return inf
    y, x = (max(1, round(_EDGE * side)) for side in inside.shape)
    framed = cv2.copyMakeBorder(inside.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inside = cv2.erode(framed, np.ones((2 * y + 1, 2 * x + 1), np.uint8))[1:-1, 1:-1] > 0
    if inside.sum() < 2 * WINDOW * WINDOW:
        return inf
    one, other = _fitted(one, other, inside)
    apart = np.sqrt(np.maximum(_mean(_apart(one, other) ** 2), 0.0))  # a running mean may fall below 0
    contrast = np.maximum(np.maximum(_deviation(one), _deviation(other)), apart)
    differs = inside & (contrast > _CONTRAST) & (apart > most_apart * np.maximum(contrast, floor))
    count, _, regions, _ = cv2.connectedComponentsWithStats(differs.astype(np.uint8))
    return float(regions[1:, cv2.CC_STAT_AREA].max()) / WINDOW**2 if count > 1 else 0.0


def _at_one_resolution(alignment: Alignment, coloured: bool, area: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """one (H, W, C), other as it lies over it (H, W, C), both float32, and where it does (H, W)."""
    one, other = alignment.one, alignment.other
    a, b = (one.rgb, other.rgb) if coloured else (one.grey, other.grey)
    a = to_area(a, area)
    scale = float(np.sqrt(abs(np.linalg.det(in_pixels(alignment.to_other, a, b)[:, :2]))))
    a, b = _shrunk(a, min(1.0, scale)), _shrunk(b, min(1.0, 1 / scale))
    larger = (_LEAST_PIXELS / (a.shape[0] * a.shape[1])) ** 0.5
    if larger > 1:
        a, b = (cv2.resize(pixels, None, fx=larger, fy=larger, interpolation=cv2.INTER_CUBIC) for pixels in (a, b))
    over, inside = warped(b, in_pixels(alignment.to_other, a, b), a)
    return _channels(a), _channels(over), inside


def _shrunk(pixels: np.ndarray, scale: float) -> np.ndarray:
    if scale >= 1:
        return pixels
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _channels(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float32).reshape(*pixels.shape[:2], -1)


def _blurred(pixels: np.ndarray, sigma: float) -> np.ndarray:
    return pixels if sigma == 0 else cv2.GaussianBlur(pixels, (0, 0), sigma).reshape(pixels.shape)


def _fitted(one: np.ndarray, other: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both at one sharpness, and one at the other's brightness: what leaves least on a sample of the pixels.

    Brightness is clipped before anything is blurred, as it was where the image was edited.
    """
    places = np.flatnonzero(inside.ravel())
    places = places[:: max(1, len(places) // _SAMPLE)]
    best = None
    for blur_one, blur_other in _SHARPNESS:
        blurs = np.hypot(_NOISE, blur_one), np.hypot(_NOISE, blur_other)
        b = _blurred(other, blurs[1])
        x, y = (pixels.reshape(-1, pixels.shape[2])[places].ravel() for pixels in (_blurred(one, blurs[0]), b))
        gain, offset = min(((_left(x, y, *line), line) for line in _brightnesses(x, y)), key=lambda pair: pair[0])[1]
        a = _blurred(np.clip(gain * one + offset, 0, 255), blurs[0])
        x = a.reshape(-1, a.shape[2])[places].ravel()
        left = float(np.sqrt(((x - y) ** 2).mean())) / max(8.0, float(x.std()))
        left *= 1.0 + 0.02 * (blur_one > 0) + 0.05 * (blur_other > 0)  # the plainer explanation
        if best is None or left < best[0]:
            best = left, a, b
    assert best is not None
    return best[1], best[2]


def _left(x: np.ndarray, y: np.ndarray, gain: float, offset: float) -> float:
    return float(np.abs(y - np.clip(gain * x + offset, 0, 255)).mean())


def _brightnesses(x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    """Gains and offsets that may make y of x: plain gains, and one fitted on pixels that aren't clipped."""
    found = [(gain / 20, 0.0) for gain in (20, *range(14, 29))]
    open_ = (x > 6) & (x < 249) & (y > 6) & (y < 249)
    a, b = x[open_], y[open_]
    for _ in range(2):
        if len(a) < 50 or a.var() < 16:
            break
        gain = float(np.clip(((a - a.mean()) * (b - b.mean())).mean() / a.var(), 0.6, 1.6))
        offset = float(np.median(b - gain * a))
        found.append((gain, offset))
        left = np.abs(b - gain * a - offset)
        agreeing = left <= np.percentile(left, 80)
        a, b = a[agreeing], b[agreeing]
    return found


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(H, W): how far a pixel of either image is from all values within a pixel of its place in the other."""
    around = np.ones((3, 3), np.uint8)
    apart = np.zeros(one.shape, np.float32)
    for a, b in ((one, other), (other, one)):
        high, low = (change(b, around).reshape(b.shape) for change in (cv2.dilate, cv2.erode))
        apart = np.maximum(apart, np.maximum(a - high, low - a))
    return np.asarray(apart.max(2))


def _mean(values: np.ndarray) -> np.ndarray:
    return cv2.blur(values, (WINDOW, WINDOW))


def _deviation(pixels: np.ndarray) -> np.ndarray:
    """(H, W): the contrast of each window, in the channel where it is largest."""
    variances = [_mean(pixels[..., c] ** 2) - _mean(pixels[..., c]) ** 2 for c in range(pixels.shape[2])]
    return np.asarray(np.sqrt(np.maximum(np.stack(variances, 2).max(2), 0.0)))
