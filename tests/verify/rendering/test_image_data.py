"""Sources that bring an image instead of drawing it: by what they may load, and by how much they say."""

from __future__ import annotations

import base64
import json
import random
import shutil

import numpy as np
import pytest

from vlrl.code_execution import drawing, executor
from vlrl.code_execution.drawing import browser
from vlrl.errors import DataError
from vlrl.scenes.png import png_bytes
from vlrl.types import Image, Problem, Text
from vlrl.verify.judge import judge
from vlrl.verify.rendering.image_data import ALLOWANCES, allowance, image_bytes, refusal
from vlrl.verify.rendering.image_pixels import pixels_of_drawing
from vlrl.verify.rendering.source_information import information
from vlrl.verify.rendering.svg_text import EmbeddedImage, svg_for_window

RED = "data:image/png;base64," + base64.b64encode(png_bytes(np.full((9, 9, 3), (255, 0, 0), np.uint8))).decode()
sandboxed = pytest.mark.skipif(
    shutil.which("bwrap") is None or browser() is None, reason="bubblewrap or Chromium is missing"
)
with_tex = pytest.mark.skipif(
    any(shutil.which(one) is None for one in ("bwrap", *drawing.TYPESETTING)), reason="bubblewrap or TeX is missing"
)


@pytest.fixture(scope="module", autouse=True)
def ended():
    yield
    executor.close()


