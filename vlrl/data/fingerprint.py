"""What a run reads, by content: digests of tables, folders, the images that rows name, and plugins.

A run remembers them, so that an edit between two of its stretches is refused by the file's name. A digest is of all
bytes of a file; of images beyond `WHOLE_BYTES` of a source, of their size and three blocks each. It is taken once and
then again only where the file system says that the file may be another: size, modification time, inode, or the time of
its last change of status, which no program can set back. A change in the very moment of a digest (`RACE_SECONDS`, the
grain of file-system clocks) would leave all of these equal, so a digest that was taken so soon is taken again.

Not remembered: data sets that are named by a hub id, and images of tables with more than `NAMED_ROWS` rows that lie
outside of an `image_folder`.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlrl.data.recipe import Recipe
from vlrl.data.source_settings import is_local

WHOLE_BYTES = 4 * 2**30
NAMED_ROWS = 100_000
RACE_SECONDS = 2.0
BLOCK = 2**20
EDGE = 2**16
STILLS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".jp2", ".avif", ".ico", ".tga")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")
IMAGES = (*STILLS, *VIDEOS)


@dataclass(frozen=True)
class FileState:
    """One file: its digest, and what the file system said of it when the digest was taken."""

    digest: str
    size: int
    modified_ns: int
    changed_ns: int
    inode: int
    taken_ns: int

    def still(self, found: os.stat_result) -> bool:
        """Whether the digest holds for a file of this state without reading it."""
        same = (self.size, self.modified_ns, self.changed_ns, self.inode) == (
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
            found.st_ino,
        )
        return same and self.taken_ns - self.changed_ns > RACE_SECONDS * 1e9


def state_of(file: Path, whole: bool = True, before: FileState | None = None) -> FileState:
    """The file's state; the digest of `before` where it still holds. Raises OSError."""
    found = file.stat()
    if before is not None and before.still(found):
        return before
    taken = time.time_ns()
    digest = digest_of(file, found.st_size, whole)
    return FileState(digest, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, taken)


def digest_of(file: Path, size: int, whole: bool) -> str:
    """Of all bytes; without `whole` of the size and of blocks at the start, in the middle and at the end."""
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with open(file, "rb") as opened:
        if whole or size <= 3 * EDGE:
            while block := opened.read(BLOCK):
                digest.update(block)
        else:
            for start in (0, (size - EDGE) // 2, size - EDGE):
                opened.seek(start)
                digest.update(opened.read(EDGE))
    return digest.hexdigest()


def files_of(recipe: Recipe) -> dict[str, Path]:
    """Every file that the recipe reads, by "source: path": a name that stays where all of them move together."""
    found = {f"plugin: {Path(plugin).name}": Path(plugin) for plugin in recipe.plugins}
    for source in recipe.sources:
        paths = {k: Path(v).expanduser() for k, v in _texts(source.model_dump(mode="json")) if _is_here(v)}
        tables = [path for path in paths.values() if path.suffix in (".jsonl", ".json")]
        folder = paths.pop("image_folder") if tables and "image_folder" in paths else None  # only what rows name
        for key, place in paths.items():
            found |= {f"{source.name}, {key}: {name}": file for name, file in files_in(place)}
        for table in tables:
            named = named_images(table, folder or table.parent)
            found |= {f"{source.name}, image: {name}": file for name, file in named}
    return found


def _is_here(text: str) -> bool:
    """Whether a value of a recipe is the path of a file or folder, as loading the recipe has written it out."""
    return os.sep in text and len(text) < 4096 and is_local(text) and Path(text).expanduser().exists()


def files_in(place: Path) -> Iterator[tuple[str, Path]]:
    """(name, file): the file itself, or all files of a folder by their path in it."""
    if place.is_file():
        yield place.name, place
        return
    for folder, folders, names in os.walk(place, followlinks=True):
        folders.sort()
        for name in sorted(names):
            file = Path(folder) / name
            if not name.startswith(".") and file.is_file():
                yield str(file.relative_to(place)), file


def named_images(table: Path, start: Path) -> Iterator[tuple[str, Path]]:
    """(name, file) of the image files that rows of a JSON or JSONL table name, in whatever column."""
    seen: set[str] = set()
    for row in _rows(table):
        for _, text in _texts(row):
            name = text.removeprefix("file://")
            if not name.lower().endswith(IMAGES) or name in seen or len(name) > 1000:
                continue
            seen.add(name)
            file = start / Path(name).expanduser()
            if file.is_file():
                yield name, file


def _rows(table: Path) -> Iterator[Any]:
    """The rows; what is no JSON is left to the reader, which names its line."""
    try:
        if table.suffix == ".json":
            yield json.loads(table.read_bytes())
            return
        with open(table, "rb") as file:
            for number, line in enumerate(file):
                if number >= NAMED_ROWS:
                    return
                if b"." in line:
                    yield json.loads(line)
    except ValueError:
        return


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner, key)


def fingerprint(files: Mapping[str, Path], before: Mapping[str, FileState]) -> dict[str, FileState]:
    """The state of every file by its name; unchanged ones by the digest of `before`. Raises OSError."""
    spent: dict[str, int] = {}
    found = {}
    for name, file in files.items():
        is_image = file.suffix.lower() in IMAGES
        source = name.partition(",")[0] if is_image else ""
        if is_image:
            spent[source] = spent.get(source, 0) + file.stat().st_size
        found[name] = state_of(file, not is_image or spent[source] <= WHOLE_BYTES, before.get(name))
    return found


def portable(recipe: Recipe) -> dict[str, Any]:
    """The resolved recipe with local paths by their last name: their content is what counts, not where they lie."""
    return _by_name(recipe.model_dump(mode="json"))  # type: ignore[no-any-return]


def _by_name(value: Any) -> Any:
    if isinstance(value, str):
        return Path(value).name if _is_here(value) else value
    if isinstance(value, Mapping):
        return {key: _by_name(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_by_name(inner) for inner in value]
    return value
