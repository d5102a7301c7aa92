"""Frames of a video file as images, each with the second at which it is seen; decoded by PyAV (the extra `video`).

n frames stand at the middles of n equal parts of the video, (i + ½)·duration / n, so that each stands for what is
around it. A frame is the last one that has begun by then, upright, within a budget of pixels for all frames together.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from PIL import Image as Pillow

from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.images.open_images import MAX_DECODED_PIXELS, BadImageError, resize_to_budget
from vlrl.installation.extras import install, require_library
from vlrl.types import Image

REMEDY = "replace the file, or set `on_bad_image: skip` in its source"
HELD_VIDEOS = 32  # whose frames are kept in memory, since a row is read more than once


def require_video(place: str) -> None:
    """Raises ConfigError at `place` where PyAV isn't installed."""
    require_library("av", install("video"), place)


def frames_of(path: str, count: int, max_pixels: int, place: str) -> tuple[Image, ...]:
    """(count,) frames of a video file as PNG images, in the order of time; `Image.second` says when each is seen.

    max_pixels  of all frames together

    Raises BadImageError at `place` for a file that is gone, damaged, or has no video or no length.
    """
    try:
        state = os.stat(path)
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise BadImageError(place, f"the video {path!r} can't be read: {reason}", "check the path") from error
    try:
        return _frames(path, state.st_size, state.st_mtime_ns, count, max_pixels)
    except _NoVideoError as error:
        raise BadImageError(place, f"the video {path!r} {error}", REMEDY) from error


class _NoVideoError(Exception):
    """What is wrong with the file, as the end of a sentence."""


@lru_cache(maxsize=HELD_VIDEOS)
def _frames(path: str, size: int, modified_ns: int, count: int, max_pixels: int) -> tuple[Image, ...]:
    """By path, size and time of change, so that another file is read again."""
    import av

    budget = ImageBudget(min_pixels=1, max_pixels=max(1, max_pixels // count))
    try:
        with av.open(path) as container:
            return tuple(_encoded(frame, second, budget) for second, frame in _sampled(container, count))
    except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _NoVideoError(f"is not a readable video: {reason}") from error


def _sampled(container: Any, count: int) -> Iterator[tuple[float, Pillow.Image]]:
    if not container.streams.video:
        raise _NoVideoError("has no video in it")
    stream = container.streams.video[0]
    if stream.width * stream.height > MAX_DECODED_PIXELS:
        raise _NoVideoError(f"has {stream.width}×{stream.height} pixels, at most {MAX_DECODED_PIXELS} are decoded")
    begin = float((stream.start_time or 0) * stream.time_base)
    whole = (container.duration or 0) / 1_000_000  # of the file, in microseconds
    duration = float(stream.duration * stream.time_base) if stream.duration else whole
    if not (math.isfinite(duration) and duration > 0):
        raise _NoVideoError("doesn't say how long it is")
    for number in range(count):
        second = (number + 0.5) * duration / count
        yield second, _frame_at(container, stream, begin, second)


def _frame_at(container: Any, stream: Any, begin: float, second: float) -> Pillow.Image:
    """The last frame that has begun by `second`; the first one where none has."""
    container.seek(int((begin + second) / stream.time_base), stream=stream, backward=True)
    found = None
    for frame in container.decode(stream):
        if found is not None and frame.time is not None and frame.time - begin > second + 1e-6:
            break
        found = frame
    if found is None:
        raise _NoVideoError(f"has no frame at {second:.1f} seconds")
    image: Pillow.Image = found.to_image()
    turned = int(getattr(found, "rotation", 0) or 0)  # counterclockwise, as a phone notes how it was held
    return image.rotate(turned, expand=True) if turned else image


def _encoded(frame: Pillow.Image, second: float, budget: ImageBudget) -> Image:
    file = io.BytesIO()
    resize_to_budget(frame.convert("RGB"), budget).save(file, "PNG")
    data = file.getvalue()
    return Image(digest=Image.from_bytes(data).digest, data=data, second=round(second, 3))