def noise(bytes_: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(bytes_)


WORDS = [f"{a}{b}" for a in ("red", "blue", "dark", "sun", "sea", "high", "low", "north") for b in ("ish", "er", "ed")]
SPELLINGS = {
    "base64": lambda data: base64.b64encode(data).decode(),
    "base85": lambda data: base64.b85encode(data).decode(),
    "hexadecimal": bytes.hex,
    "escapes": repr,
    "decimal numbers": lambda data: str(list(data)),
    "one number": lambda data: str(int.from_bytes(data)),
    "colours": lambda data: "".join(f'<rect fill="#{data[n : n + 3].hex()}"/>' for n in range(0, len(data), 3)),
    "letters": lambda data: "".join("RGBYKWCM"[byte >> shift & 7] for byte in data for shift in (0, 3, 6)),
    "Chinese characters": lambda data: "".join(
        chr(0x4E00 + int.from_bytes(data[n : n + 2]) % 16384) for n in range(0, len(data), 2)
    ),
    "words of a code book": lambda data: " ".join(WORDS[part] for byte in data for part in (byte >> 4, byte & 15)),
    "white space": lambda data: "".join(" \t"[byte >> bit & 1] for byte in data for bit in range(8)),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_no_spelling_of_data_says_less_than_the_data(name):
    data = noise(600)
    assert 0.85 * len(data) < information(SPELLINGS[name](data)) < 3 * len(data)


def test_what_any_drawing_says_is_nearly_free_and_what_is_repeated_is_told_once():
    page = '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<style>\nbody { margin: 0; }'
    assert information(page) < 0.1 * len(page)
    once = base64.b64encode(noise(90)).decode()
    assert information(once) > 90
    assert information(once * 8) < information(once) + 40
    assert information("") == 0


HONEST = {
    "matplotlib": "import matplotlib.pyplot as plt\n# Visitors of the three museums by week\n"
    + "".join(
        f"{name} = {[100 + (k * n * 37) % 91 for k in range(52)]}\n" for n, name in enumerate(("art", "air", "sea"), 2)
    )
    + "fig, ax = plt.subplots(figsize=(10, 5))\nfor name, values in {'Art': art, 'Air': air, 'Sea': sea}.items():\n"
    "    ax.plot(range(1, 53), values, marker='o', label=name)\nax.set_xlabel('Week')\nax.legend()\n",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="480">'
    + "".join(
        f'<rect x="{20 + 150 * (k % 4)}" y="{30 + 90 * (k // 4)}" width="120" height="50" rx="8" fill="#bbdefb" '
        f'stroke="#333"/><text x="{80 + 150 * (k % 4)}" y="{60 + 90 * (k // 4)}" font-size="9">Step {k + 1}</text>'
        f'<path d="M{140 + 150 * (k % 4)} {55 + 90 * (k // 4)} C 150 60 {k * 7} 80 {k * 11} 90" fill="none"/>'
        for k in range(16)
    )
    + "</svg>",
    "html": "<!DOCTYPE html><html><head><style>table { border-collapse: collapse; } th, td { border: 1px solid "
    "#999; padding: 6px 14px; text-align: right; }</style></head><body><h1>Population of the districts</h1><table>"
    + "".join(
        f"<tr><td>District {k}</td><td>{k * 7919 % 9973}</td><td>{k * 104729 % 9967}</td></tr>" for k in range(60)
    )
    + "</table><p>Numbers are estimates of the office; the last year's are provisional.</p></body>",
}


@pytest.mark.parametrize("kind", HONEST)
def test_a_source_that_draws_says_less_than_any_target_allows(kind):
    assert len(HONEST[kind]) > 1000
    assert refusal(HONEST[kind], allowance(kind, 0)) == ""


def test_reading_ends_where_it_is_enough():
    text = noise(3000).hex()
    assert 50 <= information(text, 50) < 51
    assert information(text[:40], 50) == information(text[:40]) < 50


def test_the_allowance_is_the_floor_of_its_kind_the_targets_share_or_what_the_golds_source_says():
    of = ALLOWANCES["svg"]
    assert allowance("svg", 10) == of.floor
    assert allowance("svg", 40_000) == 40_000 * of.rate > of.floor
    gold = noise(2000).hex()
    assert allowance("svg", 10, gold) == pytest.approx(1.5 * information(gold))
    assert refusal(gold, allowance("svg", 10, gold)) == ""
    assert refusal(gold, allowance("svg", 10)).startswith(f"holds as much data as an image: {of.floor} bytes")


def test_a_picture_takes_more_the_more_it_shows_and_however_long_it_is():
    blank = np.full((300, 400, 3), 255, np.uint8)
    busy = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    assert image_bytes(blank) < 500 < 5000 < image_bytes(busy)
    assert image_bytes(np.zeros((40_000, 16, 3), np.uint8)) > 0


HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="40" height="40">'
EMBEDDED = {
    "an image": f'<image href="{RED}" width="40" height="40"/>',
    "an image of XLink": f'<image xlink:href="{RED}" width="40" height="40"/>',
    "a filter's image": f'<filter id="f"><feImage href="{RED}"/></filter><rect width="9" height="9" filter="url(#f)"/>',
    "a page in it": f'<foreignObject width="40" height="40"><img xmlns="http://www.w3.org/1999/xhtml" src="{RED}"/>'
    "</foreignObject>",
    "a background": f'<foreignObject width="40" height="40"><p xmlns="http://www.w3.org/1999/xhtml" '
    f"style=\"background:url('{RED}')\">x</p></foreignObject>",
    "a style sheet": f"<style>rect {{ mask: url({RED}) }}</style><rect width='9' height='9'/>",
    "escaped": r"<style>rect { mask: url(\64 ata:image/png;base64,AAAA) }</style>",
    "escaped in the middle": r"<style>rect { mask: url(d\61\74\61:image/png;base64,AAAA) }</style>",
    "by references of XML": '<rect style="mask: url(&#100;ata&#58;image/png;base64,AAAA)" width="9" height="9"/>',
    "with white space": '<use href="da\tta:image/svg+xml,x#y"/>',
    "imported": "<style>@import 'DATA:text/css,*{}';</style>",
}


@pytest.mark.parametrize("name", EMBEDDED)
def test_an_svg_that_embeds_a_picture_is_none_of_its_drawing(name):
    with pytest.raises(EmbeddedImage):
        svg_for_window(f"{HEAD}{EMBEDDED[name]}</svg>", 40, 40)


def test_an_svg_may_speak_of_data():
    inside = '<g id="data:a" aria-label="data:b"><title>data:c</title><text y="9">Raw data:5</text></g>'
    assert "data:5" in svg_for_window(f"{HEAD}{inside}</svg>", 40, 40)


SHOWN = f"""<img src="{RED}"><picture><source srcset="{RED}"><img></picture><input type=image src="{RED}">
<div style="width:60px;height:20px;background:url({RED})"></div><ul><li style="list-style-image:url({RED})">a</ul>
<p style="border:9px solid;border-image:url({RED}) 1"></p><p style="content:url({RED})"></p>
<video poster="{RED}"></video>
<object data="{RED}"></object><embed src="{RED}"><iframe src="{RED}"></iframe>
<iframe srcdoc="<img src='{RED}'>"></iframe><iframe src="data:text/html,<body style='background:red'>"></iframe>
<svg width=20 height=20><image href="{RED}" width=20 height=20 /><filter id=f><feImage href="{RED}"/></filter>
<rect width=20 height=20 filter="url(#f)"/></svg><link rel=stylesheet href="data:text/css,body{{background:red}}">
<canvas id=c></canvas><script>
const at = document.getElementById('c').getContext('2d'), shown = document.createElement('img');
shown.onload = () => at.drawImage(shown, 0, 0); shown.src = '{RED}';
const bytes = Uint8Array.from(atob('{RED.split(",")[1]}'), one => one.charCodeAt(0)), blob = new Blob([bytes]);
const other = document.body.appendChild(document.createElement('img')); other.src = URL.createObjectURL(blob);
try {{ createImageBitmap(blob).then(one => at.drawImage(one, 50, 50)) }} catch (error) {{}}
document.body.insertAdjacentHTML('beforeend', `<img src="{RED}">`);
</script><p style="position:fixed;right:0;top:0;margin:0;width:70px;height:10px;background:lime"></p>"""


def drawn(kind: str, source: str) -> np.ndarray:
    found = executor.drawing_sandbox().draw(kind, source, 400, 900)
    assert found.png is not None
    return pixels_of_drawing(found.png, 10**7)


def red(pixels: np.ndarray) -> int:
    return int((pixels.astype(int) @ np.array([1, -1, -1]) > 200).sum())


@sandboxed
@pytest.mark.parametrize("doctype", ["<!-- a page --><!DOCTYPE html>", ""])
def test_a_page_shows_no_picture_that_it_brings_and_is_laid_out_as_without_the_policy(doctype):
    mode = "<script>document.compatMode == 'CSS1Compat' || (document.body.style.background = 'blue')</script>"
    pixels = drawn("html", f"{doctype}<html lang=en><head></head><body>{SHOWN}{mode}</body></html>")
    assert red(pixels) == 0
    assert (pixels == np.array([0, 255, 0])).all(axis=2).sum() == 700  # what it draws is drawn
    assert (tuple(pixels[-1, -1]) == (0, 0, 255)) == (not doctype)


@sandboxed
@pytest.mark.parametrize("address", ["data:text/html,<body style=background:red>", "blob"])
def test_a_page_is_not_left_for_one_without_the_policy(address):
    other = "URL.createObjectURL(new Blob(['<body style=background:red>'], {type: 'text/html'}))"
    script = f"location = {other if address == 'blob' else repr(address)}"
    assert red(drawn("html", f"<body><script>{script}</script></body>")) == 0


def plot_problem() -> Problem:
    image = np.full((60, 80, 3), 255, np.uint8)
    image[20:50, 20:40] = (255, 0, 0)
    return Problem(
        (Image.from_bytes(png_bytes(image)), Text("Draw it.")), '{"kind": "matplotlib"}', "visual_code", "text", "a", ""
    )


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is missing")
def test_a_file_that_matplotlib_did_not_save_is_no_drawing():
    source = f"import base64\nopen('drawing.png', 'wb').write(base64.b64decode('{RED.split(',')[1]}'))"
    found = judge(plot_problem(), f"```python\n{source}\n```")
    assert (found.score, found.note, found.fault) == (0.0, "draws nothing", None)


@with_tex
def test_a_document_with_a_bitmap_on_its_page_holds_a_picture():
    bitmap = r"\pdfliteral{q 50 0 0 50 0 0 cm BI /W 2 /H 2 /CS /G /BPC 8 /F /AHx ID 00ff80ff> EI Q}"
    gold = json.dumps({"kind": "latex", "source": r"\rule{3cm}{2cm}"})
    problem = Problem((Text("Draw."),), gold, "visual_code", "text", "a", "", metadata={"earned": {"parses": 0.1}})
    found = judge(problem, f"```latex\n{bitmap} \\rule{{3cm}}{{2cm}}\n```")
    assert (found.score, found.note) == (0.0, "holds an image: 1 bitmaps on the page")


@sandboxed
def test_a_source_that_says_too_much_is_refused_by_name_alone_and_among_others():
    table = "".join(
        f'<rect x="{a % 48}" y="{b % 40}" width="1" height="1" fill="#{c:02x}{a:02x}{b:02x}"/>'
        for a, b, c in zip(*[iter(noise(3000))] * 3, strict=True)
    )
    gold = {"kind": "svg", "source": f'{HEAD}<circle cx="20" cy="20" r="9" fill="red"/></svg>', "size": [40, 40]}
    problem = Problem((Text("Draw it."),), json.dumps(gold), "visual_code", "text", "drawings", "")
    found = judge(problem, f"{HEAD}{table}</svg>")
    assert (found.score, found.correct) == (0.0, False)
    assert found.note.startswith("holds as much data as an image")
    embedded = judge(problem, f"{HEAD}{EMBEDDED['an image']}</svg>")
    assert (embedded.score, embedded.note) == (0.0, "holds an image: a image element")


def test_a_gold_that_embeds_a_picture_is_refused_by_its_place():
    gold = {"kind": "svg", "source": f"{HEAD}{EMBEDDED['an image']}</svg>", "size": [40, 40]}
    problem = Problem((Text("Draw it."),), json.dumps(gold), "visual_code", "text", "drawings", "")
    from vlrl.verify.rendering.visual_code import _asked

    with pytest.raises(DataError, match="a image element"):
        _asked(problem)
