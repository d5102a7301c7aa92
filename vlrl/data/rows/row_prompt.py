"""The prompt of a row: its question with its images where they belong, and its options listed."""

from __future__ import annotations

from pathlib import Path

from vlrl.data.choices.options import Options
from vlrl.data.images.image_refs import is_encoded_image
from vlrl.data.rows.layouts import AskedRow
from vlrl.data.rows.placeholders import Piece, Shown, pieces_of, placed
from vlrl.data.rows.row_view import is_media_file
from vlrl.data.tables.cell_text import shortened
from vlrl.errors import BadRowError, DataError
from vlrl.types import Modality


def prompt_pieces(
    asked: AskedRow, options: Options, modality: Modality, place: str, is_whole: bool = True
) -> list[str | Shown]:
    """The prompt in reading order, with options that the question doesn't list itself.

    is_whole  False where the options, which may name images, are not there

    Raises BadRowError for an empty question, options in another order than the question has them, and images in a
    source of text.
    """
    pieces: list[Piece] = list(asked.pieces)
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    images = asked.images
    if is_whole and not images and not text.strip() and all(isinstance(piece, str) for piece in pieces):
        raise BadRowError(place, "the question is empty and has no image", "leave the row out or mend it")
    if options and not options.shown_in(text):
        if letters := options.letters_in(text):
            raise BadRowError(
                place, f"the question lists the options as {letters}, its column as A, B …", "mend one of them"
            )
        pieces += pieces_of(options.listed)
    if not is_whole and images:
        return [*map(Shown, images), text]
    prompt = placed(pieces, images, place, literal=modality == "text")
    count = sum(isinstance(piece, Shown) for piece in prompt)
    if count and modality == "text":
        raise images_in_text(place, count)
    return prompt


def images_in_text(place: str, count: int) -> DataError:
    """The error for a row with images in a source of text."""
    return BadRowError(place, f"has {count} images in a source of modality 'text'", "name its modality")


def refuse_image_options(options: Options, folder: Path, place: str) -> None:
    """Raises BadRowError for an option that refers to an image: it would be shown as the name of a file.

    folder  where relative paths of images start
    """
    for number, text in enumerate(options.texts, 1):
        is_file = is_media_file(text) and ("/" in text or (folder / text).is_file())
        if is_file or is_encoded_image(text):
            raise BadRowError(
                place,
                f"option {number} is an image: {shortened(text)}",
                "name it in the column of images, and write <image 2> in the option",
            )
