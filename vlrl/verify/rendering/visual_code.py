"""The verifier `visual_code`: the page, drawing or plot that a response programs is drawn and compared with an image.

A cascade, as rewards for chart-to-code and web pages have it (e.g. WebGen-R1): does it parse, does it draw anything,
how like is it to the target. A model that looks at both is one more stage: `cascade` of this and `model_judge`.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from xml.etree import ElementTree

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageOps

from vlrl.code_execution import executor
from vlrl.code_execution.drawing import KINDS, DrawingKind
from vlrl.errors import ConfigError, DataError, did_you_mean
from vlrl.types import Problem, Verdict
from vlrl.verify.code.program_text import one_block
from vlrl.verify.judge import verifier
from vlrl.verify.rendering.image_similarity import Pixels, similarity

WALL_SECONDS = 600.0  # of one verdict, with those before it; each drawing has limits of its own
PNG = ("PNG",)
MAX_PIXELS = 4096 * 4096
WINDOW = (800, 600)  # of a gold given as a source that names no size
TAGS: Mapping[DrawingKind, tuple[str, ...]] = {
    "html": ("html", "htm"),
    "svg": ("svg", "xml", "html"),
    "matplotlib": ("python", "py", "python3"),
}
_STAGES = ("parses", "draws")
_UNREAD = ("SyntaxError", "IndentationError", "TabError")


@dataclass(frozen=True)
class _Asked:
    """What a problem wants: a kind, the target, what a response earns that parses or draws, and where it is right."""

    kind: DrawingKind
    target: Pixels
    earned: Mapping[str, float]
    correct_at: float


_targets: dict[tuple[str, str, int, int], Pixels] = {}  # of golds that are sources, drawn once
_drawing = threading.Lock()


def prepare() -> None:
    """Raises ConfigError where programs can't be run on this host as configured, with what to install."""
    executor.check()
    executor.drawing_sandbox().check("matplotlib")


def _gold(problem: Problem) -> tuple[str, ...] | None:
    """A gold that is a source is an answer itself."""
    gold = _gold_of(problem)
    return None if gold.get("source") is None else (f"```{gold['kind']}\n{gold['source']}\n```",)


@verifier("visual_code", prepare=prepare, gold=_gold, wall_seconds=WALL_SECONDS)
def visual_code(problem: Problem, response: str) -> Verdict:
    """The score is how like the drawing is to the target, in [0, 1]; a blank one is at 0.

    The gold is JSON, {"kind": "html" | "svg" | "matplotlib"} with "image": number of the problem's image that is the
    target (default 0), or "source": what is drawn for a target, and "size": [width, height] of its window. The response
    holds its source in one fenced block (an SVG or a page may stand without a fence, as all of the answer).

    metadata:
    correct_at   right from this score on (default 0.9)
    earned       {parses: 0.0, draws: 0.0}: what a response gets that comes so far, where the likeness is below it

    What doesn't parse, draws nothing or takes too long is a wrong answer; a sandbox that fails is a fault.
    """
    asked = _asked(problem)
    found = one_block(response, f"{asked.kind} code block", lambda name: name in TAGS[asked.kind])
    source = found.source or _bare(asked.kind, response)
    if source is None:
        return Verdict.wrong(found.note)
    if (fault := parse_fault(asked.kind, source)) is not None:
        return Verdict.wrong(f"does not parse: {fault}")
    height, width = asked.target.shape[:2]
    drawn = executor.drawing_sandbox().draw(asked.kind, source, width, height)
    if drawn.execution.is_fault:
        return Verdict.broken(f"the sandbox: {drawn.execution.note}")
    pixels = None if drawn.png is None else pixels_of(drawn.png)
    if pixels is None:
        said = drawn.execution.note
        if drawn.execution.ended == "runtime_error" and said.startswith(_UNREAD):
            return Verdict.wrong(f"does not parse: {said}"[:160])
        return Verdict(asked.earned["parses"], False, "parses", f"draws nothing: {said}".rstrip(": ")[:160])
    alike = similarity(pixels, asked.target)
    score = max(round(alike.score, 6), asked.earned["draws"])
    shown = ", ".join(f"{name} {value:.2f}" for name, value in alike.parts.items())
    return Verdict(score, score >= asked.correct_at, "drawn", shown, parts=dict(alike.parts))


def parse_fault(kind: DrawingKind, source: str) -> str | None:
    """Why a source can't be read as its kind; None where it can, as far as that is known before it is drawn. A browser
    reads any page, so that one has to hold a tag; a program is read in the sandbox.
    """
    if kind == "html":
        return None if "<" in source else "it holds no tag"
    if kind == "svg":
        try:
            root = ElementTree.fromstring(source.strip())
        except (ElementTree.ParseError, ValueError) as error:
            return " ".join(str(error).split())[:120]
        return None if root.tag.rpartition("}")[2] == "svg" else "it is no svg element"
    return None


