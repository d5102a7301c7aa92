"""A row's video in its prompt: frames in the order of time, each behind the second at which it is seen.

    <0.5 seconds>[image]<1.5 seconds>[image] …

That is how Qwen3-VL writes timestamps; other families read them as text. The frames stand where the question has
`<video>`, else before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vlrl.data.images.image_refs import image_of, payload
from vlrl.data.images.video_frames import frames_of
from vlrl.data.source_settings import FileSourceSettings, VideoFrames
from vlrl.data.tables.cell_text import shortened
from vlrl.errors import BadRowError, did_you_mean
from vlrl.types import Image, Text

MARK = "<video>"
KEYS = ("path", "video", "video_path", "file", "url")  # of an object around a path


def video_file(settings: FileSourceSettings, row: Mapping[str, Any], folder: Path, place: str) -> str | None:
    """The path of a row's video, None for a source without any. Raises BadRowError for a cell that names no file."""
    column = settings.columns.video
    if column is None:
        return None
    if column not in row:
        remedy = f"{did_you_mean(column, row)} Set `columns:` in the source."
        raise BadRowError(place, f"has no column {column!r}", remedy)
    cell = row[column]
    if isinstance(cell, Mapping):
        cell = next((cell[key] for key in KEYS if isinstance(cell.get(key), str)), None)
    if not isinstance(cell, str) or not cell.strip():
        raise BadRowError(f"{place}, {column}", f"is {shortened(row[column])}", "give the path of a video file")
    text = cell.strip().removeprefix("file://")
    if "://" in text:
        remedy = "download it and give its path"
        raise BadRowError(f"{place}, {column}", f"{shortened(cell)} is an address: videos are read from files", remedy)
    return str(folder / Path(text).expanduser())


def with_video(
    prompt: Sequence[Text | Image], file: str | None, settings: VideoFrames | None, place: str
) -> tuple[Text | Image, ...]:
    """The prompt with the frames of a file in it, if there is one. Raises BadRowError for a second `<video>`, and
    BadImageError for a file that can't be read.
    """
    if file is None:
        return tuple(prompt)
    chosen = settings or VideoFrames()
    frames = frames_of(file, chosen.frames, chosen.max_pixels, place)
    shown: list[Text | Image] = []
    for frame in frames:
        shown += [Text(f"<{frame.second:.1f} seconds>"), frame]
    marks = sum(piece.text.count(MARK) for piece in prompt if isinstance(piece, Text))
    if marks > 1:
        raise BadRowError(place, f"the question has {marks} × {MARK} and one video", "leave one of them")
    if not marks:
        return (*shown, *prompt)
    found: list[Text | Image] = []
    for piece in prompt:
        if isinstance(piece, Text) and MARK in piece.text:
            before, _, after = piece.text.partition(MARK)
            found += [*([Text(before)] if before else []), *shown, *([Text(after)] if after else [])]
        else:
            found.append(piece)
    return tuple(found)


def without_mark(text: str, settings: FileSourceSettings) -> str:
    """A question without the places of videos that the source gives."""
    return text if settings.columns.video is None else text.replace(MARK, "")


def keys_of(images: Sequence[Any], video: str | None, folder: Path, place: str) -> list[str]:
    """Digests of a row's images and of its video file."""
    return [image_of(one, folder, place).digest for one in ([*images, video] if video else images)]


def reference_of(images: Sequence[Any], video: str | None, folder: Path, place: str) -> str:
    """The first of them as the row refers to it, without reading files."""
    reference = payload(images[0], place) if images else video
    return reference if isinstance(reference, str) else image_of(reference, folder, place).digest
