"""Fonts by name, or by file, and by the height of their capitals; which characters a font has glyphs for.

The fonts of matplotlib (DejaVu, STIX) are on every machine, so an image of them is the same everywhere. The others
come with a Debian package; where it is missing the error names it. Wherever a family is named as a fallback, the path
of a font file does as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import matplotlib
from matplotlib.ft2font import FT2Font
from PIL import ImageFont

from vlrl.errors import ConfigError, did_you_mean

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
    "noto-cjk",
    "noto-arabic",
    "noto-hebrew",
    "noto-devanagari",
    "noto-bengali",
    "noto-tamil",
    "noto-thai",
    "noto-symbols",
    "symbola",
]
DEBIAN_FONTS = Path("/usr/share/fonts")
FONT_SUFFIXES = (".ttf", ".otf", ".ttc")


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
    "noto-cjk": FontFiles(
        "opentype/noto/NotoSansCJK-Regular.ttc", "opentype/noto/NotoSansCJK-Bold.ttc", "fonts-noto-cjk"
    ),
    **{
        f"noto-{name.lower()}": FontFiles(
            f"truetype/noto/NotoSans{name}-Regular.ttf", f"truetype/noto/NotoSans{name}-Bold.ttf", "fonts-noto-core"
        )
        for name in ("Arabic", "Hebrew", "Devanagari", "Bengali", "Tamil", "Thai")
    },
    "noto-symbols": FontFiles(
        "truetype/noto/NotoSansSymbols2-Regular.ttf", "truetype/noto/NotoSansSymbols2-Regular.ttf", "fonts-noto-core"
    ),
    "symbola": FontFiles(
        "truetype/ancient-scripts/Symbola_hint.ttf", "truetype/ancient-scripts/Symbola_hint.ttf", "fonts-symbola"
    ),
}
# For whom a family is meant, as blocks (first and last character): what an error advises.
COVERS: dict[str, tuple[tuple[int, int], ...]] = {
    "noto-cjk": ((0x2E80, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF), (0x20000, 0x2FFFF)),
    "noto-devanagari": ((0x0900, 0x097F),),
    "noto-bengali": ((0x0980, 0x09FF),),
    "noto-tamil": ((0x0B80, 0x0BFF),),
    "noto-thai": ((0x0E00, 0x0E7F),),
    "sans": ((0x0590, 0x06FF), (0x2190, 0x23FF)),
    "symbola": ((0x2400, 0x27FF), (0x1F300, 0x1FAFF)),
}


@lru_cache(maxsize=64)
def font_file(family: str, bold: bool = False) -> str:
    """Path of a font of a family, or of a file that is named itself.

    Raises ConfigError with the Debian package where the font is not installed, and for a file that isn't there.
    """
    files = FILES.get(family)
    if files is None:
        if Path(family).suffix.lower() not in FONT_SUFFIXES:
            raise ConfigError(
                f"font {family!r}", "is no known family and no .ttf, .otf or .ttc file", did_you_mean(family, FILES)
            )
        if not Path(family).is_file():
            raise ConfigError(f"font {family!r}", "there is no such file", "give its full path")
        return family
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
def font_of_height(family: str, capital_pixels: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The smallest font of the family whose capital H is at least `capital_pixels` high.

    A font without a capital H gets the size of which that would be true for DejaVu Sans. Raises ConfigError for a file
    that has no outlines, as fonts of coloured images have none.
    """
    path = font_file(family, bold)
    if ord("H") not in known_characters(family, bold):
        return _sized(family, path, round(font_of_height("sans", capital_pixels).size))
    size = capital_pixels
    while True:
        font = _sized(family, path, size)
        _, top, _, bottom = font.getbbox("H")
        if bottom - top >= capital_pixels:
            return font
        size += 1


def _sized(family: str, path: str, size: int) -> ImageFont.FreeTypeFont:
    try:
        return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise ConfigError(
            f"font {family!r}", f"{path} can't be used at {size} pixels: {error}", "use a font with outlines"
        ) from error


@lru_cache(maxsize=64)
def known_characters(family: str, bold: bool = False) -> frozenset[int]:
    """The code points for which a font has a glyph: the keys of its character map."""
    path = font_file(family, bold)
    try:
        return frozenset(code for code, glyph in FT2Font(path).get_charmap().items() if glyph)
    except (RuntimeError, OSError) as error:
        raise ConfigError(f"font {family!r}", f"{path} can't be read: {error}", "use another font file") from error
