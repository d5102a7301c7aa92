"""Images that rollouts.jsonl names: files of images/, each named by the digest of its bytes, so that damage is seen.

One whose rollouts are written again is written again, too. For any other there are no second bytes: a damaged one is
refused until its owner has put back a copy or removed it, and one that is gone is told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from vlrl.errors import RunError
from vlrl.runlog.log_lines import read_jsonl
from vlrl.types import content_digest


def kept_images(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Files of `folder`/images that are named by a digest, in order of their names, and whether they hold its bytes."""
    for file in sorted((folder / "images").glob("*")):
        if not file.name.startswith(".") and file.is_file() and len(file.stem) == len(content_digest(b"")):
            yield file, content_digest(file.read_bytes()) == file.stem


def _observed(record: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The images of the episodes in a line of rollouts.jsonl."""
    for rollout in record["rollouts"]:
        for part in rollout.get("episode", {}).get("parts", ()):
            yield from ({"image": digest} for digest in part.get("images", ()))


def refuse_lost_images(
    folder: Path, say: Callable[[str], None], whole: Collection[str], phases: Collection[str] | None = None
) -> None:
    """Raises RunError for a damaged image that a line of rollouts.jsonl names; says which are gone.

    whole   digests of the images that hold their bytes
    phases  whose lines stay as they are; None: all of them do
    """
    log = folder / "rollouts.jsonl"
    if not log.is_file():
        return
    named = {
        part["image"]
        for record in read_jsonl(log)
        if phases is None or record["phase"] in phases
        for part in [*record["problem"]["prompt"], *_observed(record)]
        if "image" in part
    }
    for digest in sorted(named - set(whole)):
        file = next((folder / "images").glob(f"{digest}.*"), None)
        if file is None:
            say(f"{folder / 'images' / digest} is gone: the report shows its rollouts without it")
            continue
        raise RunError(
            str(file),
            f"is damaged ({file.stat().st_size} bytes), and rollouts.jsonl names it",
            "put back a copy, or remove it: the report then shows its rollouts without it",
        )
