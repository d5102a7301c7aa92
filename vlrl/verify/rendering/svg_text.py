"""An SVG of a response as text: whether it can be read, and the same one as large as a window.

How large a drawing is written says nothing of what it shows: icons of 24 units and figures of 400 are compared with
targets of any size.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

SVG = "http://www.w3.org/2000/svg"
_LENGTH = re.compile(r"\s*([0-9]*\.?[0-9]+)(?:px)?\s*")

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")


def svg_for_window(source: str, width: int, height: int) -> str:
    """The SVG drawn into a window of this many pixels, its own ratio of sides kept. Elements without a namespace get
    SVG's, without which a browser draws nothing. Raises ValueError with the reason for what is no SVG.
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
