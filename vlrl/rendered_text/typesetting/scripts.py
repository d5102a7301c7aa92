"""What a text asks of a font: which characters are invisible, which must be shaped, which run from right to left.

The kinds of characters are Unicode's own properties, as `unicodedata` gives them; only the scripts whose letters change
with their neighbours are listed, by their blocks.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from functools import lru_cache

# Characters without ink of their own: soft hyphen, joiners, marks of direction, variation selectors, byte order mark.
INVISIBLE = frozenset(
    map(
        chr,
        [
            0x00AD,
            0x034F,
            0x061C,
            *range(0x200B, 0x2010),
            *range(0x202A, 0x202F),
            *range(0x2060, 0x2065),
            *range(0x2066, 0x206A),
            *range(0xFE00, 0xFE10),
            0xFEFF,
        ],
    )
)
_ASCII_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
ZERO_WIDTH_SPACE = "\u200b"  # a place to break a line

# Blocks of scripts with letters that change shape or place: (first, last, name). Their characters go to HarfBuzz.
_SHAPED = (
    (0x0590, 0x05FF, "Hebrew"),
    (0x0600, 0x06FF, "Arabic"),
    (0x0700, 0x074F, "Syriac"),
    (0x0750, 0x077F, "Arabic"),
    (0x0780, 0x07BF, "Thaana"),
    (0x07C0, 0x07FF, "N'Ko"),
    (0x0800, 0x085F, "Samaritan or Mandaic"),
    (0x0860, 0x08FF, "Syriac or Arabic"),
    (0x0900, 0x097F, "Devanagari"),
    (0x0980, 0x09FF, "Bengali"),
    (0x0A00, 0x0A7F, "Gurmukhi"),
    (0x0A80, 0x0AFF, "Gujarati"),
    (0x0B00, 0x0B7F, "Odia"),
    (0x0B80, 0x0BFF, "Tamil"),
    (0x0C00, 0x0C7F, "Telugu"),
    (0x0C80, 0x0CFF, "Kannada"),
    (0x0D00, 0x0D7F, "Malayalam"),
    (0x0D80, 0x0DFF, "Sinhala"),
    (0x0E00, 0x0E7F, "Thai"),
    (0x0E80, 0x0EFF, "Lao"),
    (0x0F00, 0x0FFF, "Tibetan"),
    (0x1000, 0x109F, "Myanmar"),
    (0x1100, 0x11FF, "Hangul Jamo"),
    (0x1700, 0x177F, "a Philippine script"),
    (0x1780, 0x17FF, "Khmer"),
    (0x1800, 0x18AF, "Mongolian"),
    (0x1900, 0x1AAF, "Limbu, Tai or Buginese"),
    (0x1B00, 0x1C4F, "Balinese, Sundanese, Batak or Lepcha"),
    (0x1CD0, 0x1CFF, "Vedic"),
    (0x2D30, 0x2D7F, "Tifinagh"),
    (0xA800, 0xA82F, "Syloti Nagri"),
    (0xA840, 0xABFF, "a script of South or Southeast Asia"),
    (0xD7B0, 0xD7FF, "Hangul Jamo"),
    (0xFB1D, 0xFB4F, "Hebrew"),
    (0xFB50, 0xFDFF, "Arabic"),
    (0xFE70, 0xFEFE, "Arabic"),
    (0x10800, 0x10FFF, "a script that runs from right to left"),
    (0x11000, 0x11FFF, "a script of South Asia"),
    (0x16100, 0x16FFF, "a script with joined letters"),
    (0x1E800, 0x1EFFF, "a script that runs from right to left"),
    (0x1F1E6, 0x1F1FF, "flags"),
    (0x1F3FB, 0x1F3FF, "skin tones"),
)
_STARTS = [first for first, _, _ in _SHAPED]

# Wide scripts break between any two characters, but for marks that belong to a neighbour (kinsoku).
_WIDE = (
    (0x2E80, 0x2FDF),
    (0x3000, 0x30FF),
    (0x3100, 0x312F),
    (0x3190, 0x31FF),
    (0x3200, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA000, 0xA4CF),
    (0xAC00, 0xD7AF),
    (0xF900, 0xFAFF),
    (0xFE30, 0xFE4F),
    (0xFF00, 0xFF60),
    (0xFFE0, 0xFFE6),
    (0x1F300, 0x1FAFF),
    (0x20000, 0x3FFFF),
)
_NEVER_FIRST = frozenset(
    "、。，．：；！？)）]］}｝〉》」』】〕〗〙〛’”…‥・ー々〻ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ゛゜!?,.;:%％°"
)
_NEVER_LAST = frozenset("(（[［{｛〈《「『【〔〖〘〚‘“$￥¥£€＄￡")


@lru_cache(maxsize=8192)
def script_to_shape(character: str) -> str | None:
    """The script, or kind of sign, because of which a character must be shaped; None for one that needn't be."""
    code = ord(character)
    at = bisect_right(_STARTS, code) - 1
    if at >= 0 and code <= _SHAPED[at][1]:
        return _SHAPED[at][2]
    if unicodedata.category(character) in ("Mn", "Mc", "Me"):
        return "combining marks"
    if character in INVISIBLE and character not in ("\u00ad", ZERO_WIDTH_SPACE, "\u2060", "\ufeff"):
        return "joiners, variation selectors or marks of direction"
    if unicodedata.bidirectional(character) in ("R", "AL", "AN"):
        return "a script that runs from right to left"
    return None


