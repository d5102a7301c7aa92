"""Tools that are programs: tesseract reads text, the run's sandbox runs what the policy has written."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import lru_cache

from PIL import Image as Pillow

from vlrl.code_execution import executor
from vlrl.code_execution.outcome import Program
from vlrl.errors import ConfigError
from vlrl.rollout.environments.episodes.world import EnvironmentFault

OCR_SECONDS = 60.0  # for one image; the deadline of a turn is shorter, this ends the program behind it


@lru_cache(maxsize=8)
def check_tesseract(language: str) -> None:
    """Raises ConfigError where tesseract, or the language, isn't installed."""
    place = "environment.tools, ocr"
    if shutil.which("tesseract") is None:
        raise ConfigError(place, "there is no program tesseract", "apt-get install tesseract-ocr, or leave ocr out")
    listed = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, timeout=OCR_SECONDS)
    known = listed.stdout.splitlines()[1:]
    for name in language.split("+"):
        if name not in known:
            raise ConfigError(
                "environment.ocr_language", f"tesseract has no {name!r}", f"it has {', '.join(known) or 'none'}"
            )


def printed_text(image: Pillow.Image, language: str) -> str:
    """What tesseract reads in it, with single line ends. Raises EnvironmentFault where the program fails."""
    try:
        ended = subprocess.run(
            ["tesseract", "stdin", "stdout", "-l", language],
            input=as_png(image),
            capture_output=True,
            timeout=OCR_SECONDS,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFault(f"tesseract: {error}") from error
    if ended.returncode:
        raise EnvironmentFault(f"tesseract: {ended.stderr.decode(errors='replace')[:200]}")
    return re.sub(r"\n\s*\n+", "\n", ended.stdout.decode(errors="replace")).strip()


def printed_by(code: str, files: Mapping[str, bytes]) -> str:
    """What a Python program prints in the run's sandbox, with these files beside it. Raises ValueError, for the policy,
    for one that fails, and EnvironmentFault where the sandbox does.
    """
    prepared = executor.executor().prepare(Program("python", code, files))
    ended = prepared if not hasattr(prepared, "run") else prepared.run()
    if ended.is_fault:
        raise EnvironmentFault(f"the sandbox: {ended.note}")
    printed = ended.stdout.decode(errors="replace")
    if ended.ended != "finished":
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        raise ValueError(f"the program ended with {ended.ended}: {said[-1] if said else 'no message'}")
    return printed.strip() or "the program printed nothing"


def as_png(image: Pillow.Image) -> bytes:
    """The image as a file."""
    file = io.BytesIO()
    image.convert("RGB").save(file, "PNG")
    return file.getvalue()
