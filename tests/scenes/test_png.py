"""The PNG writer against Pillow's reader."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from vlrl.scenes.png import png_bytes


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (48, 48), (33, 57)])
def test_pillow_reads_back_the_very_pixels(shape):
    pixels = np.random.default_rng(0).integers(0, 256, size=(*shape, 3), dtype=np.uint8)
    read = Image.open(io.BytesIO(png_bytes(pixels)))
    read.load()
    assert read.mode == "RGB"
    assert not read.info
    assert np.array_equal(np.asarray(read), pixels)


def test_a_image_cut_out_of_a_larger_one_is_written_like_its_copy():
    large = np.random.default_rng(0).integers(0, 256, size=(20, 20, 3), dtype=np.uint8)
    assert png_bytes(large[3:9, 4:17]) == png_bytes(large[3:9, 4:17].copy())