def pixels_of(data: bytes, formats: tuple[str, ...] | None = PNG) -> Pixels | None:
    """(H, W, 3) RGB of an image file, upright and on white; None for what is none or is too large.

    formats  that it may have; None: any
    """
    try:
        with PillowImage.open(io.BytesIO(data), formats=formats) as image:
            if image.width * image.height > MAX_PIXELS:
                return None
            whole = ImageOps.exif_transpose(image).convert("RGBA")
    except (OSError, ValueError, SyntaxError, PillowImage.DecompressionBombError):
        return None
    white = PillowImage.new("RGBA", whole.size, "white")
    return np.asarray(PillowImage.alpha_composite(white, whole).convert("RGB"))


def _bare(kind: DrawingKind, response: str) -> str | None:
    """A response that is an SVG or a page and nothing else."""
    text = response.strip()
    ends = {"svg": (("<svg", "<?xml"), "</svg>"), "html": (("<!doctype html", "<html"), "</html>")}
    if kind not in ends:
        return None
    begins, end = ends[kind]
    lower = text.lower()
    whole = lower.startswith(begins) and lower.endswith(end) and lower.count(end) == 1
    return text if whole else None


def _gold_of(problem: Problem) -> dict[str, Any]:
    place = f"problem {problem.id}, answer"
    try:
        gold = json.loads(problem.answer)
    except ValueError as error:
        raise DataError(place, f"is no JSON: {error}", 'write e.g. {"kind": "svg", "image": 0}') from error
    if not isinstance(gold, dict) or gold.get("kind") not in KINDS:
        kind = gold.get("kind") if isinstance(gold, dict) else gold
        raise DataError(place, f"unknown kind {kind!r}", did_you_mean(str(kind), KINDS))
    if unknown := set(gold) - {"kind", "image", "source", "size"}:
        raise DataError(
            place, f"unknown entry {min(unknown)!r}", did_you_mean(min(unknown), ("image", "source", "size"))
        )
    return gold


def _asked(problem: Problem) -> _Asked:
    gold, metadata = _gold_of(problem), problem.metadata
    earned = {**dict.fromkeys(_STAGES, 0.0), **metadata.get("earned", {})}
    correct_at = metadata.get("correct_at", 0.9)
    for name, value in {**earned, "correct_at": correct_at}.items():
        if name not in (*_STAGES, "correct_at"):
            raise ConfigError(f"metadata.earned.{name}", "is no stage", did_you_mean(name, _STAGES))
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ConfigError(f"problem {problem.id}, metadata.{name}", f"{value!r} is no share", "give 0 to 1")
    return _Asked(cast(DrawingKind, gold["kind"]), _target(problem, gold), earned, float(correct_at))


def _target(problem: Problem, gold: Mapping[str, Any]) -> Pixels:
    place = f"problem {problem.id}, answer"
    if (source := gold.get("source")) is None:
        number = gold.get("image", 0)
        if not isinstance(number, int) or not 0 <= number < len(problem.images):
            raise DataError(place, f"names image {number!r} of {len(problem.images)}", "number them from 0")
        read = pixels_of(problem.images[number].read_bytes(), None)
        if read is None:
            raise DataError(f"problem {problem.id}, image {number}", "can't be read", "mend the file")
        pixels = read
    else:
        pixels = _drawn_gold(str(gold["kind"]), str(source), gold.get("size", WINDOW), place)
    if (pixels == pixels[0, 0]).all():
        raise DataError(place, "the target shows nothing: all of it has one colour", "give another target")
    return pixels


def _drawn_gold(kind: str, source: str, size: Any, place: str) -> Pixels:
    pair = isinstance(size, list | tuple) and len(size) == 2
    if not pair or not all(isinstance(side, int) and 16 <= side <= 4096 for side in size):
        raise DataError(place, f"size is {size!r}", "give [width, height] in pixels, 16 to 4096 each")
    key = (kind, source, size[0], size[1])
    with _drawing:
        if key not in _targets:
            drawn = executor.drawing_sandbox().draw(cast(DrawingKind, kind), source, size[0], size[1])
            pixels = None if drawn.png is None else pixels_of(drawn.png)
            if drawn.execution.is_fault:
                raise RuntimeError(f"the sandbox: {drawn.execution.note}")  # a fault, and no word on the gold
            if pixels is None:
                raise DataError(place, f"its source draws nothing: {drawn.execution.note}", "mend the source")
            _targets[key] = pixels
        return _targets[key]
