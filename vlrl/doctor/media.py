"""Images and fonts: formats that Pillow can read, shaping, fonts of other scripts; programs that single suites need."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from vlrl.doctor.finding import Finding, note, ok, problem

FORMATS = {"jpg": "JPEG", "zlib": "PNG", "webp": "WebP", "avif": "AVIF", "jpg_2000": "JPEG 2000", "libtiff": "TIFF"}
NEEDED = ("jpg", "zlib")
PROGRAMS = {
    "chromium": "the report's tests open it in a browser (Debian package chromium)",
    "tesseract": "tests of rendered text read it back (Debian package tesseract-ocr)",
    "bwrap": "the verifier code needs it, with libseccomp2, to run programs of a model (Debian package bubblewrap)",
}
FONTS = Path("/usr/share/fonts")


def check_images() -> Iterator[Finding]:
    """Which image formats this Pillow reads."""
    if find_spec("PIL") is None:
        return  # the requirements say it
    try:
        from PIL import features
    except ImportError as error:
        yield problem("images", f"Pillow can't be loaded: {error}", "pip install --force-reinstall pillow")
        return
    missing = [feature for feature in FORMATS if not features.check(feature)]
    if lost := [FORMATS[one] for one in missing if one in NEEDED]:
        yield problem("images", f"this Pillow reads no {' and no '.join(lost)}", "pip install --force-reinstall pillow")
    elif missing:
        shown = ", ".join(FORMATS[one] for one in missing)
        yield note(
            "images", f"this Pillow reads no {shown}; rows with such images are refused", "pip install -U pillow"
        )
    else:
        yield ok("images", ", ".join(FORMATS.values()))
    if features.check("raqm"):
        yield ok("shaping", "Pillow has raqm: joined and reordered scripts are drawn right")
    else:
        yield note(
            "shaping",
            "Pillow has no raqm: Arabic, Hebrew, Devanagari … can't be drawn",
            "a wheel of Pillow from an index has it, or install libraqm",
        )


def check_processors() -> Finding:
    """What transformers' processors read images with. A torchvision that is there but broken is named by its import."""
    if find_spec("torchvision") is not None:
        return ok("image processors", "torchvision is installed")
    return note(
        "image processors",
        "torchvision isn't installed: vlrl reads images without it and refuses videos, but transformers' own "
        "AutoProcessor opens no model of these families, an exported one neither",
        "pip install torchvision, from the index that torch came from; or go without it as docs/models.md shows",
    )


def check_fonts(folder: Path = FONTS) -> Finding:
    """Fonts besides matplotlib's own: handwriting, CJK and other scripts in rendered text."""
    count = sum(1 for file in folder.rglob("*") if file.suffix in (".ttf", ".otf", ".ttc")) if folder.is_dir() else 0
    if count == 0:
        return note(
            "fonts",
            f"none in {folder}; rendered text has DejaVu and STIX alone",
            "apt-get install fonts-noto-core fonts-noto-cjk for other scripts",
        )
    return ok("fonts", f"{count} files in {folder}")


def check_programs() -> Iterator[Finding]:
    """Programs that one part or one suite needs."""
    for name, use in PROGRAMS.items():
        path = shutil.which(name)
        yield ok(name, path) if path else note(name, "isn't installed", use)
