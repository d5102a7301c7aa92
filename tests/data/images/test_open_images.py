"""Opening images: every format becomes upright RGB, every damaged file a named error, nothing a blank."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.images.open_images import (
    MAX_DECODED_PIXELS,
    BadImageError,
    check_header,
    check_image,
    open_image,
    size_in_budget,
)
from vlrl.types import Image


def encoded(image: Pillow.Image, kind: str = "PNG", **options) -> Image:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return Image.from_bytes(buffer.getvalue())


def left_red_right_blue(width: int = 8, height: int = 4) -> Pillow.Image:
    image = Pillow.new("RGB", (width, height), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, width // 2, height))
    return image


def test_a_plain_image_keeps_its_pixels():
    opened = open_image(encoded(left_red_right_blue()))
    assert opened.mode == "RGB"
    assert np.array_equal(np.asarray(opened), np.asarray(left_red_right_blue()))


def test_exif_orientation_is_applied():
    exif = Pillow.Exif()
    exif[0x0112] = 6  # the camera was turned: show it 90° clockwise
    opened = open_image(encoded(left_red_right_blue(64, 32), "JPEG", exif=exif, quality=95))
    assert opened.size == (32, 64)
    top, bottom = opened.getpixel((16, 5)), opened.getpixel((16, 58))
    assert top[0] > 200 > 60 > top[2]
    assert bottom[2] > 200 > 60 > bottom[0]


def test_transparency_shows_white():
    image = Pillow.new("RGBA", (2, 1), (255, 0, 0, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    opened = open_image(encoded(image))
    assert opened.getpixel((0, 0)) == (255, 255, 255)
    assert opened.getpixel((1, 0)) == (255, 0, 0)


def test_half_transparency_is_blended_with_white():
    opened = open_image(encoded(Pillow.new("RGBA", (1, 1), (0, 0, 0, 128))))
    assert abs(opened.getpixel((0, 0))[0] - 127) <= 1


def test_grey_with_alpha_shows_white():
    assert open_image(encoded(Pillow.new("LA", (1, 1), (0, 0)))).getpixel((0, 0)) == (255, 255, 255)


def test_a_palette_becomes_its_colours_and_its_transparent_entry_white():
    image = left_red_right_blue().quantize(2)
    assert np.array_equal(np.asarray(open_image(encoded(image))), np.asarray(left_red_right_blue()))
    red = image.getpixel((0, 0))
    assert open_image(encoded(image, transparency=red)).getpixel((0, 0)) == (255, 255, 255)


def test_cmyk_becomes_rgb():
    opened = open_image(encoded(Pillow.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95))
    red, green, blue = opened.getpixel((4, 4))
    assert red > 200
    assert green < 60
    assert blue < 60


@pytest.mark.parametrize(("value", "shown"), [(0, 0), (65535, 255), (32896, 128)])
def test_sixteen_bit_grey_is_scaled_rather_than_clipped(value, shown):
    image = Pillow.fromarray(np.full((3, 3), value, dtype=np.uint16))
    other = np.asarray(image).copy()
    other[0, 0] = 60000  # a dark image must not be taken for an 8-bit one
    opened = open_image(encoded(Pillow.fromarray(other)))
    assert opened.getpixel((2, 2)) == (shown, shown, shown)


def test_a_dark_sixteen_bit_image_stays_dark():
    opened = open_image(encoded(Pillow.fromarray(np.full((3, 3), 200, dtype=np.uint16))))
    assert opened.getpixel((1, 1)) == (1, 1, 1)


def test_black_and_white_bits_become_rgb():
    assert open_image(encoded(Pillow.new("1", (2, 2), 1))).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "ICO", "TGA", "JPEG2000"])
def test_the_usual_formats_are_read(kind):
    opened = open_image(encoded(left_red_right_blue(32, 32), kind))
    red, blue = opened.getpixel((8, 16)), opened.getpixel((24, 16))
    assert red[0] > 200 > 60 > red[2]
    assert blue[2] > 200 > 60 > blue[0]


def test_an_animation_is_its_first_frame():
    frames = [Pillow.new("RGB", (4, 4), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    opened = open_image(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert opened.getpixel((0, 0)) == (255, 0, 0)


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_before_it_is_decoded():
    with pytest.raises(BadImageError, match=f"at most {MAX_DECODED_PIXELS}|decompression bomb"):
        open_image(Image.from_bytes(png_header(50_000, 50_000)))
    with pytest.raises(BadImageError, match=r"9000×9000"):
        open_image(Image.from_bytes(png_header(9000, 9000)))


def test_a_truncated_file_is_an_error_that_names_it(tmp_path):
    file = tmp_path / "cut.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = encoded(Pillow.fromarray(noise), "JPEG").read_bytes()
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(BadImageError, match=r"cut\.jpg"):
        open_image(Image.from_file(str(file)))


def test_a_file_that_is_gone_is_an_error_that_names_it(tmp_path):
    file = tmp_path / "here.png"
    left_red_right_blue().save(file)
    reference = Image.from_file(str(file))
    file.unlink()
    with pytest.raises(BadImageError, match=r"here\.png.*can't be read"):
        open_image(reference)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"\xff\xd8\xff",
        b"<svg></svg>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    ],
)
def test_what_is_no_image_is_an_error(data):
    with pytest.raises(BadImageError, match="not a readable image"):
        open_image(Image.from_bytes(data))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_damaged_files_are_images_or_named_errors(kind):
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)
    whole = encoded(Pillow.fromarray(noise), kind).read_bytes()
    for _ in range(150):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), size=int(rng.integers(1, 6))):
            data[place] = int(rng.integers(256))
        if rng.random() < 0.5:
            data = data[: int(rng.integers(1, len(data)))]
        try:
            opened = open_image(Image.from_bytes(bytes(data)))
        except BadImageError:
            continue
        assert opened.mode == "RGB"


@settings(max_examples=300, deadline=None)
@given(
    width=st.integers(1, 4000),
    height=st.integers(1, 4000),
    low=st.integers(1, 5000),
    factor=st.floats(1.0, 400.0),
)
def test_a_resized_image_lies_inside_the_budget(width, height, low, factor):
    budget = ImageBudget(min_pixels=low, max_pixels=int(low * factor))
    new_width, new_height = size_in_budget(width, height, budget)
    assert new_width >= 1
    assert new_height >= 1
    assert new_width * new_height <= budget.max_pixels
    narrow = min(new_width, new_height) <= 8 or factor < 2  # whole pixels can't keep both ends of a tight budget
    assert narrow or new_width * new_height >= budget.min_pixels


@pytest.mark.parametrize(
    ("size", "low", "high", "expected"),
    [
        ((100, 50), 1, 5000, (100, 50)),  # inside: untouched
        ((100, 50), 1, 1250, (50, 25)),  # half of each side
        ((10, 5), 200, 1000, (20, 10)),  # twice each side
        ((48, 48), 2304, 2304, (48, 48)),
        ((96, 96), 2304, 2304, (48, 48)),
    ],
)
def test_sizes_by_hand(size, low, high, expected):
    assert size_in_budget(*size, ImageBudget(min_pixels=low, max_pixels=high)) == expected


def test_opening_with_a_budget_resizes():
    opened = open_image(encoded(left_red_right_blue(200, 100)), ImageBudget(min_pixels=1, max_pixels=5000))
    assert opened.size == (100, 50)


@pytest.mark.parametrize("size", [(2010, 10), (10, 2010), (201, 1)])
def test_an_image_that_no_processor_takes_is_refused_from_its_header(size):
    image = encoded(Pillow.new("RGB", size))
    for check in (check_header, check_image):
        with pytest.raises(BadImageError, match="more than 200 times"):
            check(image)


@pytest.mark.parametrize("budget", [(3136, 401408), (16, 1024), (256, 2304), (10_000, 12_000)])
def test_a_narrow_image_that_processors_take_stays_one_in_any_budget(budget):
    limits = ImageBudget(min_pixels=budget[0], max_pixels=budget[1])
    for short in (1, 2, 3, 7, 10, 33, 100):
        for ratio in (1, 50, 150, 190, 199, 200):
            width, height = size_in_budget(short * ratio, short, limits)
            assert width <= 200 * height, (short, ratio)
            assert (height, width) == size_in_budget(short, short * ratio, limits)
