"""Opening images: whatever the file is, the model gets an upright RGB image within the pixel budget, or an error.

An unreadable image is never a blank one.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
import zlib
from typing import IO

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps

from vlrl.data.images.image_budget import ImageBudget
from vlrl.errors import BadRowError
from vlrl.types import Image

MAX_DECODED_PIXELS = 64_000_000  # about 190 MB as RGB; a larger one is refused before it is decoded
SLOW_FORMATS = {"JPEG2000": 16_000_000, "AVIF": 32_000_000}  # most pixels where a second would not do for 64 million
# a progressive JPEG is read once a scan, and a small file may hold thousands of scans
MAX_SCANNED_PIXELS = 10 * MAX_DECODED_PIXELS
Pillow.init()  # loads all decoders
# what is tried: raster formats alone (for EPS, Pillow would start another program); older builds may lack one
_RASTER = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "ICO", "TGA")
FORMATS = tuple(name for name in _RASTER if name in Pillow.OPEN)
# Pillow's decoders raise these, and no narrower ones, for damaged files of one format or another
DECODER_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
)
MAX_ASPECT = 200  # of the longer side to the shorter: processors of the Qwen family refuse a narrower image
ORIENTATION, LYING = 0x0112, (5, 6, 7, 8)  # EXIF's tag, and its values for an image that lies on its side
PAPER = (255, 255, 255)  # what shows through transparent pixels


UNREADABLE = "replace the file, or set `on_bad_image: skip` in its source"


class BadImageError(BadRowError):
    """An image can't be read."""


def open_image(image: Image, budget: ImageBudget | None = None) -> Pillow.Image:
    """The image as upright RGB, resized into the budget where one is given, aspect kept.

    EXIF orientation is applied, palettes and CMYK are converted, transparent pixels show white, 16-bit images are
    scaled by the range of their format, and an animation is its first frame. Raises BadImageError naming the file for
    a missing, truncated, damaged or oversized one.
    """
    place = f"image {image.path or image.digest}"
    try:
        data = image.read_bytes()
    except OSError as error:
        raise BadImageError(place, f"can't be read: {error.strerror or error}", "check the path") from error
    decoded = _decode(data, place)
    return resize_to_budget(decoded, budget) if budget else decoded


def check_image(image: Image) -> None:
    """Raises BadImageError if `open_image` would."""
    open_image(image)


def check_header(image: Image) -> None:
    """Raises BadImageError for what the first bytes tell: no image, too large, too narrow. Decodes nothing."""
    upright_size(image)


def upright_size(image: Image) -> tuple[int, int]:
    """Width and height in pixels as `open_image` would give them, without decoding. Raises BadImageError."""
    place = f"image {image.path or image.digest}"
    try:
        with (
            warnings.catch_warnings(),
            io.BytesIO(image.data) if image.data is not None else open(str(image.path), "rb") as file,
        ):
            warnings.simplefilter("ignore")
            with Pillow.open(file, formats=FORMATS) as opened:
                _refuse_unfit(opened, place)
                width, height = opened.size
                lies = _exif(opened, file).get(ORIENTATION) in LYING
                return (height, width) if lies else (width, height)
    except BadImageError:
        raise
    except Pillow.DecompressionBombError as error:
        raise BadImageError(place, str(error), "make it smaller or take it out of the data") from error
    except DECODER_ERRORS as error:
        raise BadImageError(place, f"is not a readable image: {error}", UNREADABLE) from error


def _exif(opened: Pillow.Image, file: IO[bytes]) -> Pillow.Exif:
    """The image's EXIF tags. Pillow decodes a PNG to look for tags behind its pixels: only where there are any."""
    if opened.format != "PNG" or "exif" in opened.info:
        return opened.getexif()
    place = file.tell()
    file.seek(0)
    data = file.read()
    file.seek(place)
    behind = b"eXIf" in data or b"Raw profile type exif" in data
    return opened.getexif() if behind else Pillow.Exif()


def _decode(data: bytes, place: str) -> Pillow.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the size is checked below, with a limit of our own
            with Pillow.open(io.BytesIO(data), formats=FORMATS) as opened:
                _refuse_too_large(opened, data, place)
                opened.seek(0)
                opened.load()
                upright = ImageOps.exif_transpose(opened)
                return _to_rgb(upright)
    except BadImageError:
        raise
    except Pillow.DecompressionBombError as error:
        raise BadImageError(place, str(error), "make it smaller or take it out of the data") from error
    except DECODER_ERRORS as error:
        raise BadImageError(place, f"is not a readable image: {error}", UNREADABLE) from error


