"""An SVG of a response as text: whether it can be read, and the same one as large as a window.

How large a drawing is written says nothing of what it shows: icons of 24 units and figures of 400 are compared with
targets of any size.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

_IMAGES = ("image", "feimage", "img", "object", "embed", "iframe", "video", "canvas", "input")  # by small letters
_WORDS = ("id", "class", "title", "alt", "role")  # attributes that hold words, besides aria-… and data-…
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))", re.DOTALL)

SVG = "http://www.w3.org/2000/svg"
_LENGTH = re.compile(r"\s*([0-9]*\.?[0-9]+)(?:px)?\s*")

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")


class EmbeddedImage(ValueError):
    """A source that holds an image instead of drawing it."""


def svg_for_window(source: str, width: int, height: int) -> str:
    """The SVG drawn into a window of this many pixels, its own ratio of sides kept. Elements without a namespace get
    SVG's, without which a browser draws nothing. Raises ValueError with the reason for what is no SVG, and
    EmbeddedImage for one that holds an image.
    """
    if "<!ENTITY" in source:
        raise ValueError("it declares entities")
    try:
        root = ElementTree.fromstring(source.strip())
        if root.tag.rpartition("}")[2] != "svg":
            raise ValueError("it is no svg element")
        for element in root.iter():
            if isinstance(element.tag, str) and not element.tag.startswith("{"):
                element.tag = f"{{{SVG}}}{element.tag}"
            _check_draws(element)
        sides = [_LENGTH.fullmatch(root.get(side, "")) for side in ("width", "height")]
        if root.get("viewBox") is None and None not in sides:
            root.set("viewBox", " ".join(["0 0", *(side[1] for side in sides if side is not None)]))
        root.set("width", str(width))
        root.set("height", str(height))
        return ElementTree.tostring(root, encoding="unicode")
    except ElementTree.ParseError as error:
        raise ValueError(" ".join(str(error).split())[:120]) from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _check_draws(element: ElementTree.Element) -> None:
    """Raises EmbeddedImage for an element that shows an image, and for an address that holds what it names
    (`data:`), which is all that an SVG shown as an image can load: in an attribute, or in a style sheet.
    """
    name = element.tag.rpartition("}")[2]
    if name.lower() in _IMAGES:
        raise EmbeddedImage(f"a {name} element")
    texts = [element.text or ""] if name == "style" else []
    for key, value in element.items():
        named = key.rpartition("}")[2]
        if named not in _WORDS and not named.startswith(("aria-", "data-")):
            texts.append(value)
    if any(_holds_address(text) for text in texts):
        raise EmbeddedImage(f"a data: address in {name}")


def _holds_address(text: str) -> bool:
    """Whether a text names a `data:` address to a browser: escapes of CSS and white space within don't hide it."""
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16) % 0x110000) if found[1] else found[2], text)
    return "data:" in re.sub(r"[\s\x00]|/\*.*?\*/", "", plain).lower()
