"""What the contamination stage keeps of clean training rows, and what it finds of edited copies of benchmark rows.

    VLRL_DATA=… python scripts/bench/contamination.py [--sets NAME …] [--domains N] [--rows N] [--copies N]

**kept**   of a set's training rows, against the test rows of the same set. Both share templates, style, camera.
**found**  of copies of test rows: every edit of images by itself, and pairs of two; of texts without images, five words
changed (numbers kept, or numbers too), names replaced, sentences in another order, punctuation and case.
Generated domains count as sets: their rows all differ in an image or in the question.

Which rows, which edits and how strong is drawn from `--seed`; `--copies` test rows of a set get each edit once.
Thresholds were chosen on the sets in `TUNED` and with seeds below 100: figures come from other sets and seeds. Shares
have Wilson's 95 % interval.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageEnhance, ImageFilter, ImageOps

import vlrl.scenes  # noqa: F401  fills the registry
from vlrl.curation.matching.contamination import BenchmarkFile, Contamination
from vlrl.curation.stage import Context
from vlrl.data.images.open_images import open_image
from vlrl.data.problem_files import write_problem_file
from vlrl.evaluation.scores import wilson_interval
from vlrl.scenes.domain import domains, draw_problem
from vlrl.seeding import stream
from vlrl.types import Image, Problem, Text

# sets that the thresholds were chosen on; the others are held out
TUNED = ("puzzlevqa", "tabmwp", "blood_cells", "gsm8k", "receipts_sroie", "playing_cards")
PAIRS = 6  # pairs of two edits that a copied row gets
Edit = Callable[[Pillow.Image, np.random.Generator], Pillow.Image]


def jpeg(image: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(rng.integers(30, 96)))
    return Pillow.open(file).convert("RGB")


def resized(image: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    scale = float(np.exp(rng.uniform(np.log(0.3), np.log(2))))
    size = max(8, round(image.width * scale)), max(8, round(image.height * scale))
    kinds = (Pillow.Resampling.BILINEAR, Pillow.Resampling.BICUBIC, Pillow.Resampling.LANCZOS)
    return image.resize(size, kinds[int(rng.integers(3))])


def cropped(image: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    """5 % at each side, or up to 5 % at each."""
    sides = np.full(4, 0.05) if rng.integers(2) else rng.uniform(0, 0.05, 4)
    (left, right), (top, bottom) = sides[:2] * image.width, sides[2:] * image.height
    return image.crop((round(left), round(top), image.width - round(right), image.height - round(bottom)))


def rotated(image: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    degrees = float(rng.choice([-1, 1]))
    fill = [(255, 255, 255), (0, 0, 0), None][int(rng.integers(3))]
    if fill is None:
        around = cv2.getRotationMatrix2D((image.width / 2, image.height / 2), degrees, 1)
        pixels = cv2.warpAffine(np.asarray(image), around, image.size, borderMode=cv2.BORDER_REPLICATE)
        return Pillow.fromarray(pixels)
    return image.rotate(degrees, Pillow.Resampling.BICUBIC, bool(rng.integers(2)), fillcolor=fill)


def brightness(image: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    return ImageEnhance.Brightness(image).enhance(float(rng.choice([0.85, 1.15])))


def greyscale(image: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    return image.convert("L").convert("RGB")


def bordered(image: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    colour = [(255, 255, 255), (0, 0, 0), (128, 128, 128), (200, 30, 30)][int(rng.integers(4))]
    return ImageOps.expand(image, max(1, round(rng.uniform(0.01, 0.08) * max(image.size))), colour)


def blurred(image: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    return image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 1.2))))


def noisy(image: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    pixels = np.asarray(image).astype(float)
    return Pillow.fromarray(np.clip(pixels + rng.normal(0, rng.uniform(3, 10), pixels.shape), 0, 255).astype(np.uint8))


EDITS: dict[str, Edit] = {
    "jpeg": jpeg,
    "resized": resized,
    "cropped": cropped,
    "rotated": rotated,
    "brightness": brightness,
    "greyscale": greyscale,
    "border": bordered,
    "blur": blurred,
    "noise": noisy,
}

# --- texts -----------------------------------------------------------------------------------------------------------


def words_changed(text: str, rng: random.Random, words: Sequence[str], numbers: bool) -> str:
    """Five words are others of the set; the numbers stay unless `numbers`."""
    parts = text.split()
    places = [n for n, part in enumerate(parts) if numbers or not any(sign.isdigit() for sign in part)]
    for place in rng.sample(places, min(5, len(places))):
        parts[place] = rng.choice(words)
    return " ".join(parts)


def names_replaced(text: str, rng: random.Random) -> str:
    """Capitalised words inside a sentence are other names, each always the same."""
    names = {name: f"{rng.choice('BDFGKLMNPRST')}{rng.choice('aeiou')}{rng.choice('lmnrst')}{rng.choice('aeiou')}"
             for name in dict.fromkeys(re.findall(r"(?<=[a-z,] )[A-Z][a-z]+", text))}  # fmt: skip
    return re.sub(r"\b[A-Z][a-z]+", lambda found: names.get(found[0], found[0]), text)


def reordered(text: str, rng: random.Random) -> str:
    sentences = re.split(r"(?<=[.?!]) ", text)
    rng.shuffle(sentences)
    return " ".join(sentences)


def other_signs(text: str, rng: random.Random) -> str:
    """Capitals, and no commas, full stops at the end of words, question marks, quotes."""
    return re.sub(r"[,.?!;:](?=\s|$)|[\"'’]", "", text).upper()


# --- sets ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rows:
    """A set: clean training rows and the test rows that they are compared with."""

    train: list[Problem]
    test: list[Problem]


def read_set(folder: Path, limit: int) -> Rows:
    """Training and test rows of a folder of VLRL_DATA; a set without training rows gives every second test row."""
    parts = {}
    for part in ("train", "test", "testmini"):
        file = folder / f"{part}.jsonl"
        if file.exists():
            lines = file.read_text().splitlines()
            parts["test" if part == "testmini" else part] = [
                _problem(json.loads(line), folder) for line in lines[:limit]
            ]
    if "train" not in parts:
        parts["train"], parts["test"] = parts["test"][::2], parts["test"][1::2]
    return Rows(parts["train"], parts["test"])


def _problem(row: dict, folder: Path) -> Problem:
    text = re.sub(r"<image ?\d*>", "", row["question"])
    options = row.get("choices") or row.get("options") or []
    text += "".join(f"\n({chr(65 + n)}) {option}" for n, option in enumerate(options))
    images = [Image.from_file(str(folder / path)) for path in row["images"]]
    return Problem((*images, Text(text)), str(row["answer"]), "exact", "real" if images else "text", folder.name)


def drawn_set(name: str, count: int, seed: int) -> Rows:
    """`count` test rows and twice as many training rows of a domain, all different."""
    domain = domains.build(name)
    seen: set[str] = set()
    found: list[Problem] = []
    for number in range(12 * count):
        problem, _ = draw_problem(domain, stream(seed, "contamination", name, number), 0.5)
        pixels = [Image.from_bytes(np.asarray(open_image(image)).tobytes()).digest for image in problem.images]
        key = repr((sorted(pixels), problem.question))
        if key not in seen and len(found) < 3 * count:
            found.append(problem)
        seen.add(key)
    return Rows(found[len(found) // 3 :], found[: len(found) // 3])


def copies(test: Sequence[Problem], count: int, seed: int, words: Sequence[str]) -> dict[str, list[Problem]]:
    """Edited copies of test rows by edit."""
    found: dict[str, list[Problem]] = defaultdict(list)
    chosen = random.Random(f"copies {seed}").sample(range(len(test)), min(count, len(test)))
    for number in sorted(chosen):
        problem = test[number]
        rng, texts = np.random.default_rng((seed, number)), random.Random(f"{seed} {number}")
        if problem.images and problem.images[0].source_text is None:
            for name, edit in EDITS.items():
                found[name].append(_edited(problem, [edit], rng))
            for _ in range(PAIRS):
                one, other = (str(name) for name in rng.choice(list(EDITS), 2, replace=False))
                found["two edits"].append(_edited(problem, [EDITS[one], EDITS[other]], rng))
        elif not problem.images:
            question = problem.question
            edited = {
                "five words": words_changed(question, texts, words, False),
                "five words or numbers": words_changed(question, texts, words, True),
                "names": names_replaced(question, texts),
                "sentences": reordered(question, texts),
                "signs and case": other_signs(question, texts),
            }
            for name, text in edited.items():
                found[name].append(replace(problem, prompt=(Text(text),)))
    return found


def _edited(problem: Problem, edits: Sequence[Edit], rng: np.random.Generator) -> Problem:
    def edited(image: Image) -> Image:
        opened = open_image(image)
        for edit in edits:
            opened = edit(opened, rng)
        file = io.BytesIO()
        opened.save(file, "PNG")
        return Image.from_bytes(file.getvalue())

    return replace(problem, prompt=tuple(edited(p) if isinstance(p, Image) else p for p in problem.prompt))


def measure(rows: Rows, count: int, seed: int) -> dict:
    """Kept share of the training rows, found share by edit, and the time it took."""
    words = sorted({word for problem in rows.train for word in problem.question.split() if word.isalpha()})
    planted = copies(rows.test, count, seed, words or ["word"])
    flat = [(edit, problem) for edit, problems in planted.items() for problem in problems]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test.jsonl"
        write_problem_file(path, rows.test)
        stage = Contamination(benchmarks=(BenchmarkFile(benchmark="problems", path=str(path)),))
        began, wall = time.process_time(), time.monotonic()
        decisions = stage.decide([*rows.train, *(problem for _, problem in flat)], Context(0))
        seconds, wall = time.process_time() - began, time.monotonic() - wall
    clean, edited = decisions[: len(rows.train)], decisions[len(rows.train) :]
    found: dict[str, list[bool]] = defaultdict(list)
    for (edit, _), decision in zip(flat, edited, strict=True):
        found[edit].append(decision.outcome == "dropped")
    lost: dict[str, int] = defaultdict(int)
    for decision in clean:
        if decision.outcome == "dropped":
            lost[decision.reason] += 1
    return {
        "clean": len(clean),
        "test": len(rows.test),
        "kept": sum(decision.outcome == "kept" for decision in clean),
        "lost": dict(lost),
        "lost_rows": [(d.problem.id, d.measured["row"]) for d in clean if d.outcome == "dropped"],
        "copies": len(flat),
        "found": sum(sum(hits) for hits in found.values()),
        "by_edit": {edit: (sum(hits), len(hits)) for edit, hits in found.items()},
        "cpu_seconds": seconds,
        "wall_seconds": wall,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", help="folders of VLRL_DATA; default: all with questions")
    parser.add_argument("--domains", type=int, default=0, help="so many generated domains, every n-th of their names")
    parser.add_argument("--rows", type=int, default=1000, help="at most so many rows of a part of a set")
    parser.add_argument("--copies", type=int, default=10, help="test rows that are copied, each with every edit")
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--json", help="file that results are added to, one set a line")
    given = parser.parse_args()
    data = Path(os.environ.get("VLRL_DATA", ""))
    names = given.sets if given.sets is not None else [
        f.name for f in sorted(data.iterdir()) if (f / "test.jsonl").exists() or (f / "images").is_dir()
    ]  # fmt: skip
    todo: list[tuple[str, Callable[[], Rows]]] = [(n, lambda n=n: read_set(data / n, given.rows)) for n in names]
    generated = sorted(domains)
    for name in generated[:: max(1, len(generated) // given.domains)][: given.domains] if given.domains else []:
        todo.append((name, lambda n=name: drawn_set(n, min(30, given.rows), given.seed)))
    totals = {"kept": np.zeros(2, int), "found": np.zeros(2, int)}
    for name, rows in todo:
        measured = {"set": name, "tuned": name in TUNED, **measure(rows(), given.copies, given.seed)}
        kept = _share(measured["kept"], measured["clean"])
        print(f"{name:18} kept {kept}  found {_share(measured['found'], measured['copies'])}  {measured['lost'] or ''}"
              f"  {measured['cpu_seconds']:.0f} s CPU", flush=True)  # fmt: skip
        for part in ("kept", "found"):
            totals[part] += np.array([measured[part], measured["clean" if part == "kept" else "copies"]])
        print("    " + ", ".join(f"{edit} {hit}/{of}" for edit, (hit, of) in measured["by_edit"].items()), flush=True)
        if given.json:
            with open(given.json, "a") as file:
                file.write(json.dumps(measured) + "\n")
    print(f"{'all':18} kept {_share(*totals['kept'])}  found {_share(*totals['found'])}")


def _share(hits: int, of: int) -> str:
    if of == 0:
        return "0/0"
    low, high = wilson_interval(hits / of, of)[:2]
    return f"{hits}/{of} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
