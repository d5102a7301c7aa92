"""What a recipe consists of, in figures: shares, tokens, answers, difficulty, repeats, images by size.

Tokens of text are counted by a tokenizer where one is given, else estimated from characters. An image's tokens follow
from its size in the recipe's budget and the side of one visual token: 28 px for Qwen2.5-VL, 32 for Qwen3-VL.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.images.open_images import open_image, size_in_budget
from vlrl.data.inspection.recipe_sample import Sample, SampleItem
from vlrl.data.inspection.table_check import TableReport
from vlrl.data.recipe import Recipe
from vlrl.types import MODALITIES, Image, Problem

CHARS_PER_TOKEN = 3.5  # of English text, where no tokenizer is given
SIDES = (64, 128, 224, 448, 896, 1792)  # pixels of the longer side at which groups of image sizes end
BINS = 5  # of difficulty
MOST_NAMED = 20  # bad golds of a table

Counting = Callable[[str], int]


def estimated_tokens(text: str) -> int:
    """Tokens of a text by its length alone."""
    return math.ceil(len(text) / CHARS_PER_TOKEN)


def image_tokens(width: int, height: int, budget: ImageBudget, token_side: int) -> int:
    """Visual tokens of an image of this size: resized into the budget, sides rounded to whole tokens."""
    width, height = size_in_budget(width, height, budget)
    return max(1, round(width / token_side)) * max(1, round(height / token_side))


class ImageSizes:
    """Sizes in pixels by image, each decoded once."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[int, int]] = {}

    def size(self, image: Image) -> tuple[int, int]:
        """Width and height, upright. Raises BadImageError."""
        if image.digest not in self._held:
            self._held[image.digest] = open_image(image).size
        return self._held[image.digest]


def recipe_stats(recipe: Recipe, sample: Sample, token_side: int, count: Counting = estimated_tokens) -> dict[str, Any]:
    """Everything `vlrl data stats` shows, as plain values.

    sources, modalities  by name: n, share, tokens (means of text, image, response), …
    tokens               shares of text, image and response tokens over the whole sample; response only over problems
                         that have a worked response
    skipped, images      by source: rows of the sample that were left out and why; images in the sample
    frames               by source: problems with a video, and how many images stand for one; None without
    tables               by source, of all rows of its tables: rows, images, options, golds that their verifier accepts,
                         rows left out and why, columns of no use
    answers              by source: different ones, the most frequent and its share
    difficulty           by source with labels: mean and counts in five equal bins of [0, 1]
    repeats              problems, prompts and images that occur more than once
    images             by longer side: n, median size, mean tokens
    """
    sizes = ImageSizes()
    lengths = [_lengths(item, recipe, sizes, token_side, count) for item in sample.items]
    by_source = _grouped(sample.items, lambda item: item.problem.source)
    by_modality = _grouped(sample.items, lambda item: item.problem.modality)
    return {
        "problems": len(sample.items),
        "token_side": token_side,
        "budget": [recipe.image.min_pixels, recipe.image.max_pixels],
        "sources": {
            name: {
                "modality": sample.items[places[0]].problem.modality,
                "share": float(recipe.shares[name]),
                "rows": sample.rows[name],
                "asked": sample.asked[name],
                "skipped": sample.bad.get(name, {}),
                "images": sum(len(sample.items[i].problem.images) for i in places),
                "frames": _frames([sample.items[i].problem for i in places]),
                "tables": {key: _table(report) for key, report in sample.tables.get(name, {}).items()},
                **_means([lengths[i] for i in places]),
                "answers": _answers([sample.items[i].problem for i in places]),
                "difficulty": _difficulty([sample.items[i].problem.difficulty for i in places]),
            }
            for name, places in by_source.items()
        },
        "modalities": {
            name: {
                "share": len(by_modality[name]) / len(sample.items),
                **_means([lengths[i] for i in by_modality[name]]),
            }
            for name in MODALITIES
            if name in by_modality
        },
        "tokens": _shares(lengths),
        "tags": dict(Counter(tag for item in sample.items for tag in item.problem.tags).most_common()),
        "repeats": _repeats([item.problem for item in sample.items]),
        "images": _images([image for item in sample.items for image in item.problem.images], recipe, sizes, token_side),
    }


