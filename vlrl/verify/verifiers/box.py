"""The verifiers `box` and `boxes`: where something is in the image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vlrl.errors import DataError
from vlrl.types import Problem, Verdict
from vlrl.verify.judge import verifier
from vlrl.verify.reading.region_grammar import read_regions
from vlrl.verify.values.placed_regions import boxes_as_answer, measured, placed, placed_gold, placings_of
from vlrl.verify.verifiers.geometry import Box, iou, matching_f1

COCO_THRESHOLDS = tuple(0.5 + 0.05 * step for step in range(10))
EQUAL = 1 - 1e-9  # an IoU from here on is 1: a box that went through another convention and back


def declared_boxes(problem: Problem) -> Sequence[str]:
    """The gold in the convention of the answers."""
    return [boxes_as_answer(problem, gold_boxes(problem))]


@verifier("box", gold=declared_boxes)
def box(problem: Problem, response: str) -> Verdict:
    """One box that overlaps the gold: intersection over union (IoU, Everingham et al. 2010, §4.2) ≥ threshold.

    Accepts every notation of `reading/region_grammar.py`, alone where the answer is declared, with words around it
    elsewhere. Rejects two different boxes, three or five numbers, NaN and infinity, empty boxes, corners in another
    order than declared, what lies outside the image (never clamped), and a label without a word of the question that
    asks to locate something ("cat" for "Locate the dog").

    metadata:
    threshold  IoU that is correct, default 0.5 (at the threshold is correct)
    graded     true: the score is the IoU where it reaches `floor` (default 0), else the score is 1 or 0
    coordinates, gold_coordinates, image_size, resized  in which convention: `values/image_frame.py`
    layout, gold_layout, corners                        in which order: `values/placed_regions.py`

    Raises DataError if the gold is not one box in the image, ConfigError for unknown metadata (the verdict is a fault).
    """
    golds = gold_boxes(problem)
    if len(golds) != 1:
        raise DataError(
            f"problem {problem.id}", f"the gold {problem.answer!r} is not one box", "use `boxes` for several"
        )
    answer = placed(response, "box", placings_of(problem)[0], problem.question, one=True)
    if answer.wrong is not None:
        return answer.wrong
    found = {replace(box, label="", confidence=1.0) for box in answer.found}
    if len(found) != 1:
        return Verdict.wrong("more than one box" if found else "no box", answer.text)
    overlap = iou(golds[0], found.pop())
    correct = overlap >= float(problem.metadata.get("threshold", 0.5)) - 1e-9
    return measured(1.0 if overlap > EQUAL else overlap, correct, problem, answer.text, "IoU")


@verifier("boxes", gold=declared_boxes)
def boxes(problem: Problem, response: str) -> Verdict:
    """Several boxes, matched one to one with the gold boxes of the same label, in any order.

    Accepts and rejects what `box` does, and more than 300 boxes. Every box too many counts against the answer, so
    doubling a box or tiling the image loses.

    metadata:
    metric     "f1" (default): F1 of the best one-to-one matching at `threshold`;
               "map": mean over labels and over IoU 0.50:0.05:0.95 of the average precision (COCO, Lin et al. 2014),
               boxes in order of `score`
    threshold  IoU of a match for F1, default 0.5
    correct_at F1 or mAP that is correct, default 1.0
    graded     true: the score is the metric itself, else 1 or 0
    coordinates, layout, …  as in `box`

    Raises DataError if the gold is no list of boxes in the image (the verdict is then a fault).
    """
    golds = gold_boxes(problem)
    answer = placed(response, "box", placings_of(problem)[0], problem.question)
    if answer.wrong is not None:
        return answer.wrong
    metric = problem.metadata.get("metric", "f1")
    if metric == "map":
        value = mean_average_precision(golds, answer.found)
    elif metric == "f1":
        value = boxes_f1(golds, answer.found, float(problem.metadata.get("threshold", 0.5)))
    else:
        raise DataError(f"problem {problem.id}, metadata.metric", f"unknown metric {metric!r}", 'write "f1" or "map"')
    correct = value >= float(problem.metadata.get("correct_at", 1.0)) - 1e-9
    return measured(value, correct, problem, answer.text, str(metric))


def gold_boxes(problem: Problem) -> list[Box]:
    """The boxes that a gold is. Raises DataError where it is something else, or lies outside the image."""
    read = read_regions(problem.answer, "box")
    if not read.whole:
        raise DataError(
            f"problem {problem.id}", f"the gold {problem.answer!r} is no box", "write it as [x1, y1, x2, y2]"
        )
    golds = placings_of(problem)[1]
    return [placed_gold(problem, golds, region, f"the gold {problem.answer!r}") for region in read.found]


def boxes_f1(gold: list[Box], found: list[Box], threshold: float) -> float:
    """F1 of the one-to-one matching with the most pairs whose labels agree and whose IoU reaches the threshold."""
    pairs = [[_label(g) == _label(f) and iou(g, f) >= threshold for f in found] for g in gold]
    return matching_f1(pairs, len(gold), len(found))


def mean_average_precision(gold: list[Box], found: list[Box]) -> float:
    """Mean over the labels of gold and answer and over the COCO thresholds; a label without gold boxes counts 0."""
    if not gold and not found:
        return 1.0
    by_label: dict[str, tuple[list[Box], list[Box]]] = defaultdict(lambda: ([], []))
    for g in gold:
        by_label[_label(g)][0].append(g)
    for f in found:
        by_label[_label(f)][1].append(f)
    values = [average_precision(g, f, t) for g, f in by_label.values() for t in COCO_THRESHOLDS]
    return float(np.mean(values))


def average_precision(gold: list[Box], found: list[Box], threshold: float) -> float:
    """Area under the precision–recall curve with precision made monotone; boxes in falling order of confidence."""
    if not gold or not found:
        return 0.0
    free = list(gold)
    hits = []
    for candidate in sorted(found, key=lambda f: -f.confidence):
        best = max(free, key=lambda g: iou(g, candidate), default=None)
        hit = best is not None and iou(best, candidate) >= threshold
        if hit and best is not None:
            free.remove(best)
        hits.append(hit)
    true_positives = np.cumsum(hits)
    precision = true_positives / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(sum(p for p, hit in zip(precision, hits, strict=True) if hit) / len(gold))


def _label(of: Box) -> str:
    return of.label.strip().casefold()
