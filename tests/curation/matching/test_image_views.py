"""Views of an image: the whole, and what lies inside of plain frames."""

from __future__ import annotations

import numpy as np
import pytest

from vlrl.curation.matching.image_views import ImageViews, View, to_area


def squares(height: int, width: int) -> np.ndarray:
    """A chessboard of 8 px a square: no line of it has one colour."""
    y, x = np.mgrid[:height, :width] // 8
    return np.repeat(np.where((y + x) % 2, 250, 90).astype(np.uint8)[..., None], 3, axis=2)


def framed(inner: np.ndarray, top: int, left: int, bottom: int, right: int, value: int) -> np.ndarray:
    return np.pad(inner, ((top, bottom), (left, right), (0, 0)), constant_values=value)


@pytest.mark.parametrize(
    ("shape", "area", "expected"),
    [((100, 400), 10_000, (50, 200)), ((50, 50), 2500, (50, 50)), ((3, 3), 100, (3, 3)), ((1, 400), 100, (1, 200))],
)
def test_an_image_shrinks_to_the_area_and_never_grows(shape, area, expected):
    assert to_area(np.zeros((*shape, 3), np.uint8), area).shape[:2] == expected


def test_a_frame_of_one_colour_has_a_view_inside_of_it():
    views = ImageViews(framed(squares(60, 80), 10, 20, 30, 40, 0)).views
    assert views[0].grey.shape == (100, 140)
    height, width = views[1].grey.shape
    assert len(views) == 2
    assert abs(height - 60) <= 4  # the frame's edge is smoothed over two pixels at each side
    assert abs(width - 80) <= 4


def test_a_frame_inside_of_a_frame_is_one_more_view_and_the_third_is_the_last():
    pixels = squares(60, 80)
    for value in (0, 60, 0):
        pixels = framed(pixels, 12, 12, 12, 12, value)
    assert len(ImageViews(pixels).views) == 3


@pytest.mark.parametrize(("outer", "inner"), [(0, 60), (0, 250), (250, 0), (255, 128), (30, 220)])
@pytest.mark.parametrize("size", [60, 200, 400])
def test_a_frame_inside_of_a_frame_is_found_whatever_their_contrast(size, outer, inner):
    """A white page with a black border around it: what is on the page is the last view."""
    content = squares(size, size + 16)
    views = ImageViews(framed(framed(content, 20, 20, 20, 20, inner), 15, 15, 15, 15, outer)).views
    assert len(views) == 3
    assert all(abs(found - given) <= 4 for found, given in zip(views[2].grey.shape, content.shape, strict=False))


def test_what_stands_in_one_frame_has_no_view_inside_of_it():
    for value in (0, 60, 250):
        assert len(ImageViews(framed(squares(200, 200), 20, 20, 20, 20, value)).views) == 2


def test_an_image_without_a_frame_or_of_one_colour_is_one_view():
    assert len(ImageViews(squares(60, 80)).views) == 1
    assert len(ImageViews(np.full((60, 80, 3), 128, np.uint8)).views) == 1


def test_thumbnails_forget_brightness_and_contrast():
    grey = squares(64, 64)[..., 0]
    darker = (grey // 2 + 10).astype(np.uint8)
    one, other = (View(np.repeat(g[..., None], 3, 2), g).thumbnail() for g in (grey, darker))
    assert one.shape == (256,)
    assert float(one @ one) == pytest.approx(1.0, abs=1e-5)
    assert float(one.mean()) == pytest.approx(0.0, abs=1e-6)
    assert float(one @ other) > 0.999


def test_a_view_of_one_colour_has_a_thumbnail_of_zeros():
    plain = np.full((64, 64), 200, np.uint8)
    assert not View(np.repeat(plain[..., None], 3, 2), plain).thumbnail().any()


@pytest.mark.parametrize(("share", "coloured"), [(0.0, False), (0.05, True)])
def test_a_patch_of_colour_makes_an_image_coloured(share, coloured):
    pixels = np.full((100, 100, 3), 128, np.uint8)
    pixels[: int(100 * share), :, 0] = 255
    assert ImageViews(pixels).coloured is coloured
