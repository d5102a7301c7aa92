"""How much a source may say that draws a target: less than an image of it takes.

A program that draws a figure is many times shorter than an image file of it. One that holds the image isn't,
however it spells it. So the information of a source is bounded by what the target takes as an image of low quality; a
small target's by what any drawing may take. Programs can unpack what they hold, and get less than markup, which can't.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2

from vlrl.code_execution.drawing import DrawingKind
from vlrl.verify.rendering.image_similarity import Pixels
from vlrl.verify.rendering.source_information import information

QUALITY = 10  # of 100, WebP
MAX_WEBP_SIDE = 16_383


@dataclass(frozen=True)
class Allowance:
    """Bytes of information that a source of a kind may hold for any target, and the share of the target's as an image
    that it may hold where that is more."""

    floor: int
    rate: float


ALLOWANCES: Mapping[DrawingKind, Allowance] = {
    "html": Allowance(1000, 1 / 6),
    "svg": Allowance(1000, 1 / 2),
    "matplotlib": Allowance(700, 1 / 6),
    "latex": Allowance(1000, 1 / 6),
}
MORE_THAN_GOLD = 1.5  # times the information of a target's own source, where that is known


def image_bytes(pixels: Pixels) -> int:
    """Bytes of an image (H, W, 3) as a WebP file of quality 10."""
    longest = max(pixels.shape[:2])
    if longest > MAX_WEBP_SIDE:
        scale = MAX_WEBP_SIDE / longest
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(pixels.dtype)
    written, file = cv2.imencode(".webp", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_WEBP_QUALITY, QUALITY))
    if not written:
        raise RuntimeError(f"no WebP of {pixels.shape[1]} × {pixels.shape[0]} pixels was written")
    return len(file)


def allowance(kind: DrawingKind, image: int, gold: str | None = None) -> float:
    """Bytes of information that a source may hold whose target takes `image` bytes, and is drawn by `gold` where that
    is known."""
    allowed = ALLOWANCES[kind]
    of_gold = 0.0 if gold is None else MORE_THAN_GOLD * information(gold)
    return max(float(allowed.floor), allowed.rate * image, of_gold)


def refusal(source: str, allowed: float) -> str:
    """Why a source is no drawing of a target that allows this much; empty where it may be one."""
    if information(source, allowed) < allowed:
        return ""
    return f"holds as much data as an image: {allowed:.0f} bytes of information or more"