def _refuse_too_large(opened: Pillow.Image, data: bytes, place: str) -> None:
    """Raises BadImageError, before anything is decoded, for what would fill memory or take long."""
    _refuse_unfit(opened, place)
    width, height = opened.size
    scans = data.count(b"\xff\xda") if opened.format == "JPEG" else 1  # the mark can't stand inside the scans' data
    if scans * width * height > MAX_SCANNED_PIXELS:
        raise BadImageError(place, f"has {scans} scans of {width}×{height} pixels", "save it again or take it out")


def _refuse_unfit(opened: Pillow.Image, place: str) -> None:
    """Raises BadImageError for a size that can't be decoded, or that no model's processor takes."""
    width, height = opened.size
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise BadImageError(
            place,
            f"has {width}×{height} pixels: one side is more than {MAX_ASPECT} times the other",
            "crop or pad it, or set `on_bad_image: skip` in its source",
        )
    most = SLOW_FORMATS.get(opened.format or "", MAX_DECODED_PIXELS)
    if width * height > most:
        raise BadImageError(
            place,
            f"has {width}×{height} pixels, at most {most} are decoded",
            "make it smaller or take it out of the data",
        )


def _to_rgb(image: Pillow.Image) -> Pillow.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _from_deep_grey(image)
    if "A" in image.getbands() or "transparency" in image.info:
        coloured = image.convert("RGBA")
        paper = Pillow.new("RGBA", coloured.size, (*PAPER, 255))
        return Pillow.alpha_composite(paper, coloured).convert("RGB")
    return image.convert("RGB")


def _from_deep_grey(image: Pillow.Image) -> Pillow.Image:
    """16-bit and wider grey images. Pillow's own conversion clips at 255, which would show them white."""
    values = np.asarray(image).astype(np.float64)
    if image.mode == "F":
        low, high = float(values.min()), float(values.max())
    elif image.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    else:  # 32 bits, whose range the file doesn't tell: the smallest usual one that holds all values
        low, high = 0.0, next((top for top in (255.0, 65535.0) if values.max() <= top), float(values.max()))
    scaled = np.clip((values - low) / (high - low if high > low else 1.0), 0.0, 1.0) * 255
    return Pillow.fromarray(np.rint(scaled).astype(np.uint8)).convert("RGB")


def size_in_budget(width: int, height: int, budget: ImageBudget) -> tuple[int, int]:
    """Width and height with a pixel count inside the budget, aspect kept as far as whole pixels allow.

    An image that is so narrow that one side would vanish keeps one pixel there; the budget then holds for the most.
    Sides in a ratio that processors take (MAX_ASPECT) stay in one.
    """
    pixels = width * height
    if budget.min_pixels <= pixels <= budget.max_pixels:
        return width, height
    new_width, new_height = _scaled(width, height, budget)
    if max(width, height) <= MAX_ASPECT * min(width, height):  # rounding the shorter side down must not break it
        new_width, new_height = min(new_width, MAX_ASPECT * new_height), min(new_height, MAX_ASPECT * new_width)
    return new_width, new_height


def _scaled(width: int, height: int, budget: ImageBudget) -> tuple[int, int]:
    """The sides scaled into the budget and rounded to whole pixels."""
    pixels = width * height
    if pixels > budget.max_pixels:
        scale = math.sqrt(budget.max_pixels / pixels)
        new_width, new_height = max(1, math.floor(width * scale)), max(1, math.floor(height * scale))
        if new_width * new_height > budget.max_pixels:  # one side was held at 1
            new_width, new_height = min(new_width, budget.max_pixels), min(new_height, budget.max_pixels)
        return new_width, new_height
    scale = math.sqrt(budget.min_pixels / pixels)
    new_width, new_height = math.ceil(width * scale), math.ceil(height * scale)
    if new_width * new_height > budget.max_pixels:  # a budget so tight that rounding up leaves it
        new_width, new_height = max(1, math.floor(width * scale)), max(1, math.floor(height * scale))
    return new_width, new_height


def resize_to_budget(image: Pillow.Image, budget: ImageBudget) -> Pillow.Image:
    """The image with a pixel count inside the budget; the same object if it is inside already."""
    size = size_in_budget(image.width, image.height, budget)
    if size == image.size:
        return image
    return image.resize(size, Pillow.Resampling.BICUBIC)