def _lengths(
    item: SampleItem, recipe: Recipe, sizes: ImageSizes, token_side: int, count: Counting
) -> tuple[int, int, int | None]:
    images = sum(image_tokens(*sizes.size(image), recipe.image, token_side) for image in item.problem.images)
    return count(item.typed) if item.typed else 0, images, None if item.response is None else count(item.response)


def _frames(problems: Sequence[Problem]) -> dict[str, float] | None:
    counts = [sum(image.second is not None for image in problem.images) for problem in problems]
    videos = [count for count in counts if count]
    return {"videos": len(videos), "mean": _mean(videos)} if videos else None


def _table(report: TableReport) -> dict[str, Any]:
    return {
        "rows": report.rows,
        "read": report.read,
        "images": report.images,
        "rows_with_images": report.with_images,
        "options": report.options,
        "rows_with_options": report.with_options,
        "golds_accepted": report.read - len(report.bad_golds),
        "bad_golds": [
            {"place": place, "fault": fault} for place, fault in list(report.bad_golds.values())[:MOST_NAMED]
        ],
        "left_out": dict(report.left_out),
        "unused_columns": list(report.unread),
    }


def _grouped(items: Sequence[SampleItem], key: Callable[[SampleItem], str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        found.setdefault(key(item), []).append(place)
    return found


def _means(lengths: Sequence[tuple[int, int, int | None]]) -> dict[str, Any]:
    known = [response for _, _, response in lengths if response is not None]
    return {
        "n": len(lengths),
        "text_tokens": _mean([text for text, _, _ in lengths]),
        "image_tokens": _mean([images for _, images, _ in lengths]),
        "response_tokens": _mean(known) if known else None,
    }


def _shares(lengths: Sequence[tuple[int, int, int | None]]) -> dict[str, float]:
    totals = {
        "text": sum(text for text, _, _ in lengths),
        "image": sum(images for _, images, _ in lengths),
        "response": sum(response or 0 for _, _, response in lengths),
    }
    whole = sum(totals.values()) or 1
    with_response = sum(response is not None for _, _, response in lengths)
    shares = {f"{name}_share": total / whole for name, total in totals.items()}
    return {**shares, "with_response_rate": with_response / max(1, len(lengths))}


def _answers(problems: Sequence[Problem]) -> dict[str, Any]:
    found = Counter(problem.answer for problem in problems)
    return {
        "different": len(found),
        "most_frequent": [{"answer": answer, "share": n / len(problems)} for answer, n in found.most_common(5)],
    }


def _difficulty(values: Iterable[float | None]) -> dict[str, Any] | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    bins = Counter(min(BINS - 1, int(value * BINS)) for value in known)
    return {"mean": _mean(known), "counts": [bins[i] for i in range(BINS)]}


def _repeats(problems: Sequence[Problem]) -> dict[str, int]:
    def again(keys: Iterable[Any]) -> int:
        return sum(n - 1 for n in Counter(keys).values())

    return {
        "problems": again(problem.id for problem in problems),
        "prompts_with_another_answer": len({(_prompt(p), p.answer) for p in problems})
        - len({_prompt(p) for p in problems}),
        "images": again(image.digest for problem in problems for image in problem.images),
    }


def _prompt(problem: Problem) -> tuple[str, ...]:
    return (problem.question, *(image.digest for image in problem.images))


def _images(images: Sequence[Image], recipe: Recipe, sizes: ImageSizes, token_side: int) -> list[dict[str, Any]]:
    groups: dict[int | None, list[tuple[int, int]]] = {}
    for image in {image.digest: image for image in images}.values():
        size = sizes.size(image)
        groups.setdefault(next((side for side in SIDES if max(size) <= side), None), []).append(size)
    rows = []
    for side in (*SIDES, None):
        held = sorted(groups.get(side, ()), key=lambda size: size[0] * size[1])
        if held:
            tokens = [image_tokens(*size, recipe.image, token_side) for size in held]
            rows.append({"longer_side": side, "n": len(held), "median": held[len(held) // 2], "tokens": _mean(tokens)})
    return rows


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
