"""Where a question puts its images: the placeholders of the usual trainers and models, in order or by number.

A prompt is first a list of pieces: texts, `Slot` (a place for the next image, or for the image of a number) and `Shown`
(an image that is given right there). `placed` puts the row's images into the slots; as many slots as images, or an
error. Without slots the images come first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vlrl.data.images.image_refs import same_images
from vlrl.errors import BadRowError

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PLACEHOLDER = re.compile(r"<image(?:[ _]?(\d+))?>")  # as benchmarks write it
_NOTATIONS = re.compile(
    r"<img>\s*(?P<file>[^<>]+?)\s*</img>"  # Qwen-VL
    r"|<img\s[^<>]*?src\s*=\s*[\"']?(?P<source>[^\"'<>\s]+)[\"']?[^<>]*>(?:\s*</img>)?"  # HTML
    r"|!\[[^\]\n]*\]\(\s*(?P<linked>data:image/[^)\s]+|[^)\s]+\.(?:png|jpe?g|gif|webp|bmp|tiff?|avif))\s*\)"  # markdown
    r"|(?P<slot>(?:<\|vision_start\|>)?<\|image_pad\|>(?:<\|vision_end\|>)?"  # Qwen2-VL and later
    r"|\(<image>\./</image>\)|<image>\./</image>|<image></image>"  # MiniCPM-V
    r"|<\|?image[ _-]?(?P<number>\d*)\|?>"  # LLaVA, InternVL, Phi, Llama, GLM; numbered: MMMU, Phi
    r"|<img_?(?P<img>\d*)>|<(?:picture|pic|photo)[ _-]?(?P<picture>\d*)>"
    r"|\[IMG\]|\[IMAGE\]|\{\{?image\}?\}"  # Pixtral; templates
    r"|<IMG_CONTEXT>|<ImageHere>|<image_placeholder>|<image_token>|<start_of_image>|<image_soft_token>"
    r"|<\|image_start\|><\|image_end\|>|<\|media_(?:placeholder|pad)\|>)",
    re.IGNORECASE,
)
_OTHER_MEDIA = re.compile(
    r"<\|?(?:video|audio|speech|sound)(?:_pad|_placeholder|_?\d+)?\|?>|<(video|audio)>[^<]*</\1>", re.IGNORECASE
)


@dataclass(frozen=True)
class Slot:
    """A place for an image: the next one, or that of a number (from 1). `text` is how it is written, if it is."""

    number: int | None = None
    text: str = ""


@dataclass(frozen=True)
class Shown:
    """An image that stands in the prompt itself, as the row refers to it."""

    given: Any


Piece = str | Slot | Shown


def pieces_of(text: str) -> list[Piece]:
    """A text with its placeholders apart."""
    pieces: list[Piece] = []
    start = 0
    for match in _NOTATIONS.finditer(text):
        if match.start() > start:
            pieces.append(text[start : match.start()])
        given = match["file"] or match["source"] or match["linked"]
        number = match["number"] or match["img"] or match["picture"]
        pieces.append(Shown(given) if given else Slot(int(number) if number else None, match[0]))
        start = match.end()
    if text[start:]:
        pieces.append(text[start:])
    return pieces


def placeholder_in(text: str) -> str | None:
    """The first placeholder of an image in a text, as it stands there; None where there is none."""
    match = _NOTATIONS.search(text)
    return match[0] if match else None


def refuse_other_media(text: str, place: str) -> None:
    """Raises BadRowError for a placeholder of a video or a recording."""
    match = _OTHER_MEDIA.search(text)
    if match:
        raise BadRowError(place, f"holds {match[0]}: videos and recordings are not read", "leave the row out")


def placed(pieces: Sequence[Piece], images: Sequence[Any], place: str, literal: bool = False) -> list[str | Shown]:
    """The prompt in reading order, texts joined, every image of the row in it.

    images   the row's images in order, as it refers to them
    literal  where the row has no image, a placeholder that is written in a text stays text

    Raises BadRowError where slots and images don't fit together.
    """
    slots = [piece for piece in pieces if isinstance(piece, Slot)]
    shown = [piece.given for piece in pieces if isinstance(piece, Shown)]
    if shown and slots:
        mark = slots[0].text or "a part without its image"
        raise BadRowError(
            place,
            f"shows {len(shown)} images in its text or parts, and has {mark} beside them",
            "show each image once: take the placeholder out of the text, or the image out of the part",
        )
    if shown and images and not slots:
        if not same_images(shown, list(images)):
            raise BadRowError(
                place,
                f"has {len(shown)} images in its text and {len(images)} others in its column of images",
                "give every image once: in the text, or in the column with a placeholder in the text",
            )
        images = ()
    if not images and not shown and literal and all(slot.text for slot in slots):
        return _joined([piece.text if isinstance(piece, Slot) else piece for piece in pieces])
    if not slots:
        return _joined([*map(Shown, images), *pieces])
    order = iter(_order(slots, len(images), place))
    return _joined([Shown(images[next(order)]) if isinstance(piece, Slot) else piece for piece in pieces])


def _joined(pieces: Sequence[Piece]) -> list[str | Shown]:
    found: list[str | Shown] = []
    for piece in pieces:
        if isinstance(piece, Slot):
            raise TypeError("a slot without an image")
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        elif piece != "":
            found.append(piece)
    return found


def _order(slots: Sequence[Slot], count: int, place: str) -> list[int]:
    """Which image each slot shows, from 0; every image has a place and every place an image."""
    numbers = [slot.number for slot in slots]
    if all(number is None for number in numbers):
        if len(slots) != count:
            mark = slots[0].text or "a part for an image"
            raise BadRowError(
                place,
                f"the question has {len(slots)} × {mark} but {count} images",
                "give one placeholder an image" if count else "add the images, or mend the text",
            )
        return list(range(count))
    if None in numbers:
        raise BadRowError(place, "the question mixes placeholders with and without a number", "number all or none")
    order = [int(number or 0) - 1 for number in numbers]
    wrong = [slot.text for slot, index in zip(slots, order, strict=True) if not 0 <= index < count]
    if wrong:
        raise BadRowError(
            place, f"the question names {wrong[0] or 'an image'} but has {count} images", "number images from 1"
        )
    unnamed = sorted(set(range(count)) - set(order))
    if unnamed:
        raise BadRowError(
            place, f"has {count} images, the question doesn't name image {unnamed[0] + 1}", "name it or drop it"
        )
    return order
