"""Facts of a run as others may read them: without the folders of the machine that it ran on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_FOLDERS = re.compile(r"(?<![\w:/.])(?:~|[A-Za-z]:)?(?:/[^\s,;:'\"()]+)+")


def without_folders(text: str) -> str:
    """One line in which an absolute path is its last name; addresses (https://…) stay."""
    return " ".join(_FOLDERS.sub(lambda found: found[0].rstrip("/").rpartition("/")[2], text).split())


def settings_without_folders(value: Any) -> Any:
    """The same for every text in settings. A text of several lines, such as a prompt, stays as it is."""
    if isinstance(value, Mapping):
        return {key: settings_without_folders(held) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [settings_without_folders(held) for held in value]
    if isinstance(value, str) and _FOLDERS.fullmatch(value):
        return without_folders(value)
    return value
