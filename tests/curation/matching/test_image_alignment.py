"""How one image lies in another: maps that are known beforehand are found."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vlrl.curation.matching.image_alignment import aligned, in_pixels, refined, warped
from vlrl.curation.matching.image_views import ImageViews


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    rng = np.random.default_rng(3)
    small = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return cv2.resize(small, (320, 240), interpolation=cv2.INTER_CUBIC)


def test_an_image_lies_in_itself_as_it_is(pixels):
    best = aligned(ImageViews(pixels), ImageViews(pixels))[0]
    assert best.correlation > 0.999
    assert best.to_other == pytest.approx(np.array([[1, 0, 0], [0, 1, 0]]), abs=1e-3)


def test_a_shift_is_found_in_units_of_the_frame(pixels):
    """A crop of 288 × 216 that starts 16 px from the left and 12 px from the top: x' = (320·x − 16) / 288."""
    crop = pixels[12:228, 16:304]
    best = refined(aligned(ImageViews(pixels), ImageViews(crop))[0])
    expected = np.array([[320 / 288, 0, -16 / 288], [0, 240 / 216, -12 / 216]])
    assert best.correlation > 0.99
    assert best.to_other == pytest.approx(expected, abs=0.01)


def test_other_images_have_no_map(pixels):
    rng = np.random.default_rng(4)
    other = cv2.resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC)
    assert aligned(ImageViews(pixels), ImageViews(other)) == []


def test_brightness_and_contrast_do_not_count(pixels):
    darker = (pixels * 0.5 + 20).astype(np.uint8)
    assert aligned(ImageViews(pixels), ImageViews(darker))[0].correlation > 0.999


def test_warped_says_where_the_images_overlap():
    one, other = np.zeros((10, 20), np.float32), np.arange(200, dtype=np.float32).reshape(10, 20)
    half = in_pixels(np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]), one, other)  # half a frame to the right
    over, inside = warped(other, half, one)
    assert over[:, :10] == pytest.approx(other[:, 10:])
    assert inside.mean() == 0.5
    assert inside[:, :10].all()
