"""Modes of exported files: the library that writes weights makes them readable by their owner alone."""

from __future__ import annotations

import os
from pathlib import Path


def ordinary_mode(path: Path) -> None:
    """Give a file, or every file of a folder, the mode that `open` gives a new one: 0666 less the process's umask."""
    mask = os.umask(0)
    os.umask(mask)
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file() and not file.is_symlink():
            file.chmod(0o666 & ~mask)
