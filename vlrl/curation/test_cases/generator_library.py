"""A generator library's files, which go into the sandbox beside a generator that imports it: CYaRon, or any other.

Nothing is installed in the box: a library that needs no compiled part travels as its files.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from vlrl.errors import ConfigError
from vlrl.installation.extras import install

NEEDS = {"cyaron": ("colorful", "xeger")}  # what a library imports itself
MAX_BYTES = 16 << 20


def library_files(source: str, libraries: Sequence[str]) -> dict[str, bytes]:
    """Files of those libraries that a generator imports. Raises ConfigError for one that isn't installed here."""
    found: dict[str, bytes] = {}
    for name in libraries:
        if re.search(rf"^\s*(?:from|import)\s+{re.escape(name)}\b", source, re.MULTILINE):
            for part in (name, *NEEDS.get(name, ())):
                found |= _files(part)
    return found


@cache
def _files(name: str) -> dict[str, bytes]:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        remedy = install("testcases") if name in ("cyaron", *NEEDS["cyaron"]) else f"pip install {name}"
        raise ConfigError("generate_tests, libraries", f"{name!r} is not installed", remedy)
    top = Path(spec.origin)
    inside = [path for path in sorted(top.parent.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    paths = inside if top.name == "__init__.py" else [top]
    folder = top.parent.parent if top.name == "__init__.py" else top.parent
    files = {str(path.relative_to(folder)): path.read_bytes() for path in paths if "tests" not in path.parts}
    if sum(map(len, files.values())) > MAX_BYTES:
        raise ConfigError("generate_tests, libraries", f"{name!r} is larger than a box's folder", "leave it out")
    return files
