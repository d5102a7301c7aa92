"""What a tool returned, as pieces of a message: texts, images, blocks of both; or why it can't be shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image as Pillow

from vlrl.data.images.open_images import MAX_ASPECT
from vlrl.scenes.png import png_bytes
from vlrl.types import Image, Text

MOST_PIXELS = 16_000_000  # of one image
Pieces = tuple[Text | Image, ...]


class TooLargeError(Exception):
    """A result that is dropped whole; the message is for the policy."""


class NoResultError(Exception):
    """What was returned is neither text nor image nor JSON: the environment's own mistake."""


def pieces_of(returned: Any, most_characters: int) -> Pieces:
    """Texts and images in order: of a text, a number, JSON, a Pillow image, or a list of blocks
    (`{"type": "text", "text": …}`, `{"type": "image", "image": …}`).

    Raises TooLargeError for more than `most_characters` of text or an image that no model reads, NoResultError for
    anything else.
    """
    pieces = tuple(_pieces(returned))
    written = sum(len(piece.text) for piece in pieces if isinstance(piece, Text))
    if written > most_characters:
        raise TooLargeError(f"the result has {written} characters, at most {most_characters} are shown")
    return pieces


def _pieces(returned: Any) -> list[Text | Image]:
    if returned is None:
        return []
    if isinstance(returned, str):
        return [Text(returned)]
    if isinstance(returned, Pillow.Image):
        return [_image(returned)]
    if isinstance(returned, list | tuple) and any(_is_block(one) for one in returned):
        return [piece for one in returned for piece in (_block(one) if _is_block(one) else _pieces(one))]
    if _is_block(returned):
        return _block(returned)
    if isinstance(returned, np.ndarray) and returned.dtype == np.uint8 and returned.ndim in (2, 3):
        return [_image(Pillow.fromarray(returned))]
    try:
        return [Text(json.dumps(returned, ensure_ascii=False))]
    except (TypeError, ValueError, RecursionError) as error:
        kind = type(returned).__name__
        raise NoResultError(f"returned a {kind}, which is no text, JSON or image ({error})") from error


def _is_block(value: Any) -> bool:
    return isinstance(value, Pillow.Image) or (isinstance(value, Mapping) and value.get("type") in ("text", "image"))


def _block(block: Any) -> list[Text | Image]:
    if isinstance(block, Pillow.Image):
        return [_image(block)]
    if block["type"] == "text":
        return [Text(str(block.get("text", "")))]
    image = block.get("image")
    if isinstance(image, bytes):
        return [Image.from_bytes(image)]
    if isinstance(image, np.ndarray):
        image = Pillow.fromarray(image)
    if not isinstance(image, Pillow.Image):
        raise NoResultError(f"returned an image block with a {type(image).__name__} in it: give a Pillow image")
    return [_image(image)]


def _image(image: Pillow.Image) -> Image:
    width, height = image.size
    if min(width, height) < 1 or width * height > MOST_PIXELS or max(width, height) > MAX_ASPECT * min(width, height):
        raise TooLargeError(f"the image of {width}×{height} pixels can't be shown")
    return Image.from_bytes(png_bytes(np.asarray(image.convert("RGB"))))
