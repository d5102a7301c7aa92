"""The pages that Chromium is shown around what is to be drawn, none of which waits for a user or for another drawing.

A page of a response is shown in a frame without the right to open dialogues, windows and downloads: by HTML's rules
`alert` returns at once there, `confirm` is false, `prompt` and `window.open` are null, and nothing is saved. Its
content security policy has it draw and not bring an image: no image, font, film, plug-in or frame is loaded, from a
`data:` or `blob:` address as little as from elsewhere, and its scripts have no decoder of image files.

An SVG is shown as an image: scripts in it don't run, it loads nothing, and it draws nothing outside of its box, so that
many may stand on one page, a sheet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MARK = 8  # pixels: the width of a sheet's last column, in which every SVG has its mark
LOADED = (0, 255, 0)
FAILED = (255, 0, 0)  # any other colour: not loaded when the sheet was taken
_HEAD = "<!doctype html><meta charset='utf-8'><style>html,body{margin:0}"
_FRAME = (  # what a frame may become is up to the page around it: no address but its own file's
    f"{_HEAD}html,body{{height:100%;overflow:hidden}}iframe{{display:block;border:0;width:100%;height:100%}}</style>"
    "<meta http-equiv='Content-Security-Policy' content='frame-src file:'>"
    "<iframe sandbox='allow-scripts allow-same-origin allow-forms' src='framed.html'></iframe>"
)
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; base-uri 'none'; "
    "form-action 'none'"
)
_DECODERS = "createImageBitmap ImageDecoder VideoDecoder VideoFrame MediaSource FontFace"
_DRAWS_ONLY = (
    f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    f"<script>for (const name of '{_DECODERS}'.split(' ')) delete window[name];document.currentScript.remove()</script>"
).encode()
_DOCTYPE = re.compile(rb"\s*(?:<!--.*?-->\s*)*(<!doctype[^<>]*>)", re.DOTALL | re.IGNORECASE)
_IMAGE = "<img src='{}.svg' style='position:absolute;left:0;top:{}px;width:{}px;height:{}px' {}>"


@dataclass(frozen=True)
class SvgTile:
    """An SVG's text, and how many pixels it is drawn into."""

    source: str
    width: int
    height: int


@dataclass(frozen=True)
class DrawnPage:
    """Files of a page, of which `page.html` is opened, and its window."""

    files: Mapping[str, bytes]
    width: int
    height: int


def framed_page(source: bytes, width: int, height: int) -> DrawnPage:
    """A response's page, behind the policy. A page's own doctype stands before it, or the page would be laid out by the
    rules of pages without one.
    """
    text = source.removeprefix(b"\xef\xbb\xbf")
    doctype = _DOCTYPE.match(text)
    framed = (b"" if doctype is None else doctype[1]) + _DRAWS_ONLY + text
    return DrawnPage({"page.html": _FRAME.encode(), "framed.html": framed}, width, height)


def svg_page(source: bytes, width: int, height: int) -> DrawnPage:
    """One SVG; blank where the browser can't draw it."""
    image = _IMAGE.format(0, 0, width, height, "onerror='this.remove()'")
    page = f"{_HEAD}</style>{image}"
    return DrawnPage({"page.html": page.encode(), "0.svg": source}, width, height)


def sheet_page(tiles: Sequence[SvgTile]) -> DrawnPage:
    """SVGs one below another, in order. To the right of the widest each has a mark that says whether it was loaded."""
    width, top = max(tile.width for tile in tiles), 0
    images: list[str] = []
    for number, tile in enumerate(tiles):
        events = f"onload='mark({number},{list(LOADED)})' onerror='mark({number},{list(FAILED)})'"
        images.append(_IMAGE.format(number, top, tile.width, tile.height, events))
        images.append(f"<i id='m{number}' style='left:{width}px;top:{top}px;height:{tile.height}px'></i>")
        top += tile.height
    style = f"i{{position:absolute;width:{MARK}px}}</style>"
    script = "<script>function mark(n,c){document.getElementById('m'+n).style.background='rgb('+c+')'}</script>"
    page = _HEAD + style + script + "".join(images)
    files = {f"{number}.svg": tile.source.encode("utf-8", "replace") for number, tile in enumerate(tiles)}
    return DrawnPage({"page.html": page.encode(), **files}, width + MARK, top)
