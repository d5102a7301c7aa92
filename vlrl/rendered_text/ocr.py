"""Reading a page back with tesseract, and how much of the text survived: for tests, and to check a style of one's
own."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess

import numpy as np
from PIL import Image as Pillow

from vlrl.errors import ConfigError, DataError

ENLARGED = 2  # tesseract reads best where capitals are about 30 pixels high
# signs that look alike in many fonts, so that tesseract's choice among them says nothing about the page
ALIKE = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "—": "-", "–": "-", "−": "-", "\u00ad": "-"})


def read_page(page: Pillow.Image, one_block: bool = True) -> str:
    """What tesseract (English) reads on a page, enlarged twice; `one_block` says that it has one column.

    Raises ConfigError if tesseract is missing, DataError if it fails.
    """
    program = shutil.which("tesseract")
    if program is None:
        raise ConfigError("tesseract", "the program is missing", "apt-get install tesseract-ocr")
    large = page.resize((page.width * ENLARGED, page.height * ENLARGED), Pillow.Resampling.BICUBIC)
    encoded = io.BytesIO()
    large.convert("L").save(encoded, format="PNG", compress_level=1)
    command = [program, "stdin", "stdout", "-l", "eng", "--dpi", "300", "--psm", "6" if one_block else "3"]
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    done = subprocess.run(command, input=encoded.getvalue(), capture_output=True, env=environment, check=False)
    if done.returncode != 0:
        raise DataError("tesseract", done.stderr.decode(errors="replace").strip(), "look at the page")
    return done.stdout.decode()


def character_accuracy(text: str, read: str) -> float:
    """1 − edits / characters of `text`, at least 0: edits are insertions, deletions and replacements (Levenshtein).

    White space counts as one space however much there is; curly quotes and long dashes count as straight and short.
    """
    wanted, found = (re.sub(r"\s+", " ", t.translate(ALIKE)).strip() for t in (text, read))
    return max(0.0, 1.0 - edits(wanted, found) / max(len(wanted), 1))


def edits(first: str, second: str) -> int:
    """Fewest insertions, deletions and replacements of characters that turn one text into the other."""
    codes = np.array([ord(c) for c in second], dtype=np.int64)
    along = np.arange(len(second) + 1)
    row = along.copy()
    for i, character in enumerate(first):
        fresh = np.empty_like(row)
        fresh[0] = i + 1
        fresh[1:] = np.minimum(row[1:] + 1, row[:-1] + (codes != ord(character)))
        row = np.minimum.accumulate(fresh - along) + along  # insertions, from left to right
    return int(row[-1])
