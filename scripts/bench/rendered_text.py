"""Rendered text: pages a second, what tesseract reads of every style, and a sheet of all styles.

    python scripts/bench/rendered_text.py speed [--pages 100] [--json FILE]
    python scripts/bench/rendered_text.py ocr [--texts 6] [--distortion mild] [--capitals 14] [--only plain …]
    python scripts/bench/rendered_text.py sheet docs/rendered_text.png

**Speed** is pages per second of processor time on one core, PNG encoding not included. Plain and dark pages are
448×448 with 700 characters; every page has another text, so that nothing is remembered from page to page but fonts.

**OCR** draws different texts per style (words, numbers and names drawn from a seed, no stored sentences), reads the
page with tesseract at twice its size and compares characters (`vlrl/rendered_text/ocr.py` says what counts).
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

import vlrl.rendered_text  # noqa: F401  fills the registry
from vlrl.errors import ConfigError
from vlrl.rendered_text.distortion import Distortion
from vlrl.rendered_text.ocr import character_accuracy, read_page
from vlrl.rendered_text.styles.data_style import indented
from vlrl.rendered_text.styles.style_registry import styles
from vlrl.rendered_text.typesetting.fonts import font_of_height

WORDS = tuple(
    re.findall(
        r"\w+",
        """
    the garden of an old museum keeps a record of every visitor who walks through it in spring while each train leaves
    the station before noon and carries seven boxes with apples to a market near that river where people count them
    twice and sell half for three coins or give some away when rain begins because nobody wants to carry water home
        """,
    )
)
NAMES = ("Anna", "Bruno", "Carla", "David", "Emma", "Felix", "Greta", "Henry", "Irene", "Jonas")


def prose(rng: np.random.Generator, sentences: int = 5) -> str:
    """Sentences of drawn words with names and numbers in them."""
    made = []
    for _ in range(sentences):
        words = [str(w) for w in rng.choice(WORDS, int(rng.integers(8, 16)))]
        words[0] = str(rng.choice(NAMES))
        words[int(rng.integers(2, len(words)))] = str(rng.integers(10, 2000))
        made.append(" ".join(words) + str(rng.choice([".", ".", "?"])))
    return " ".join(made)


def code(rng: np.random.Generator) -> str:
    """A few functions with drawn names and numbers."""
    made = []
    for _ in range(3):
        name, value, item = (str(w) for w in rng.choice([w for w in WORDS if len(w) > 3], 3))
        start, step = int(rng.integers(10, 99)), int(rng.integers(2, 9))
        made.append(
            f'def {name}_count({value}):\n    """Count every {item} that is even."""\n    total = {start}\n'
            f"    for index in range(len({value})):\n        if {value}[index] % {step} == 0:\n"
            f"            total += index * {step}  # the {item}\n    return total"
        )
    return "\n\n".join(made)


def table(rng: np.random.Generator, separator: str = " | ") -> str:
    """Six rows of names and numbers."""
    rows = [["Name", "Boxes", "Price", "Town"]]
    for name in rng.permutation(NAMES)[:6]:
        town = str(rng.choice([w for w in WORDS if len(w) > 4])).capitalize()
        rows.append([str(name), str(rng.integers(10, 999)), f"{rng.integers(10, 99)}.{rng.integers(10, 99)}", town])
    return "\n".join(separator.join(row) for row in rows)


def markdown(rng: np.random.Generator) -> str:
    """Heading, list, bold, table and code."""
    first, *rest = table(rng).split("\n")
    rows = "\n".join(f"| {row} |" for row in [first, "--- | --- | --- | ---", *rest[:3]])
    listed = "\n".join(f"- {prose(rng, 1)}" for _ in range(2))
    called = "```python\nprint(sum(boxes) % 7)\n```"
    return f"## The question\n{prose(rng, 1)}\n\n{listed}\n\n{rows}\n\n{called}\nHow many **boxes** are there?"


def mathematics(rng: np.random.Generator) -> str:
    """Formulas in the line and displayed."""
    a, b, c = (int(v) for v in rng.integers(2, 20, 3))
    return (
        f"Let $f(x) = {a}x^2 + {b}x - \\frac{{{c}}}{{x+1}}$ for $x \\geq 0$. Find all real $x$ with\n"
        f"$$\\sum_{{k=1}}^{{{a}}} \\frac{{k}}{{\\sqrt{{x+k}}}} \\le \\int_0^{{{b}}} e^{{-t^2}}\\,dt$$\n"
        f"and give $\\lim_{{x\\to\\infty}} f(x)/x^2$. A ticket costs \\${c}."
    )


def json_text(rng: np.random.Generator) -> str:
    """A list of objects and a question."""
    rows = [
        {"name": str(n), "boxes": int(rng.integers(10, 99)), "open": bool(rng.random() < 0.5)}
        for n in rng.permutation(NAMES)[:4]
    ]
    return f"Given these rows:\n{json.dumps({'rows': rows, 'unit': 'kg'})}\nWhich name has the most boxes?"


def chat(rng: np.random.Generator) -> str:
    """Three messages."""
    return f"User: {prose(rng, 1)}\nAssistant: {prose(rng, 2)}\nUser: {prose(rng, 1)}"


SQUARE = {"min_height": 448, "max_height": 448}
# style and settings, text, whether it is drawn as read (then its accuracy can be measured)
CASES: dict[str, tuple[dict[str, Any], Callable[[np.random.Generator], str], bool]] = {
    "plain": ({"name": "plain"}, prose, True),
    "plain serif": ({"name": "plain", "family": "serif"}, prose, True),
    "plain mono": ({"name": "plain", "family": "mono"}, prose, True),
    "plain stix": ({"name": "plain", "family": "stix"}, prose, True),
    "plain liberation-sans": ({"name": "plain", "family": "liberation-sans"}, prose, True),
    "dark": ({"name": "dark"}, prose, True),
    "two columns": ({"name": "plain", "columns": 2, "width": 640}, prose, True),
    "document": ({"name": "document"}, prose, True),
    "code": ({"name": "code", "width": 640}, code, True),
    "code monokai": ({"name": "code", "width": 640, "theme": "monokai"}, code, True),
    "table": ({"name": "table"}, table, True),
    "csv": ({"name": "csv"}, lambda rng: table(rng, ","), True),
    "json": ({"name": "json"}, json_text, True),
    "markdown": ({"name": "markdown", "width": 560}, markdown, True),
    "chat": ({"name": "chat"}, chat, True),
    "page": ({"name": "page"}, markdown, True),
    "math": ({"name": "math"}, mathematics, False),
    "handwriting": ({"name": "handwriting"}, prose, False),
}


def as_read(style: str, text: str) -> str:
    """What a reader of the page should say: the text without its marks, and the signs that the style adds."""
    if style == "json":
        parts = styles.build("json").parts(text)
        return "\n".join(part if isinstance(part, str) else indented(part[0], 2, 0) for part in parts)
    for sign in ("**", "```python\n", "```", "--- | --- | --- | ---", "##"):
        text = text.replace(sign, "")
    separator = {"table": "|", "csv": ",", "markdown": "|", "page": "|"}.get(style, "")
    text = text.replace(separator, " ") if separator else text
    text = text.replace("\n- ", "\n• ") if style in ("markdown", "page") else text
    return {"page": "example.org/questions\n", "chat": ""}.get(style, "") + text.replace("User:", "User").replace(
        "Assistant:", "Assistant"
    )


def speed(pages: int) -> dict[str, float]:
    """Pages per second of processor time."""
    figures = {}
    for name, (spec, write, _) in CASES.items():
        style = built(spec if not name.startswith(("plain", "dark")) else {**spec, **SQUARE, "capital_pixels": 11})
        if style is None:
            continue
        rng = np.random.default_rng(0)
        texts = [write(rng, 12)[:700] if write is prose else write(rng) for _ in range(pages)]
        style.draw(texts[0], rng)
        start = time.process_time()
        for text in texts:
            style.draw(text, rng)
        figures[name] = round(pages / (time.process_time() - start), 1)
        print(f"{name:24s} {figures[name]:8.1f} pages/s", flush=True)
    return figures


def ocr(texts: int, capitals: int, distortion: Distortion | None, only: list[str]) -> dict[str, dict[str, float]]:
    """Mean and least character accuracy by style."""
    figures = {}
    for name, (spec, write, is_read) in CASES.items():
        style = built({**spec, "capital_pixels": capitals}) if is_read and (not only or name in only) else None
        if style is None:
            continue
        rng = np.random.default_rng(1)
        found = []
        for _ in range(texts):
            text = write(rng)
            page = style.draw(text, rng)
            if distortion is not None:
                page = distortion.apply(page, rng)
            read = read_page(page, one_block=name not in ("two columns", "document"))
            found.append(character_accuracy(as_read(spec["name"], text), read))
        figures[name] = {"mean": round(float(np.mean(found)), 4), "least": round(min(found), 4), "n": texts}
        print(f"{name:24s} mean {figures[name]['mean']:.4f} least {figures[name]['least']:.4f} n {texts}", flush=True)
    return figures


def sheet(path: Path) -> None:
    """Every style once, and the two strengths of distortion, in four columns."""
    rng = np.random.default_rng(3)
    tiles: list[tuple[str, Image.Image]] = []
    for name, (spec, write, _) in CASES.items():
        style = built(spec)
        if style is not None:
            tiles.append((name, style.draw(write(rng), rng)))
    for strength in ("mild", "strong"):
        page = styles.build("plain").draw(prose(rng), rng)
        tiles.append((f"plain, {strength}", Distortion.model_validate(strength).apply(page, rng)))
    width, label = 340, font_of_height("sans", 11, bold=True)
    columns: list[list[tuple[str, Image.Image]]] = [[], [], [], []]
    heights = [0] * len(columns)
    for name, page in tiles:
        fitted = page.resize((width, round(page.height * width / page.width)), Image.Resampling.LANCZOS)
        shortest = heights.index(min(heights))
        columns[shortest].append((name, fitted))
        heights[shortest] += fitted.height + 34
    drawn = Image.new("RGB", ((width + 12) * len(columns) + 12, max(heights) + 12), (205, 208, 214))
    pen = ImageDraw.Draw(drawn)
    for i, column in enumerate(columns):
        y = 6
        for name, page in column:
            pen.text((12 + i * (width + 12), y), name, font=label, fill=(20, 20, 20))
            drawn.paste(page, (12 + i * (width + 12), y + 20))
            y += page.height + 34
    drawn.quantize(224, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB, {drawn.width}×{drawn.height}")


def built(spec: dict[str, Any]) -> Any:
    """The style, or nothing where its font is not installed."""
    try:
        return styles.build(spec)
    except ConfigError as error:
        if not error.place.startswith("font "):
            raise
        print(f"left out: {error.place} {error.problem}", flush=True)
        return None


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "ocr", "sheet"])
    parser.add_argument("path", nargs="?", type=Path, default=Path("docs/rendered_text.png"))
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--texts", type=int, default=6)
    parser.add_argument("--capitals", type=int, default=14, help="pixels")
    parser.add_argument("--distortion", choices=["mild", "strong"])
    parser.add_argument("--only", nargs="*", default=[], help="names of the cases to read")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.what == "sheet":
        sheet(given.path)
        return
    distortion = Distortion.model_validate(given.distortion) if given.distortion else None
    figures = speed(given.pages) if given.what == "speed" else ocr(given.texts, given.capitals, distortion, given.only)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
