"""A recipe's problems on one page: images, questions, answers, tags, difficulty, tokens, each twin beside its text.

The page is one file that needs no server and no network. Images are reduced until all of them fit.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image as Pillow

from vlrl.data.images.open_images import open_image, size_in_budget
from vlrl.data.inspection.recipe_sample import Sample, SampleItem
from vlrl.data.inspection.recipe_stats import image_tokens
from vlrl.data.recipe import Recipe
from vlrl.runlog.run_folder import write_atomically
from vlrl.types import MODALITIES, Image, Text

MOST_IMAGE_BYTES = 3_200_000  # encoded; a third more as text, so that a page of 500 problems stays under 5 MB
LADDER = ((448, 80), (320, 75), (256, 65), (208, 55), (160, 45), (112, 35), (80, 30))  # longer side, WebP quality
PROBED = 40  # images from which the first step of the ladder is chosen
MOST_CHARS = 1500  # of one question or response


def write_preview(recipe: Recipe, name: str, sample: Sample, target: Path, token_side: int) -> int:
    """Write the page; returns the number of problems on it. Raises BadImageError for an image that went bad."""
    images = {image.digest: image for item in sample.items for image in item.problem.images}
    thumbnails = embed(list(images.values()))
    cards = [_card(item, recipe, thumbnails, token_side) for item in _interleaved(sample.items)]
    sources = [
        {
            "name": source,
            "modality": next(i.problem.modality for i in sample.items if i.problem.source == source),
            "share": f"{float(recipe.shares[source]):.1%}",
            "rows": "endless" if sample.rows[source] is None else f"{sample.rows[source]:,} rows",
            "shown": sum(item.problem.source == source for item in sample.items),
            "images": sum(len(item.problem.images) for item in sample.items if item.problem.source == source),
        }
        for source in {item.problem.source: None for item in sample.items}
    ]
    environment = Environment(
        loader=PackageLoader("vlrl.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("preview.html.jinja").render(
        name=name,
        cards=cards,
        image_count=sum(len(item.problem.images) for item in sample.items),
        sources=sources,
        modalities=[m for m in MODALITIES if any(item.problem.modality == m for item in sample.items)],
        budget=recipe.image,
        token_side=token_side,
        style=Markup(_own_file("preview.css")),
        script=Markup(_own_file("preview.js")),
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, page)
    return len(cards)


def _interleaved(items: Iterable[SampleItem]) -> list[SampleItem]:
    """The sources in turn, so that the top of the page shows all of them."""
    numbers: Counter[str] = Counter()
    placed = []
    for item in items:
        placed.append((numbers[item.problem.source], item))
        numbers[item.problem.source] += 1
    return [item for _, item in sorted(placed, key=lambda pair: pair[0])]


def embed(images: list[Image], most: int = MOST_IMAGE_BYTES) -> dict[str, dict[str, Any]]:
    """By digest: `src` (a data URI), own `width` and `height`, and `small` where it is to be shown in whole pixels.

    All images are reduced to the same longest side: the largest step of LADDER at which they fit into `most` bytes.
    """
    if not images:
        return {}
    step = _first_step(images[:: max(1, len(images) // PROBED)], len(images), most)
    while True:
        side, quality = LADDER[step]
        found = {image.digest: _thumbnail(image, side, quality) for image in images}
        if sum(len(data) for data, _ in found.values()) <= most or step == len(LADDER) - 1:
            break
        step += 1
    return {
        digest: {
            "src": f"data:image/webp;base64,{base64.b64encode(data).decode('ascii')}",
            "width": size[0],
            "height": size[1],
            "small": max(size) <= 96,
        }
        for digest, (data, size) in found.items()
    }


def _first_step(probed: list[Image], count: int, most: int) -> int:
    for step, (side, quality) in enumerate(LADDER):
        if sum(len(_thumbnail(image, side, quality)[0]) for image in probed) / len(probed) * count <= most:
            return step
    return len(LADDER) - 1


def _thumbnail(image: Image, side: int, quality: int) -> tuple[bytes, tuple[int, int]]:
    """The encoded thumbnail and the image's own size."""
    opened = open_image(image)
    size = opened.size
    opened.thumbnail((side, side), Pillow.Resampling.LANCZOS)
    buffer = io.BytesIO()
    opened.save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue(), size


def _card(item: SampleItem, recipe: Recipe, thumbnails: dict[str, dict[str, Any]], token_side: int) -> dict[str, Any]:
    problem = item.problem
    images = []
    for image in problem.images:
        thumbnail = thumbnails[image.digest]
        width, height = thumbnail["width"], thumbnail["height"]
        in_budget = size_in_budget(width, height, recipe.image)
        tokens = image_tokens(width, height, recipe.image, token_side)
        images.append({**thumbnail, "in_budget": in_budget, "tokens": tokens})
    metadata = {key: value for key, value in problem.metadata.items() if key not in ("choices", "guess_rate")}
    return {
        "source": problem.source,
        "domain": problem.domain,
        "modality": problem.modality,
        "images": images,
        "system": None if problem.system is None else _shorten(problem.system),
        "pieces": list(_pieces(problem.prompt)),
        "answer": _shorten(problem.answer),
        "accepted": [str(a) for a in problem.metadata.get("accepted", ())],
        "verifier": problem.verifier,
        "tags": problem.tags,
        "difficulty": None if problem.difficulty is None else f"{problem.difficulty:.2f}",
        "metadata": _shorten(", ".join(f"{key} {value}" for key, value in metadata.items()), 200),
        "response": None if item.response is None else _shorten(item.response),
        "twin": None if item.text is None else _shorten(item.text.question),
        "id": problem.id[:12],
    }


def _pieces(prompt: Iterable[Text | Image]) -> Iterable[tuple[str, str]]:
    """("text", …) and ("image", its number) in reading order."""
    number = 0
    for piece in prompt:
        if isinstance(piece, Text):
            yield "text", _shorten(piece.text)
        else:
            number += 1
            yield "image", str(number)


def _shorten(text: str, most: int = MOST_CHARS) -> str:
    return text if len(text) <= most else f"{text[:most]} … ({len(text) - most} more characters)"


def _own_file(name: str) -> str:
    return resources.files("vlrl.report").joinpath(name).read_text(encoding="utf-8")
