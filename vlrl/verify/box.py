"""The verifiers `box` and `boxes`: where something is in the picture."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from vlrl.errors import DataError
from vlrl.types import Problem, Verdict
from vlrl.verify.geometry import Box, iou, read_box, read_boxes
from vlrl.verify.judge import verifier
from vlrl.verify.reading.declared import extract

COCO_THRESHOLDS = tuple(0.5 + 0.05 * step for step in range(10))


@verifier("box")
def box(problem: Problem, response: str) -> Verdict:
    """One box that overlaps the gold: intersection over union (IoU) ≥ threshold.

    Accepts `[x1, y1, x2, y2]`, `(x1, y1), (x2, y2)`, `<box>…</box>`, `{"bbox_2d": […]}` in the gold's own coordinates.
    Rejects two boxes, three or five numbers, NaN and infinity, turned-round or empty boxes, text around the box.

    Facts:
    threshold  IoU that is correct, default 0.5 (at the threshold is correct)
    graded     true: the score is the IoU where it reaches `floor` (default 0), else the score is 1 or 0
    layout     "xyxy" (default) or "xywh", of gold and answer

    Raises DataError if the gold is no box (the verdict is then a fault).
    """
    layout = str(problem.facts.get("layout", "xyxy"))
    gold = read_box(problem.answer, layout)
    if gold is None:
        raise DataError(
            f"problem {problem.id}", f"the gold {problem.answer!r} is not a box", "write it as [x, y, x, y]"
        )
    extraction = extract(response)
    if extraction.answer is None:
        return Verdict.wrong(extraction.note)
    found = read_box(extraction.answer, layout)
    if found is None:
        return Verdict.wrong("not a box", extraction.answer)
    overlap = iou(gold, found)
    return _grade(overlap, overlap >= float(problem.facts.get("threshold", 0.5)), problem, extraction.answer, "IoU")


@verifier("boxes")
def boxes(problem: Problem, response: str) -> Verdict:
    """A list of boxes, matched one to one with the gold boxes of the same label.

    Accepts a JSON list of `[x1, y1, x2, y2]` or `{"bbox_2d": […], "label": …, "score": …}`, also inside `{"boxes": …}`.
    Every box too many counts against the answer, so doubling a box or tiling the picture loses. Rejects more than 300
    boxes and whatever `box` rejects.

    Facts:
    metric     "f1" (default): F1 of the best one-to-one matching at `threshold`;
               "map": mean over labels and over IoU 0.50:0.05:0.95 of the average precision, boxes in order of `score`
    threshold  IoU of a match for F1, default 0.5
    correct_at F1 or mAP that is correct, default 1.0
    graded     true: the score is the metric itself, else 1 or 0
    layout     as in `box`

    Raises DataError if the gold is no list of boxes (the verdict is then a fault).
    """
    layout = str(problem.facts.get("layout", "xyxy"))
    gold = read_boxes(problem.answer, layout)
    if gold is None:
        raise DataError(f"problem {problem.id}", f"the gold {problem.answer!r} is no list of boxes", "write JSON")
    extraction = extract(response)
    if extraction.answer is None:
        return Verdict.wrong(extraction.note)
    found = read_boxes(extraction.answer, layout)
    if found is None:
        return Verdict.wrong("not a list of boxes", extraction.answer)
    metric = problem.facts.get("metric", "f1")
    if metric == "map":
        value = mean_average_precision(gold, found)
    elif metric == "f1":
        value = matching_f1(gold, found, float(problem.facts.get("threshold", 0.5)))
    else:
        raise DataError(f"problem {problem.id}, facts.metric", f"unknown metric {metric!r}", 'write "f1" or "map"')
    correct = value >= float(problem.facts.get("correct_at", 1.0)) - 1e-9
    return _grade(value, correct, problem, extraction.answer, str(metric))


def matching_f1(gold: list[Box], found: list[Box], threshold: float) -> float:
    """F1 of the one-to-one matching with the most pairs whose labels agree and whose IoU reaches the threshold."""
    from scipy.optimize import linear_sum_assignment  # here, because reading it takes a third of a second

    if not gold and not found:
        return 1.0
    if not gold or not found:
        return 0.0
    pairs = np.array([[float(_label(g) == _label(f) and iou(g, f) >= threshold) for f in found] for g in gold])
    rows, columns = linear_sum_assignment(pairs, maximize=True)
    return float(2 * pairs[rows, columns].sum() / (len(gold) + len(found)))


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


def _grade(value: float, correct: bool, problem: Problem, answer: str, name: str) -> Verdict:
    note = f"{name} {value:.3f}"
    if problem.facts.get("graded"):
        score = value if value >= float(problem.facts.get("floor", 0.0)) else 0.0
        return Verdict(min(1.0, score), correct, answer, note)
    return Verdict(float(correct), correct, answer, note)
