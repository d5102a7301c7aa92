"""Where two aligned images differ most, beyond what editing explains, and how large that place is.

Both are brought to the resolution of the coarser one, one is fitted to the other's brightness (with clipping) and
sharpness, and a pixel counts as different only if the other image has no such value within a pixel of its place. What
that leaves of a re-encoded, resized or rotated image is spread thinly over all edges; another digit or a moved shape is
left whole at its place: windows of a letter's size that lose most of their contrast, and lie side by side.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from math import inf

import cv2
import numpy as np

from vlrl.curation.matching.image_alignment import Alignment, in_pixels, warped
from vlrl.curation.matching.image_views import View, to_area

WINDOW = 7  # px; about one letter
_LEAST_INSIDE = 0.6  # of the first view's area
_LEAST_PIXELS = 96 * 96  # a smaller pair is enlarged: a pixel's tolerance would hide strokes of two pixels
_EDGE = 0.02  # of each side: what a rotation or a blended border leaves there says nothing
_DETAIL, _REDRAWN = 16, 40  # of 255: change of grey from pixel to pixel that is a detail; of a pixel drawn otherwise
_CONTRAST = 10.0  # of 255; below, a window has no detail of its own
FLOOR = 25.0  # of 255; a difference is measured against this contrast at least
MOST_APART = 0.6  # of a window's contrast; JPEG at 30 of small type reaches 0.5
_NOISE = 0.6  # px; blur that takes the noise of pixels away
_SAMPLE = 1500  # pixels that brightness and sharpness are fitted on
_TILE, _MOST_TILES, _MARGIN = 48, 16, 6  # px a side, tiles that these pixels are taken from, px that don't count
_SHARPNESS = ((0.0, 0.0), (0.7, 0.0), (1.2, 0.0), (1.8, 0.0), (0.0, 0.7), (0.0, 1.2))  # blur of one and other, px


@dataclass(frozen=True)
class Difference:
    """What two aligned images differ by, place by place; each (H, W).

    apart     root mean square over a window of what the other image has nowhere within a pixel, of 255
    contrast  of the window, in the image where it is larger
    inside    where the images overlap, edges apart
    """

    apart: np.ndarray
    contrast: np.ndarray
    inside: np.ndarray

    def largest(self, floor: float = FLOOR, most_apart: float = MOST_APART) -> float:
        """The largest connected region that differs, in windows; inf where too little of the images overlaps.

        A window differs if it loses the share `most_apart` of its contrast, of which `floor` is the least that counts.
        """
        if self.inside.sum() < 2 * WINDOW * WINDOW:
            return inf
        threshold = most_apart * np.maximum(self.contrast, floor)
        differs = self.inside & (self.contrast > _CONTRAST) & (self.apart > threshold)
        count, _, regions, _ = cv2.connectedComponentsWithStats(differs.astype(np.uint8))
        return float(regions[1:, cv2.CC_STAT_AREA].max()) / WINDOW**2 if count > 1 else 0.0


def difference(alignment: Alignment, coloured: bool, area: int) -> Difference:
    """`coloured` compares the colours too; `area` bounds the pixels that are compared."""
    one, other, inside = _at_one_resolution(alignment, coloured, area)
    if inside.mean() >= _LEAST_INSIDE:
        y, x = (max(1, round(_EDGE * side)) for side in inside.shape)
        framed = cv2.copyMakeBorder(inside.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        inside = cv2.erode(framed, np.ones((2 * y + 1, 2 * x + 1), np.uint8))[1:-1, 1:-1] > 0
    else:
        inside = np.zeros_like(inside)
    if not inside.any():
        nothing = np.zeros(inside.shape, np.float32)
        return Difference(nothing, nothing, inside)
    one, other = _fitted(one, other, inside)
    apart = np.sqrt(np.maximum(_mean(_apart(one, other) ** 2), 0.0))  # a running mean may fall below 0
    contrast = np.maximum(np.maximum(_deviation(one), _deviation(other)), apart)
    return Difference(apart, contrast, inside)


def redrawn(one: View, other: View) -> bool:
    """Whether most details are the same to the pixel and others aren't: a place was drawn otherwise, nothing edited.

    Editing changes all details a little, and none of them much. Only views of one size can be compared so.
    """
    if one.grey.shape != other.grey.shape:
        return False
    apart = _largest_channel(cv2.absdiff(one.rgb, other.rgb))
    detail = cv2.morphologyEx(one.grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > _DETAIL
    return bool((apart > _REDRAWN).any() and (apart[detail] <= 1).mean() > 0.5) if detail.any() else False


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
    """Both at one sharpness, and one at the other's brightness: what leaves least in tiles of both.

    Brightness is clipped before anything is blurred, as it was where the image was edited.
    """
    x, y, counted = _tiles(one, other, inside)
    sample = np.flatnonzero(counted.ravel())
    sample = sample[:: max(1, len(sample) // _SAMPLE)]
    best: tuple[float, float, float, float, float] | None = None
    for blur_one, blur_other in _SHARPNESS:
        u, v = np.hypot(_NOISE, blur_one), np.hypot(_NOISE, blur_other)
        theirs = _sampled(_blurred(y, v), sample)
        ours = _sampled(_blurred(x, u), sample)
        gain, offset = _brightness(ours, theirs)
        ours = _sampled(_blurred(np.clip(gain * x + offset, 0, 255), u), sample)
        left = float(np.sqrt(((ours - theirs) ** 2).mean())) / max(8.0, float(ours.std()))
        left *= 1.0 + 0.02 * (blur_one > 0) + 0.05 * (blur_other > 0)  # the plainer explanation
        if best is None or left < best[0]:
            best = left, gain, offset, float(u), float(v)
    assert best is not None
    _, gain, offset, u, v = best
    return _blurred(np.clip(gain * one + offset, 0, 255), u), _blurred(other, v)


def _sampled(pixels: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.asarray(pixels.reshape(-1, pixels.shape[2])[places].ravel())


def _tiles(one: np.ndarray, other: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The most detailed tiles of both in one column (n · TILE, TILE, C), and which of their pixels count.

    A tile's margin doesn't count: it is blurred with the next tile's. Small images are a tile as a whole.
    """
    height, width, channels = one.shape
    rows, columns = height // _TILE, width // _TILE
    if rows * columns <= _MOST_TILES:
        return one, other, inside

    def cut(pixels: np.ndarray) -> np.ndarray:
        grid = pixels[: rows * _TILE, : columns * _TILE].reshape(rows, _TILE, columns, _TILE, -1)
        return grid.swapaxes(1, 2).reshape(rows * columns, _TILE, _TILE, -1)

    ours, theirs, whole = cut(one), cut(other), cut(inside[..., None])
    detail = ours[..., ::4, ::4, :].std(axis=(1, 2)).max(1) * whole.mean(axis=(1, 2, 3))
    chosen = np.argsort(-detail, kind="stable")[:_MOST_TILES]
    counted = whole[chosen, ..., 0].copy()
    for margin in (slice(None, _MARGIN), slice(-_MARGIN, None)):
        counted[:, margin] = False
        counted[:, :, margin] = False
    if not counted.any():
        return one, other, inside
    flat = (-1, _TILE, channels)
    return ours[chosen].reshape(flat), theirs[chosen].reshape(flat), counted.reshape(-1, _TILE)


