"""Photo-like distortion of a rendered page with OpenCV, in named strengths; the words stay inside the image."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from PIL import Image as Pillow
from pydantic import Field, model_validator

from vlrl.config import Settings
from vlrl.errors import did_you_mean

STRENGTHS: dict[str, dict[str, float]] = {
    "mild": {
        "rotation": 1.5,
        "perspective": 0.02,
        "blur": 0.5,
        "noise": 5.0,
        "shadow": 0.2,
        "paper": 0.03,
        "jpeg_quality": 70,
    },
    "strong": {
        "rotation": 5.0,
        "perspective": 0.07,
        "blur": 1.1,
        "noise": 14.0,
        "shadow": 0.5,
        "paper": 0.1,
        "jpeg_quality": 35,
    },
}


class Distortion(Settings):
    """The most of each effect; every image draws its own strengths uniformly between nothing and these.

    `mild` and `strong` are names for sets of settings: `distortion: strong`, or `{strength: strong, noise: 0}` to
    change some of them. The border is widened with the paper's colour before a rotation, so that no ink leaves the
    image; the result has the size of the original again, its text smaller by what the turn and the perspective need
    (6 % for 2° on a 2:1 page).
    """

    rotation: float = Field(default=2.0, ge=0, le=20, description="degrees to either side")
    perspective: float = Field(
        default=0.0, ge=0, le=0.2, description="how far each corner moves inwards, as a share of the side"
    )
    blur: float = Field(default=0.6, ge=0, le=5, description="standard deviation of a Gaussian, pixels")
    noise: float = Field(default=6.0, ge=0, le=60, description="standard deviation, grey levels of 255")
    shadow: float = Field(default=0.25, ge=0, le=0.8, description="how much darker the dark side is, as a share")
    paper: float = Field(default=0.0, ge=0, le=0.3, description="how much darker the stains and fibres of paper are")
    jpeg_quality: int = Field(default=60, ge=10, le=100, description="lowest JPEG quality")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        if isinstance(given, str):
            given = {"strength": given}
        if isinstance(given, dict) and "strength" in given:
            rest = {key: value for key, value in given.items() if key != "strength"}
            name = given["strength"]
            if name not in STRENGTHS:
                raise ValueError(f"unknown strength {name!r}; {did_you_mean(str(name), STRENGTHS)}")
            return {**STRENGTHS[name], **rest}
        return given

    def apply(self, image: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
        """A distorted copy, RGB, same size."""
        pixels = np.asarray(image.convert("RGB"))  # (H, W, 3)
        pixels = self._warp(pixels, rng)
        sigma = float(rng.uniform(0, self.blur))
        if sigma > 0.05:
            pixels = cv2.GaussianBlur(pixels, (0, 0), sigma)
        light = _shadow(pixels.shape[:2], float(rng.uniform(0, self.shadow)), float(rng.uniform(0, 2 * np.pi)))
        if self.paper > 0:
            light = light * _paper(pixels.shape[:2], float(rng.uniform(0, self.paper)), rng)
        values = pixels * light[:, :, None]
        values = values + rng.normal(0.0, float(rng.uniform(0, self.noise)) + 1e-9, size=pixels.shape)
        pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
        quality = int(rng.integers(self.jpeg_quality, 101))
        if quality < 100:
            _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
            pixels = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))  # channel order is the same on both sides
        return Pillow.fromarray(np.ascontiguousarray(pixels))

    def _warp(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Turned about the middle and seen at an angle, in one interpolation; every corner stays inside."""
        height, width = pixels.shape[:2]
        turn = _turn(width, height, float(rng.uniform(-self.rotation, self.rotation)))  # (2, 3)
        border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])  # (2W + 2H, 3)
        paper = [int(value) for value in np.median(border, axis=0)]
        size, line, fill = (width, height), cv2.INTER_LINEAR, cv2.BORDER_CONSTANT
        if self.perspective == 0:
            return cv2.warpAffine(pixels, turn, size, flags=line, borderMode=fill, borderValue=paper)
        view = _view(width, height, rng.uniform(0, self.perspective, size=(4, 2)))
        both = view @ np.vstack([turn, [0, 0, 1]])  # (3, 3)
        return cv2.warpPerspective(pixels, both, size, flags=line, borderMode=fill, borderValue=paper)


def _turn(width: int, height: int, degrees: float) -> np.ndarray:
    """Rotation about the middle, scaled down just so far that every corner stays inside, (2, 3)."""
    turn = abs(np.deg2rad(degrees))
    needed_width = width * np.cos(turn) + height * np.sin(turn)
    needed_height = width * np.sin(turn) + height * np.cos(turn)
    scale = min(width / needed_width, height / needed_height)
    return cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, scale)


def _view(width: int, height: int, inwards: np.ndarray) -> np.ndarray:
    """The image's corners moved inwards by these shares of width and height, (4, 2) → (3, 3)."""
    right, bottom = width - 1, height - 1
    corners = np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]], dtype=np.float32)
    signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    moved = (corners + signs * inwards * [width, height]).astype(np.float32)
    return cv2.getPerspectiveTransform(corners, moved)


def _shadow(shape: tuple[int, int], strength: float, direction: float) -> np.ndarray:
    """Light from 1 on one side down to 1 − strength on the other, (H, W)."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    along = columns / max(shape[1] - 1, 1) * np.cos(direction) + rows / max(shape[0] - 1, 1) * np.sin(direction)
    spread = along.max() - along.min()
    light: np.ndarray = 1.0 - strength * (along - along.min()) / (spread if spread > 0 else 1.0)
    return light


def _paper(shape: tuple[int, int], strength: float, rng: np.random.Generator) -> np.ndarray:
    """Paper that is darker by up to `strength` in wide stains and fine fibres, (H, W) in [1 − strength, 1]."""
    field = np.zeros(shape)
    for cell, share in ((48, 0.6), (3, 0.4)):  # pixels from a dark place to the next; share of the whole effect
        coarse = rng.random((shape[0] // cell + 2, shape[1] // cell + 2))
        field += share * cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    paper: np.ndarray = 1.0 - strength * field
    return paper