def needs_shaping(text: str) -> str | None:
    """The first script in a text that must be shaped, by name; None where letters can be set one by one."""
    if text.isascii():
        return None
    return next((script for character in text if (script := script_to_shape(character))), None)


def is_right_to_left(text: str) -> bool:
    """Whether a paragraph runs from right to left: its first letter with a direction does (UAX #9, P2 and P3)."""
    if text.isascii():
        return False
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in ("L", "R", "AL"):
            return direction != "L"
    return False


def has_right_to_left(text: str) -> bool:
    """Whether any character runs from right to left, or steers the direction."""
    if text.isascii():
        return False
    kinds = ("R", "AL", "AN", "RLE", "RLO", "RLI", "LRE", "LRO", "LRI", "FSI", "PDF", "PDI")
    return any(unicodedata.bidirectional(character) in kinds for character in text)


def control_character(text: str) -> str | None:
    """The first character that is an instruction to a terminal, or half of a pair, rather than text; None without."""
    if text.isascii():
        found = _ASCII_CONTROL.search(text)
        return found.group() if found else None
    for character in text:
        category = unicodedata.category(character)
        if (category == "Cc" and character not in "\n\t") or category in ("Cs", "Cn"):
            return character
    return None


def is_wide(character: str) -> bool:
    """Whether lines may break beside a character: Chinese, Japanese, Korean, emoji."""
    code = ord(character)
    return code >= 0x2E80 and any(first <= code <= last for first, last in _WIDE)


def may_break(before: str, after: str) -> bool:
    """Whether a line may end between two characters that no space parts."""
    if before == ZERO_WIDTH_SPACE:
        return True
    if not (is_wide(before) or is_wide(after)) or script_to_shape(after) or after in INVISIBLE:
        return False
    return before not in INVISIBLE and after not in _NEVER_FIRST and before not in _NEVER_LAST


def clusters(text: str) -> list[str]:
    """What a reader takes for one character each: a base with its marks, emoji held together by joiners, flags."""
    found: list[str] = []
    for character in text:
        joins = found and (
            unicodedata.category(character) in ("Mn", "Mc", "Me")
            or (character in INVISIBLE and character != ZERO_WIDTH_SPACE)
            or 0x1F3FB <= ord(character) <= 0x1F3FF
            or found[-1][-1] == "\u200d"
            or _is_conjunct(found[-1][-1])
            or (_is_flag(character) and len(found[-1]) == 1 and _is_flag(found[-1]))
        )
        if joins:
            found[-1] += character
        else:
            found.append(character)
    return found


def _is_conjunct(character: str) -> bool:
    """Whether a character binds the consonant after it: a virama (combining class 9)."""
    return unicodedata.combining(character) == 9


def _is_flag(character: str) -> bool:
    return 0x1F1E6 <= ord(character) <= 0x1F1FF