def _brightness(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The gain and offset that make most of y of x: plain gains, and one fitted on pixels that aren't clipped."""
    x, y = x[::4], y[::4]  # 4 isn't a multiple of the channels
    lines = [(gain / 20, 0.0) for gain in (20, *range(14, 29))]
    open_ = (x > 6) & (x < 249) & (y > 6) & (y < 249)
    a, b = x[open_], y[open_]
    for _ in range(2):
        if len(a) < 50 or a.var() < 16:
            break
        gain = float(np.clip(((a - a.mean()) * (b - b.mean())).mean() / a.var(), 0.6, 1.6))
        offset = float(np.median(b - gain * a))
        lines.append((gain, offset))
        left = np.abs(b - gain * a - offset)
        agreeing = left <= np.percentile(left, 80)
        a, b = a[agreeing], b[agreeing]
    gains, offsets = np.array(lines, np.float32).T[..., None]  # (L, 1)
    made = np.clip(gains * x + offsets, 0, 255)
    return lines[int(np.abs(made - y).mean(1).argmin())]


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(H, W): how far a pixel of either image is from all values within a pixel of its place in the other."""
    around = np.ones((3, 3), np.uint8)
    apart = np.zeros(one.shape, np.float32)
    for a, b in ((one, other), (other, one)):
        high, low = (change(b, around).reshape(b.shape) for change in (cv2.dilate, cv2.erode))
        apart = np.maximum(apart, np.maximum(a - high, low - a))
    return _largest_channel(apart)


def _mean(values: np.ndarray) -> np.ndarray:
    return cv2.blur(values, (WINDOW, WINDOW))


def _deviation(pixels: np.ndarray) -> np.ndarray:
    """(H, W): the contrast of each window, in the channel where it is largest."""
    mean = _mean(pixels).reshape(pixels.shape)
    variance = _mean(pixels * pixels).reshape(pixels.shape) - mean * mean
    return np.asarray(np.sqrt(np.maximum(_largest_channel(variance), 0.0)))


def _largest_channel(pixels: np.ndarray) -> np.ndarray:
    """(H, W, C) → (H, W); many times as fast as `max(2)`."""
    channels = [pixels[..., channel] for channel in range(pixels.shape[2])]
    return np.asarray(functools.reduce(np.maximum, channels))
