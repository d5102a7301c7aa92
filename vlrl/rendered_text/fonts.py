"""Fonts by name and by the height of their capitals, and the check that every character has a glyph.

The fonts of matplotlib (DejaVu, STIX) are on every machine, so a picture of them is the same everywhere. The others
come with a Debian package; where it is missing the error names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import matplotlib
from matplotlib.ft2font import FT2Font
from PIL import ImageFont

from vlrl.errors import ConfigError, DataError

Family = Literal[
    "sans",
    "serif",
    "mono",
    "stix",
    "liberation-sans",
    "liberation-serif",
    "liberation-mono",
    "comic-neue",
    "hand-dkg",
    "hand-breip",
    "hand-dancing",
]
DEBIAN_FONTS = Path("/usr/share/fonts")


@dataclass(frozen=True)
class FontFiles:
    """Where a family lies: in matplotlib's folder, or below `/usr/share/fonts` from a Debian package."""

    regular: str
    bold: str
    package: str = ""


FILES: dict[str, FontFiles] = {
    "sans": FontFiles("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    "serif": FontFiles("DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf"),
    "mono": FontFiles("DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf"),
    "stix": FontFiles("STIXGeneral.ttf", "STIXGeneralBol.ttf"),
    **{
        f"liberation-{name.lower()}": FontFiles(
            f"truetype/liberation/Liberation{name}-Regular.ttf",
            f"truetype/liberation/Liberation{name}-Bold.ttf",
            "fonts-liberation",
        )
        for name in ("Sans", "Serif", "Mono")
    },
    "comic-neue": FontFiles(
        "opentype/comic-neue/ComicNeue-Regular.otf", "opentype/comic-neue/ComicNeue-Bold.otf", "fonts-comic-neue"
    ),
    "hand-dkg": FontFiles(
        "truetype/fifthhorseman/dkg.ttf", "truetype/fifthhorseman/dkgBd.ttf", "fonts-dkg-handwriting"
    ),
    "hand-breip": FontFiles("truetype/breip/Breip.ttf", "truetype/breip/Breip.ttf", "fonts-breip"),
    "hand-dancing": FontFiles(
        "opentype/dancingscript/DancingScript-Regular.otf",
        "opentype/dancingscript/DancingScript-Bold.otf",
        "fonts-dancingscript",
    ),
}


@lru_cache(maxsize=64)
def font_file(family: Family, bold: bool = False) -> str:
    """Path of a font of the family. Raises ConfigError with the Debian package where the font is not installed."""
    files = FILES[family]
    name = files.bold if bold else files.regular
    if not files.package:
        return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name)
    path = DEBIAN_FONTS / name
    if not path.is_file():
        raise ConfigError(
            f"font {family!r}", f"{path} is missing", f"apt-get install {files.package}, or choose another family"
        )
    return str(path)


def installed_families() -> list[Family]:
    """The families whose fonts are on this machine, in the order of the list above."""

    def there(family: Family) -> bool:
        files = FILES[family]
        return not files.package or (DEBIAN_FONTS / files.regular).is_file()

    return [family for family in get_args(Family) if there(family)]


@lru_cache(maxsize=256)
def font_of_height(family: Family, capital_pixels: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The smallest font of the family whose capital H is at least `capital_pixels` high."""
    size = capital_pixels
    while True:
        font = ImageFont.truetype(font_file(family, bold), size, layout_engine=ImageFont.Layout.BASIC)
        _, top, _, bottom = font.getbbox("H")
        if bottom - top >= capital_pixels:
            return font
        size += 1


@lru_cache(maxsize=32)
def _known_characters(family: Family) -> frozenset[int]:
    return frozenset(FT2Font(font_file(family)).get_charmap())


def check_glyphs(text: str, family: Family) -> None:
    """Raises DataError if the font has no glyph for a character: a box instead of it would change the question."""
    known = _known_characters(family)
    missing = sorted({c for c in text if not c.isspace() and ord(c) not in known})
    if missing:
        listed = " ".join(f"{c!r} (U+{ord(c):04X})" for c in missing[:5])
        name = Path(FILES[family].regular).name
        raise DataError("rendered text", f"the font {name} has no glyph for {listed}", "leave the text typed")
