"""Draw every generated domain at three difficulties onto one sheet: `contact_sheet.py docs/domains.png`."""

from __future__ import annotations

import argparse
import io
import textwrap
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

import vlrl.scenes
from vlrl.scenes.domain import Domain, domains, draw_problem
from vlrl.seeding import stream

DIFFICULTIES = (0.0, 0.5, 1.0)
TEXT_HEIGHT, MARGIN = 74, 8


def build(name: str, size: int | None) -> Domain:
    """The domain with its own defaults, or at `size` px where it has a size."""
    has_size = size is not None and "size" in domains.get(name).__dataclass_fields__
    made: Domain = domains.build({"name": name, "size": size} if has_size else name)
    return made


def side_by_side(images: list[Image.Image], gap: int = 6) -> Image.Image:
    """All images of a problem as one, two in a row."""
    columns = min(2, len(images))
    width, height = images[0].width, images[0].height
    whole = Image.new("RGB", (columns * (width + gap) - gap, -(-len(images) // columns) * (height + gap) - gap), "grey")
    for i, whole_image in enumerate(images):
        whole.paste(whole_image, (i % columns * (width + gap), i // columns * (height + gap)))
    return whole


def contact_sheet(names: list[str], tile: int, size: int | None, seed: int, columns: int) -> Image.Image:
    """A row of tiles for every domain: image, question and answer at each of the three difficulties."""
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    plain = ImageFont.truetype(str(fonts / "DejaVuSans.ttf"), 11)
    bold = ImageFont.truetype(str(fonts / "DejaVuSans-Bold.ttf"), 11)
    width, height = tile + MARGIN, tile + TEXT_HEIGHT + MARGIN
    rows = -(-len(names) // columns)
    block = width * len(DIFFICULTIES) + MARGIN
    sheet = Image.new("RGB", (columns * block, rows * height + MARGIN), (245, 245, 245))
    pen = ImageDraw.Draw(sheet)
    for i, name in enumerate(names):
        made = build(name, size)
        for j, difficulty in enumerate(DIFFICULTIES):
            left, top = i // rows * block + j * width + MARGIN, i % rows * height + MARGIN
            problem, _ = draw_problem(made, stream(seed, "scenes", name, j), difficulty)
            if problem.images:
                whole_image = side_by_side([Image.open(io.BytesIO(image.read_bytes())) for image in problem.images])
                smooth = whole_image.width > tile
                how = Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST
                scale = min(tile / whole_image.width, tile / whole_image.height)
                fitted = whole_image.resize((round(whole_image.width * scale), round(whole_image.height * scale)), how)
                sheet.paste(fitted, (left, top))
            question = problem.question.replace("<image>", "")
            if not problem.images:
                pen.text((left + tile / 2, top + tile / 2), question, font=bold, fill=(20, 20, 20), anchor="mm")
            lines = [f"→ {problem.answer}", *textwrap.wrap(question, tile // 6)][:4]
            title = f"{name} {difficulty:g}"
            pen.text((left, top + tile + 1), title, font=bold, fill=(20, 20, 20))
            pen.text((left, top + tile + 16), "\n".join(lines), font=plain, fill=(60, 60, 60))
    return sheet


def main() -> None:
    """Read the arguments, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", help="PNG file to write")
    parser.add_argument("--tile", type=int, default=180, help="width of one image on the sheet in px")
    parser.add_argument("--size", type=int, default=None, help="draw the domains at this size instead of their own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--columns", type=int, default=2, help="blocks of three tiles side by side")
    parser.add_argument("--only", nargs="*", help="names of domains; default: all")
    arguments = parser.parse_args()
    names = arguments.only or domains.names()
    sheet = contact_sheet(names, arguments.tile, arguments.size, arguments.seed, arguments.columns)
    sheet.quantize(128, dither=Image.Dither.NONE).save(arguments.out, optimize=True)
    print(f"{arguments.out}: {len(names)} domains, {sheet.width} × {sheet.height} px, from {vlrl.scenes.__name__}")


if __name__ == "__main__":
    main()
