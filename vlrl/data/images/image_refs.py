"""How a row refers to an image: a path, encoded bytes, a data URI, base64, `file://`, or an object around one of them.

Paths start at the folder of the table, or at the source's `image_folder`. Addresses on the web are refused by name:
a run reads what is here.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from vlrl.data.images.open_images import BadImageError
from vlrl.data.tables.cell_text import shortened
from vlrl.errors import BadRowError
from vlrl.types import Image

PAYLOADS = (
    "bytes",
    "image",
    "image_url",
    "img",
    "url",
    "path",
    "file",
    "file_path",
    "image_path",
    "uri",
    "fileUri",
    "file_uri",
    "data",
    "base64",
    "source",
    "inline_data",
    "inlineData",
    "file_data",
    "fileData",
)
BESIDE = frozenset(  # what may stand beside an image and says nothing that a question needs
    [
        "detail",
        "format",
        "media_type",
        "mime_type",
        "mimeType",
        "type",
        "index",
        "width",
        "height",
        "size",
        "mode",
        "id",
        "min_pixels",
        "max_pixels",
        "resized_height",
        "resized_width",
        "cache_control",
    ]
)
KINDS = (
    "image",
    "image_url",
    "input_image",
    "img",
    "image_path",
    "image_file",
    "image",
    "pil_image",
    "base64",
    "url",
)
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_STARTS = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "Qk0", "Qk1", "SUkqA", "TU0AK")  # of encoded images, in base64
_SHORTEST = 40  # characters of base64; any image file is longer
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,15}://")
_Digests = dict[str, tuple[int, int, str]]
_digests: _Digests = {}  # path → size, time of change in nanoseconds, digest


def image_of(given: Any, folder: Path, place: str) -> Image:
    """The image that a row refers to. Raises BadImageError for one that isn't there, BadRowError for other things."""
    given = payload(given, place)
    if isinstance(given, bytes | bytearray):
        return Image.from_bytes(bytes(given))
    if not isinstance(given, str):
        raise BadRowError(place, f"an image is given as {type(given).__name__}", "give a path or encoded bytes")
    text = given.strip()
    if not text:
        raise BadRowError(place, "an image is given as an empty text", "give a path or encoded bytes")
    if text[:5].lower() == "data:":
        return Image.from_bytes(_from_data_uri(text, place))
    if text[:7].lower() == "file://":
        path = unquote(
            re.sub(r"^localhost(?=/)", "", text[7:])
        )  # file://images/a.png is written for a relative path, too
        return _from_file(path, folder, place, given)
    if _SCHEME.match(text):
        raise BadRowError(
            place,
            f"the image {shortened(text)} is an address: images are read from files here, not over a network",
            "download it and give its path",
        )
    if (data := _from_base64(text)) is not None:
        return Image.from_bytes(data)
    return _from_file(given, folder, place, given)


def payload(given: Any, place: str) -> Any:
    """What an object around an image holds: bytes before a path, since bytes are there and a path may be history."""
    while isinstance(given, Mapping):
        held = {key: value for key, value in given.items() if value is not None and value != "" and value != b""}
        if isinstance(held.get("bytes"), bytes):
            return held["bytes"]
        kind = held.get("type", "image")
        if kind not in KINDS:
            raise BadRowError(place, f"an image is given as an object of type {kind!r}", 'give {"path": …} or a path')
        named = [key for key in held if key in PAYLOADS]
        other = [key for key in held if key not in PAYLOADS and key not in BESIDE]
        if other or len(named) != 1:
            what = f"unknown keys {other}" if other else f"{named or 'none'} of the usual keys"
            raise BadRowError(
                place, f"an image is given as an object with {what}: {shortened(given)}", 'give {"path": …} or a path'
            )
        if named[0] in ("data", "base64") and isinstance(held[named[0]], str):
            data = _decoded(held[named[0]])
            if data is None and not held[named[0]].startswith("data:"):
                raise BadRowError(place, f"an image's {named[0]} is not base64", "give a path or encoded bytes")
            return held[named[0]] if data is None else data
        given = held[named[0]]
    return given


def is_encoded_image(text: str) -> bool:
    """Whether a text begins as an encoded image in base64 or a data URI of a medium does; it is not decoded."""
    if re.match(r"data:(?:image|video|audio)/", text, re.IGNORECASE):
        return True
    return len(text) >= _SHORTEST and text.startswith(_STARTS) and _ENCODED.fullmatch(text[:200]) is not None


def same_images(some: list[Any], others: list[Any]) -> bool:
    """Whether two lists of references name the same images in the same order, as far as the references tell."""
    return [_plain(given) for given in some] == [_plain(given) for given in others]


def _plain(given: Any) -> Any:
    while isinstance(given, Mapping):
        given = next((given[key] for key in PAYLOADS if given.get(key)), None)
    return given.strip().removeprefix("file://") if isinstance(given, str) else given


def _from_data_uri(text: str, place: str) -> bytes:
    head, comma, body = text.partition(",")
    kind = head[5:].partition(";")[0].lower()
    if kind and not kind.startswith(("image/", "application/octet-stream")):
        raise BadRowError(place, f"a data URI of type {kind!r} is no image", "only images can be read")
    data = _decoded(body) if ";base64" in head.lower() else unquote_to_bytes(body)
    if not comma or not data:
        raise BadRowError(place, f"the data URI {shortened(text)} can't be decoded", "write data:image/png;base64,…")
    return data


def _from_base64(text: str) -> bytes | None:
    """The bytes of a bare base64 text that begins as an encoded image does."""
    return _decoded(text) if len(text) >= _SHORTEST and text.startswith(_STARTS) else None


def _decoded(text: str) -> bytes | None:
    packed = "".join(text.split())
    if not _ENCODED.fullmatch(packed):
        return None
    packed = packed.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _from_file(path: str, folder: Path, place: str, given: str) -> Image:
    where = f"paths of images start at {folder}; mend the path, or set `image_folder`"
    try:
        file = str(folder / Path(path).expanduser())
        stat = os.stat(file)
        held = _digests.get(file)
        if held is None or held[:2] != (stat.st_size, stat.st_mtime_ns):
            held = _digests[file] = (stat.st_size, stat.st_mtime_ns, Image.from_file(file).digest)
        return Image(digest=held[2], path=file)
    except FileNotFoundError as error:
        raise BadImageError(place, f"the image {given[:80]!r} is not there", where) from error
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: NUL; RuntimeError: ~user without a home
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise BadImageError(place, f"the image {shortened(given)!r} can't be read: {reason}", where) from error
