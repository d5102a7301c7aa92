"""A row that remembers what was read of it, so that nothing with content is dropped in silence.

A reader takes a row's cells through a `RowView`. What it neither read nor declared as of no use to it must not hold an
image, a video, a recording or messages: `refuse_unread` names such a column. Plain values that nobody read (ids,
categories, sizes) are what tables are full of; they are listed by `vlrl data stats`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePath
from typing import Any

from vlrl.data.images.image_refs import is_encoded_image
from vlrl.data.tables.cell_text import shortened
from vlrl.errors import BadRowError

MEDIA_COLUMNS = frozenset(
    f"{kind}{suffix}"
    for kind in ("image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "video", "videos", "audio")
    for suffix in (
        "",
        "_path",
        "_paths",
        "_url",
        "_urls",
        "_file",
        "_files",
        "_bytes",
        "_base64",
        "_b64",
        "_list",
    )
) | {"audios", "decoded_image", "frames"}
CONTEXT_COLUMNS = frozenset(
    ("history", "objects", "tools", "dialog", "dialogue", "messages", "conversations", "context", "passage")
)
_LABEL = re.compile(
    r"(?:^|_)(?:id|ids|key|source|origin|license|caption|name|title)$", re.IGNORECASE
)  # of an image read
_MEDIA_FILE = re.compile(
    r"\.(?:png|jpe?g|gif|webp|bmp|tiff?|avif|jp2|mp4|avi|mov|mkv|webm|wav|mp3|flac|ogg|m4a)$", re.IGNORECASE
)
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\x00", b"MM\x00*")
_ROLES = ("role", "from")


class RowView(Mapping[str, Any]):
    """A row's cells; the one that takes one has read it. `in`, `keys` and iteration read nothing."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self._row = row
        self._read: set[str] = set()

    def __getitem__(self, column: str) -> Any:
        value = self._row[column]
        self._read.add(column)
        return value

    def __contains__(self, column: object) -> bool:
        return column in self._row

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)

    def holds(self, column: str) -> bool:
        """Whether there is something in a column; it doesn't count as read."""
        value = self._row.get(column)
        return value is not None and not is_empty(value)

    def peek(self, column: str) -> Any:
        """A cell, without reading it."""
        return self._row[column]

    def unread(self) -> list[str]:
        """The columns that hold something that was not read."""
        return [column for column in self._row if column not in self._read and self.holds(column)]

    def refuse_unread(
        self, place: str, ignored: frozenset[str], images: list[Any], texts: frozenset[str] = frozenset()
    ) -> None:
        """Raises BadRowError for a column that holds content and was not read.

        ignored  columns that are declared to be of no use
        images   the row's images as it refers to them; another column that names the same file is no loss
        texts    columns whose texts and messages are of no use; an image in one of them would be lost all the same
        """
        names = {PurePath(name).name for name in map(file_named, images) if name}
        for column in self.unread():
            if column in ignored:
                continue
            value = _parsed(self._row[column])
            if column in texts:
                kind = media_in(column, value, names, bool(images))
            else:
                kind = _content(column, value, names, bool(images))
            if kind is not None:
                raise BadRowError(
                    f"{place}, {column}",
                    f"holds {kind} that would be lost: {shortened(self._row[column])}",
                    "name the column in `columns:`, or in `columns: {ignored: […]}` if it is of no use; "
                    "`layout:` reads rows of other trainers",
                )


def is_empty(value: Any) -> bool:
    """Whether a cell holds nothing: null, an empty text, list or object, or an object of nulls as Arrow fills them."""
    if value is None or (isinstance(value, str | bytes | list | tuple | Mapping) and len(value) == 0):
        return True
    if isinstance(value, Mapping):
        return all(is_empty(item) for item in value.values())
    return isinstance(value, list | tuple) and all(item is None for item in value)


def file_named(given: Any) -> str | None:
    """The file that a reference to an image names, where it names one."""
    if isinstance(given, Mapping):
        given = next((given[key] for key in ("path", "image", "url", "image_url") if given.get(key)), None)
        return file_named(given)
    return given if isinstance(given, str) and len(given) < 4096 and not given.startswith("data:") else None


def media_in(key: str, value: Any, names: Collection[str] = (), has_images: bool = False) -> str | None:
    """What kind of medium a value holds at any depth, None where it holds none.

    key         the column, or the key of an object, that holds it
    names       files that are read elsewhere: naming them again is no loss
    has_images  whether the row has images: then ids, sources, titles and addresses describe these
    """
    if isinstance(value, Mapping):
        found = (media_in(f"{key}.{name}", item, names, has_images) for name, item in value.items())
        return next((kind for kind in found if kind), None)
    if isinstance(value, list | tuple):
        return next((kind for item in value if (kind := media_in(key, item, names, has_images))), None)
    if isinstance(value, bytes):
        return "an image" if value.startswith(_MAGIC) else None
    if not isinstance(value, str):
        return None
    if is_encoded_image(value):
        return "an image"
    if not is_media_file(value) or PurePath(value).name in names:
        return None
    is_label = any(_LABEL.search(part) for part in key.split(".")) or value.startswith(("http://", "https://"))
    return None if has_images and is_label else "the name of an image, a video or a recording"


def is_media_file(text: str) -> bool:
    """Whether a text ends as the name of an image, a video or a recording does."""
    return len(text) < 4096 and _MEDIA_FILE.search(text) is not None


def _parsed(value: Any) -> Any:
    """The object or list that a JSON text is; any other value as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _content(column: str, value: Any, names: set[str], has_images: bool) -> str | None:
    """What kind of content a value is, None where it is a plain one."""
    items = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(item, Mapping) and any(role in item for role in _ROLES) for item in items):
        return "messages"
    if column.lower() in CONTEXT_COLUMNS and not isinstance(value, bool | int | float):
        return "what a question may need"
    if (kind := media_in(column, value, names, has_images)) is not None:
        return kind
    if column.lower() in MEDIA_COLUMNS and not all(isinstance(item, bool | int | float) for item in items):
        named = [file_named(item) for item in items]
        if has_images and all(name and name.startswith(("http://", "https://")) for name in named):
            return None  # where the row's images came from
        return None if all(name and PurePath(name).name in names for name in named) else "media"
    return None
